"""An end for tests that wait for other processes: one that hangs fails instead of holding up all."""

import signal
from collections.abc import Iterator

import pytest

SECONDS = 60


class TookTooLong(Exception):
    """The test did not end in time."""


@pytest.fixture
def limit() -> Iterator[None]:
    """Ends the test after a minute, wherever it is in the main thread."""

    def too_long(*_: object) -> None:
        raise TookTooLong(f"the test did not end in {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
