"""How `make test` uses the machine: so many processes at once, and a garbage collector that keeps out of the way."""

import gc
import os

import pytest

from core.process import settle_heap


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for a process that starts, or for a time that passes."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """What is loaded now is never garbage; to look for some in it takes a third of the time."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """From here on as in the service."""
    settle_heap()
    gc.enable()
