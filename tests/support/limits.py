"""Limits for tests, and a Redis of the test's own that can be killed, stopped and emptied.

limit = limit_for("user", "1", requests_per_minute=60)
redis.url … redis.kill() … redis.start()      nothing else than the test's own server is ever touched
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.ledger.limits import Limit, Scope, limit_of
from core.store.limits import COUNTS, LimitRow
from tests.support.clock import START

_START = 10.0
_STEP = 0.01


def limit_row(kind: str, scope_id: str = "", **fields: Any) -> LimitRow:
    """A row of the table."""
    plain: dict[str, Any] = dict.fromkeys(COUNTS, 0)
    plain |= {"id": 1, "source": "api", "created_at": START, "updated_at": START}
    return LimitRow(scope_kind=kind, scope_id=scope_id, **(plain | fields))


def limit_for(kind: str, scope_id: str = "", **counts: int) -> Limit:
    """A limit; counts: columns of the table."""
    return limit_of(Scope(kind, scope_id), limit_row(kind, scope_id, **counts))


class RedisServer:
    """A server on a socket of its own. Make it with the fixture `redis`."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary = binary
        self._socket = folder / "r.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """Starts it with nothing in it, and waits until it answers."""
        options = {"port": "0", "unixsocket": str(self._socket), "save": "", "appendonly": "no"}
        command = [self._binary, *(part for name, value in options.items() for part in (f"--{name}", value))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server did not start"
            time.sleep(_STEP)

    def kill(self) -> None:
        """Ends it as a crash does; what it knew is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Has it take connections and never answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self._socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")
            except OSError:
                return False


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis with nothing in it."""
    binary = shutil.which("redis-server")
    if binary is None:
        said = "there is no redis-server on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    server = RedisServer(binary, tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()
