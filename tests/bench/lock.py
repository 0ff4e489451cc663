"""One bench at a time on a machine: two would measure each other."""

import contextlib
import fcntl
import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def locked() -> Generator[None]:
    path = Path(os.environ.get("BENCH_LOCK") or Path(tempfile.gettempdir(), "llmrouter-bench.lock"))
    try:
        # another user's file may be opened for reading, and that is enough to lock it
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another bench ({path})", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
