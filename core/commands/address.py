"""Addresses that servers want to listen at: whether they are free, and why not."""

import errno
import socket

from core.commands.failure import Failure
from core.settings import Address
from core.supervisor import EX_CONFIG


def bind_failure(error: OSError, address: Address, variable: str) -> Failure | None:
    """Why a server can't listen at the address of a setting, or None where that is not what the error speaks of."""
    if error.errno == errno.EADDRINUSE:
        other = Address(address.host, address.port + 1 if address.port < 65535 else address.port - 1)
        what = f"{address} is taken: end what listens there, or choose another address ({variable}={other})"
    elif error.errno == errno.EACCES:
        what = f"{variable}: this user may not listen at {address}; choose a port from 1024 on"
    elif error.errno == errno.EADDRNOTAVAIL:
        what = f"{variable}: {address.host} is not an address of this machine; 0.0.0.0 is all of them"
    elif isinstance(error, socket.gaierror):
        what = f"{variable}: there is no address of the name {address.host}"
    else:
        return None
    return Failure(what, EX_CONFIG)


def check_free(address: Address, variable: str) -> None:
    """Raises Failure where somebody listens there already.

    The workers would find out themselves, but for two services that both share their ports among workers:
    the kernel would spread the requests over the two.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise bind_failure(error, address, variable) or error from None
