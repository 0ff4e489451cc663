"""What a long-running Python process does once: for speed, measured in tests/bench, and for many streams."""

import gc
import resource
from collections.abc import Callable
from types import FunctionType
from typing import TypeVar

_T = TypeVar("_T")

# So many places for values: 320 kB, for which CPython takes a chunk of 512 kB.
_STACK_SLOTS = 40_000

# Every stream needs a few; many shells start programs with 1024.
_OPEN_FILES = 65_536


def allow_many_files() -> None:
    """Raises the limit of open files as far as this user may, up to what a busy process needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def with_room(function: Callable[[], _T]) -> _T:
    """Calls the function on a stretch of the interpreter's stack that has room for all that it calls.

    CPython keeps the frames of Python functions in chunks of 16 kB and gives a chunk back to the
    system when the last frame in it returns. A loop whose calls happen to cross the end of a chunk
    maps and unmaps memory at every turn: 7 µs instead of 0.1 for a call, several times a request. A
    frame that asks for much makes CPython take a chunk that is larger than anything below it needs.
    """
    roomy = _call.__code__.replace(co_stacksize=_STACK_SLOTS)
    call = FunctionType(roomy, {})
    result: _T = call(function)
    return result


def _call(function: Callable[[], _T]) -> _T:
    return function()


def settle_heap() -> None:
    """Call it once everything is loaded: the garbage collector need not look at that again.

    What requests make is nearly all freed by reference counting, so the collector looks less often.
    Nothing is collected first: that would hold up the loop for a tenth of a second.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
