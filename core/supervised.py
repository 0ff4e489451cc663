"""The child's end of what joins it to the supervisor (core/supervisor.py)."""

import os
import signal
import socket
from threading import Thread


class Supervised:
    """A process that may have a supervisor. Without one, nothing here does anything."""

    def __init__(self, fd: int | None) -> None:
        """fd: the socket that the supervisor passed, None where nobody did.

        Should the supervisor end, however that comes about, this process asks itself to stop.
        """
        self._socket = None if fd is None else socket.socket(fileno=fd)
        if self._socket is not None:
            self._socket.set_inheritable(False)
            Thread(target=_stop_at_end_of, args=(self._socket,), name="supervised", daemon=True).start()

    def ready(self) -> None:
        """Tells the supervisor that this process can be used."""
        if self._socket is not None:
            self._socket.sendall(b"ready\n")


def _stop_at_end_of(link: socket.socket) -> None:
    try:
        while link.recv(64):
            pass
    except OSError:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
