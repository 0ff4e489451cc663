"""Tests stay on this machine."""

import socket

import pytest

from tests.support.network import NetworkBlocked


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_connection_to_another_host_is_refused(host: str):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as out, pytest.raises(NetworkBlocked, match=host):
        out.connect((host, 80))


def test_the_name_of_another_host_is_not_looked_up():
    with pytest.raises(NetworkBlocked, match=r"llmrouter\.example"):
        socket.getaddrinfo("llmrouter.example", 80)


def test_this_machine_is_open():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]):
        pass
    assert socket.getaddrinfo("localhost", 80)
