"""The child's end of what joins it to the supervisor (core/supervisor.py)."""

import os
import signal
import socket
from threading import Event, Thread

_ORDER = 0.2  # seconds by which what the supervisor says may come after its signal


class Supervised:
    """A process that may have a supervisor. Without one, nothing here does anything."""

    def __init__(self, fd: int | None) -> None:
        """fd: the socket that the supervisor passed, None where nobody did.

        Should the supervisor end, however that comes about, this process asks itself to stop.
        """
        self._socket = None if fd is None else socket.socket(fileno=fd)
        self._told = Event()
        self._drain = 0.0
        if self._socket is not None:
            self._socket.set_inheritable(False)
            Thread(target=self._listen, args=(self._socket,), name="supervised", daemon=True).start()

    def ready(self) -> None:
        """Tells the supervisor that this process can be used."""
        if self._socket is not None:
            self._socket.sendall(b"ready\n")

    def time_to_drain(self, otherwise: float) -> float:
        """Seconds that this process has to finish what runs; otherwise: where no supervisor says so. Blocks shortly."""
        if self._socket is None or not self._told.wait(_ORDER):
            return otherwise
        return min(self._drain, otherwise)

    def _listen(self, link: socket.socket) -> None:
        try:
            while said := link.recv(64):
                self._drain = float(said)
                self._told.set()
        except (OSError, ValueError):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
