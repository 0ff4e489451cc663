"""Keeps tests on this machine: whatever Python code tries to reach another host fails the test.

It hears of connections and of names looked up through Python's socket module. gRPC and uvloop use
their own; the tests give those nothing but local addresses.
"""

import ipaddress
import sys
from typing import Any

import pytest

_LOCAL_NAMES = (None, "", "localhost", b"localhost")


class NetworkBlocked(Exception):
    """A test tried to leave this machine."""


def _is_local(host: object) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _watch(name: str, args: tuple[Any, ...]) -> None:
    if name == "socket.connect":
        address: Any = args[1]
        host: object = None if isinstance(address, str | bytes) else address[0]  # a path is a Unix socket
    elif name in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    if not _is_local(host):
        raise NetworkBlocked(f"tests stay on this machine, and this one wanted {host!r}")


def pytest_configure(config: pytest.Config) -> None:
    sys.addaudithook(_watch)
