"""At most one of each to a data directory: one supervisor, one core process of each number.

The supervisor's lock is inherited by its workers. Should it be killed, they finish their streams and
end, and the next supervisor waits for that.
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
def locked(settings: Settings, name: str) -> Generator[int]:
    """Holds the lock of that name, whose file descriptor is yielded for children to inherit.

    Raises SettingsError where another process has it.
    """
    fd = os.open(settings.run_dir / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(fd, name, settings)
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
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
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(fd, 32, 0).decode(errors="replace") or "?"
    finally:
        os.close(fd)
    return ""


def _take(fd: int, name: str, settings: Settings) -> None:
    deadline = time.monotonic() + settings.drain_timeout + _GRACE
    waited = False
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = os.pread(fd, 32, 0).decode(errors="replace")
            if _runs(found) or time.monotonic() > deadline:
                raise SettingsError(
                    f"`llmrouter {name}` runs already on {settings.data_dir}, as process {found or '?'}: stop that, "
                    "or choose another directory (LLMROUTER_DATA_DIR) and other addresses"
                ) from None
        else:
            return
        if not waited:
            waited = True
            log.warning("waiting for processes that an earlier one left behind")
        time.sleep(_STEP)


def _runs(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
