"""At most one of each to a data directory: one supervisor, one core process of each number.

A lock is the kernel's (flock), so it ends with its holder, however that dies. The workers of a supervisor
inherit one of their own: should the supervisor be killed, they finish their streams and end, and the next
supervisor waits for that.
"""

import fcntl
import logging
import os
import time
from collections.abc import Generator
from contextlib import contextmanager

from core.settings import Settings, SettingsError

_STEP = 0.05
_GRACE = 5.0

log = logging.getLogger("llmrouter.lock")


@contextmanager
def locked(settings: Settings, name: str) -> Generator[None]:
    """Holds the lock of that name. Raises SettingsError where another process has it."""
    fd = _open(settings, name)
    try:
        if not _take(fd):
            raise SettingsError(
                f"`llmrouter {name}` runs already on {settings.data_dir}, as process {_written(fd)}: stop that, "
                "or choose another directory (LLMROUTER_DATA_DIR) and other addresses"
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(fd)


@contextmanager
def workers_locked(settings: Settings) -> Generator[int]:
    """Holds the lock whose file descriptor the workers are to inherit, once those of before have ended.

    Raises SettingsError where they don't.
    """
    fd = _open(settings, "workers")
    deadline = time.monotonic() + settings.drain_timeout + _GRACE
    try:
        if not _take(fd):
            log.warning("waiting for the processes that a killed supervisor left behind to finish their streams")
            while not _take(fd):
                if time.monotonic() > deadline:
                    raise SettingsError(f"processes of an earlier `llmrouter serve` on {settings.data_dir} don't end")
                time.sleep(_STEP)
        yield fd
    finally:
        os.close(fd)


def holder(settings: Settings, name: str) -> str:
    """The process that has the lock of that name, "" where nobody has it."""
    try:
        fd = os.open(settings.run_dir / f"{name}.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return "" if _take(fd) else _written(fd)
    finally:
        os.close(fd)


def _open(settings: Settings, name: str) -> int:
    return os.open(settings.run_dir / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(fd: int) -> str:
    """The number of the process that took the lock last."""
    return os.pread(fd, 32, 0).decode(errors="replace") or "?"
