"""Starts the fake provider, and is the test's way to it.

with running_fake_provider() as fake:
    … register fake.base_url, and call a model with the field "x_hold": "name" …
    fake.let("name")                     # one event of the stream goes out
    body = fake.arrived("name")          # the request as it came
    fake.wait_hung_up("name")            # returns once the client went away
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.fake.server import LOCALHOST
from tests.support.plain_http import PLAIN

_ROOT = Path(__file__).resolve().parents[3]
# How long a test waits for something that must happen, in seconds.
_PATIENCE = 20.0
_END = 5.0
_EVERYTHING = 10_000


class FakeProvider:
    """A running fake provider."""

    def __init__(self, port: int) -> None:
        self._origin = f"http://{LOCALHOST}:{port}"
        self._client = httpx.Client(base_url=f"{self._origin}/control", **PLAIN, timeout=_PATIENCE)

    @property
    def base_url(self) -> str:
        """With the API's prefix, as providers are registered."""
        return f"{self._origin}/v1"

    def let(self, name: str, count: int = 1) -> None:
        """Lets so many more events of a stream through."""
        self._client.post("/let", params={"name": name, "count": count}).raise_for_status()

    def let_all(self, name: str) -> None:
        """Lets all further events of a name through."""
        self.let(name, _EVERYTHING)

    def arrived(self, name: str) -> dict[str, Any]:
        """The body of the next request of that name that this was not asked for yet; waits for it."""
        answer = self._client.get("/arrived", params={"name": name})
        answer.raise_for_status()
        return answer.json()

    def wait_hung_up(self, name: str) -> None:
        """Returns once a client of that name went away before its answer's end."""
        self._client.get("/hung_up", params={"name": name}).raise_for_status()

    def close(self) -> None:
        self._client.close()


@contextmanager
def running_fake_provider() -> Generator[FakeProvider]:
    """Runs the process for the duration of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.fake.server"],
        cwd=_ROOT,
        env=os.environ,
        stdin=subprocess.PIPE,  # with its end, be it this process's own, the provider ends
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        fake = FakeProvider(int(json.loads(process.stdout.readline())["port"]))
        try:
            yield fake
        finally:
            fake.close()
    finally:
        process.stdin.close()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
