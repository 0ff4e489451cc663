"""Memory that the processes of one machine share, with a slot of integers for each scope.

    limits/counters-1     the slots and a list of those in use, mapped by every process; held by one at a time (flock)
    limits/worker-0 …     locked by the process that has this number, for as long as it lives

The locks are the kernel's: whoever dies lets go of them. So the number of a dead process is free at once,
and what it had under way can be told from what still runs. The counts outlive the processes.
"""

import fcntl
import hashlib
import mmap
import os
import time
from array import array
from pathlib import Path
from typing import Final

from core.errors import Unavailable
from core.ledger.limit_window import MAX_WORKERS, RUNNING, SLOT, Cells

SLOTS: Final = 16_384
_NAME = "counters-1"  # another layout needs another name
_PROBES = 32
_USED = SLOTS * SLOT
_EMPTY = memoryview(array("q", bytes(SLOT * 8)))

# Seconds. Whoever has the lock needs microseconds, and on a crowded machine some milliseconds until it is its turn
# again. One that was stopped (SIGSTOP) in that moment holds up the others this long, once, and not for ever.
_PATIENCE = 1.0
_STEP, _LONGEST_STEP = 0.000_05, 0.002


class LimitFile:
    """The slots. Use `cells` between `lock` and `unlock` alone."""

    def __init__(self, folder: Path, worker: int) -> None:
        """worker: the number to have where it is free. Raises OSError, on a full disk too."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._fd = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._worker_fd = -1
        try:
            # All of it at once: memory that has no place on the disk would end the process at its first use.
            size = (SLOTS * SLOT + 1 + SLOTS) * 8
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._fd, 0, size)
            else:
                os.ftruncate(self._fd, size)
            self._map = mmap.mmap(self._fd, size)
            self.worker, self._worker_fd = self._take_number(worker)
        except BaseException:
            os.close(self._fd)
            raise
        self._view = memoryview(self._map)
        self._integers = self._view.cast("q")
        self.cells: Cells = self._integers
        self._stuck = False  # whether nobody let go of the lock the last time
        self._known: dict[str, tuple[int, int, int]] = {}
        self._forget_own()

    def close(self) -> None:
        """Lets go of all; what this process had under way is over."""
        self._integers.release()
        self._view.release()
        self._map.close()
        os.close(self._worker_fd)
        os.close(self._fd)

    def lock(self) -> None:
        """Keeps the other processes out. Raises Unavailable where one of them does not let go."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock_soon()
        self._stuck = False

    def unlock(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _lock_soon(self) -> None:
        deadline, step = time.monotonic() + _PATIENCE, _STEP
        while not self._stuck and time.monotonic() < deadline:
            time.sleep(step)
            step = min(step * 1.5, _LONGEST_STEP)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return
        self._stuck = True
        raise Unavailable("limits can't be looked at: another process holds them")

    def slot(self, scope: str, now: float, needed_for: int) -> int:
        """Where a scope's integers begin. needed_for: for how many seconds they are to be kept from now on."""
        known = self._known.get(scope)
        if known is None:
            first, second = _tag(scope)
            known = self._known[scope] = (first, second, self._find(first, second, int(now)))
        first, second, base = known
        cells = self._integers
        if cells[base] != first or cells[base + 1] != second:  # it was given to somebody else, or never taken
            base = self._find(first, second, int(now))
            if cells[base] != first or cells[base + 1] != second:
                if not cells[base]:
                    self._note_used(base)
                cells[base : base + SLOT] = _EMPTY
                cells[base], cells[base + 1] = first, second
            self._known[scope] = (first, second, base)
        cells[base + 2] = max(cells[base + 2], int(now) + needed_for)
        return base

    def running(self, base: int) -> int:
        """How many requests of a slot are under way on this machine."""
        return sum(self._integers[base + RUNNING : base + SLOT])

    def bury(self, base: int) -> int:
        """Gives back what dead processes had under way; how many that were."""
        found = 0
        for number in range(MAX_WORKERS):
            place = base + RUNNING + number
            if self._integers[place] and number != self.worker and not self._lives(number):
                found += self._integers[place]
                self._integers[place] = 0
        return found

    def _find(self, first: int, second: int, now: int) -> int:
        """Where a scope is, or where it can be: in a slot that is free, else not needed, else needed least long."""
        cells = self._integers
        best, needed = -1, 0
        for probe in range(_PROBES):
            base = (first + probe) % SLOTS * SLOT
            if cells[base] == first and cells[base + 1] == second:
                return base
            until = cells[base + 2]
            if self.running(base):
                until += 1 << 40
            if best < 0 or until < needed:
                best, needed = base, until
        return best

    def _take_number(self, wanted: int) -> tuple[int, int]:
        for number in (*range(wanted, MAX_WORKERS), *range(wanted)):
            fd = os.open(self._number_path(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
            else:
                return number, fd
        raise OSError(f"more than {MAX_WORKERS} processes count in {self._folder}")

    def _lives(self, number: int) -> bool:
        fd = os.open(self._number_path(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def _number_path(self, number: int) -> Path:
        return self._folder / f"worker-{number}"

    def _note_used(self, base: int) -> None:
        """A slot is used for the first time: behind all slots is a list of those, so that nobody reads the others."""
        self._integers[_USED] += 1
        self._integers[_USED + self._integers[_USED]] = base

    def _forget_own(self) -> None:
        """What the process that had this number before had under way is over."""
        self.lock()
        try:
            for used in range(_USED + 1, _USED + 1 + self._integers[_USED]):
                self._integers[self._integers[used] + RUNNING + self.worker] = 0
        finally:
            self.unlock()


def _tag(scope: str) -> tuple[int, int]:
    """Two integers that stand for a scope."""
    digest = hashlib.blake2b(scope.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little") >> 1 | 1, int.from_bytes(digest[8:], "little", signed=True)
