"""The journal: where a request is safe before its caller has the answer's last byte.

    data/journal/<slot>/id                      this journal's name in the database
    data/journal/<slot>/lock                    held by the process that writes here
    data/journal/<slot>/1764000000000001.log    segments, in order; deleted once they are in the database

One line to a fact, by a plain write(), which survives the death of the process:

    O[…]   an Opening         written before anything is asked of a provider
    H[…]   its Holding        where a budget pays for it; once more before a dearer provider is asked
    P[…]   its Progress       while it streams
    C[…]   its UsageRecord    closes it; C alone is enough for a request that never got that far
    B      a base             above it in this segment stands everything that is open

Each core process writes a journal of its own, so nobody waits for a lock. core/ledger/shipper.py
carries it to the database, core/ledger/recovery.py closes what a dead process left open.

Where a disk is full, or too much waits for the database, requests are refused at their opening: such
a request has cost nothing. One that was let in is never refused its record: that is kept in memory
until the disk takes it, and should the process die first, its opening still tells of it.
"""

import fcntl
import logging
import os
import re
import secrets
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

import msgspec

from core.errors import Unavailable
from core.ledger.record import Holding, Opening, Progress, UsageRecord

log = logging.getLogger(__name__)

SEGMENT_BYTES = 16 * 1024 * 1024
OPENED, HELD, PROGRESSED, CLOSED, BASE = b"O", b"H", b"P", b"C", b"B"

# Records of requests that were never let in: how many may wait in memory for a disk that takes nothing,
# and how far beyond its limit the journal may grow by them. What is more is counted, not kept.
_MAX_KEPT = 10_000
_RESERVE = 8  # one eighth of the limit

_IDENTITY = re.compile(r"[0-9a-f]{32}")

_encode = msgspec.json.Encoder().encode


class JournalBusy(Exception):
    """Another process holds this journal."""


class Journal:
    """The writing end. Not for use by several threads."""

    def __init__(self, folder: Path, *, limit: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Takes the journal in `folder`, which is made where it does not exist.

        limit: how many bytes may wait for the database before new requests are refused.
        Raises JournalBusy where another process has it, OSError where it can't be written.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.dropped = 0  # records of refused requests that there was no room for
        self._lock = _locked(folder / "lock")
        try:
            self.id = _identity(folder / "id")
            earlier = self.segments()
            self._limit = limit
            self._hard_limit = limit + limit // _RESERVE
            self._segment_bytes = segment_bytes
            self._waiting = sum(path.stat().st_size for path in earlier.values())
            self._open: dict[str, bytes] = {}  # the lines of what is open, by request_id
            self._states: dict[str, bytes] = {}  # the latest Progress of each, where there is one
            self._kept: deque[tuple[str, bytes]] = deque()  # closing lines that could not be written yet
            # Microseconds since 1970, for a number must never come back: the database remembers how far it is
            # in which segment, also when the files were deleted or restored from a backup.
            self.segment = max(max(earlier, default=0), time.time_ns() // 1000)
            self._file = -1
            self._size = 0
            self._torn = False  # the last line is incomplete
            self._failing = False  # the disk did not take something, and nothing since
            self._start_segment(based=False)
        except BaseException:
            os.close(self._lock)
            raise

    def segments(self) -> dict[int, Path]:
        """The segments there are, in order."""
        paths = {int(path.stem): path for path in self.folder.glob("*.log") if path.stem.isdigit()}
        return dict(sorted(paths.items()))

    def path(self, segment: int) -> Path:
        """Where a segment is, or was."""
        return self.folder / f"{segment:016d}.log"

    @property
    def backlog(self) -> int:
        """How many bytes are not known to be in the database yet."""
        return self._waiting

    @property
    def writable(self) -> bool:
        """Whether everything that should be written is."""
        return not self._kept

    def open(self, opening: Opening, holding: Holding | None = None) -> None:
        """Notes that a request was let in, and what it may cost, in one write.

        Raises Unavailable where the journal can't be written, or too much waits for the database.
        """
        if self._waiting > self._limit:
            raise Unavailable("the usage journal is full because the database does not answer")
        if self._kept and not self.flush():
            raise Unavailable("the usage journal can't be written")
        lines = _opened(opening, holding)
        try:
            self._write(lines)
        except OSError as error:
            self._note_failure(error)
            raise Unavailable("the usage journal can't be written") from error
        self._open[opening.request_id] = lines

    def hold(self, holding: Holding) -> None:
        """Notes what a request that was let in may cost now. Raises Unavailable where the journal can't be written."""
        line = HELD + _encode(holding) + b"\n"
        try:
            self._write(line)
        except OSError as error:
            self._note_failure(error)
            raise Unavailable("the usage journal can't be written") from error
        opened = self._open.get(holding.request_id)
        if opened is not None:
            self._open[holding.request_id] = opened[: opened.index(b"\n") + 1] + line

    def reopen(self, opening: Opening, holding: Holding | None = None) -> None:
        """Notes what an earlier process let in and did not close; nothing is written for it."""
        self._open[opening.request_id] = _opened(opening, holding)

    @property
    def end(self) -> tuple[int, int]:
        """Where the next line goes: the segment, and the position in it."""
        return self.segment, self._size

    def progress(self, states: list[Progress]) -> None:
        """Notes how far streams are, in one write. Where the disk takes nothing, the next time must do."""
        lines = {state.request_id: PROGRESSED + _encode(state) + b"\n" for state in states}
        self._states = lines
        if self._kept and not self.flush():
            return
        try:
            self._write(b"".join(lines.values()))
            self._turn()
        except OSError as error:
            self._note_failure(error)

    def close(self, record: UsageRecord) -> None:
        """Notes how a request ended; from here on its record can't be lost with the process.

        Where the disk takes nothing, the line is kept and written later; the opening stands until then.
        """
        request_id = record.request_id
        line = CLOSED + _encode(record) + b"\n"
        if self._kept or (self._waiting > self._hard_limit and request_id not in self._open):
            self._keep(request_id, line)
            self.flush()
            return
        try:
            self._write(line)
        except OSError as error:
            self._note_failure(error)
            self._keep(request_id, line)
            return
        self._open.pop(request_id, None)
        if self._states:
            self._states.pop(request_id, None)
        if self._size >= self._segment_bytes:
            self._turn()

    def flush(self) -> bool:
        """Writes what could not be written before; false where it still can't."""
        while self._kept:
            request_id, line = self._kept[0]
            try:
                self._write(line)
            except OSError:
                return False
            self._kept.popleft()
            self._open.pop(request_id, None)
            self._states.pop(request_id, None)
        if self._failing:
            self._failing = False
            log.info("the usage journal can be written again")
        return True

    def _note_failure(self, error: OSError) -> None:
        """Logs the first of what may be many."""
        if not self._failing:
            self._failing = True
            log.error("the usage journal can't be written; records wait in memory, and requests are refused: %s", error)

    def mark_base(self) -> None:
        """Notes that nothing is open but what this segment says, so that no older one has to be read for it."""
        with suppress(OSError):
            if not self._kept:
                self._write(BASE + b"\n")

    def shipped(self, size: int) -> None:
        """So many more bytes are in the database, or gone."""
        self._waiting = max(0, self._waiting - size)

    def release(self) -> None:
        """Closes the files and lets others have the journal. Once more does nothing."""
        if self._lock < 0:
            return
        self.flush()
        os.close(self._file)
        os.close(self._lock)
        self._file = self._lock = -1  # the numbers will be other files'

    def _keep(self, request_id: str, line: bytes) -> None:
        """Keeps a closing line for later. Of requests that were never let in only so many."""
        if request_id not in self._open and (len(self._kept) >= _MAX_KEPT or self._waiting > self._hard_limit):
            self.dropped += 1
            return
        self._kept.append((request_id, line))

    def _turn(self) -> None:
        """Goes on in a new segment where this one is large enough; stays in it where there can't be one."""
        if self._size < self._segment_bytes:
            return
        try:
            self._start_segment(based=True)
        except OSError as error:
            log.error("the usage journal can't start a new segment: %s", error)  # noqa: TRY400 - no trace is needed

    def _start_segment(self, *, based: bool) -> None:
        """Begins a segment, with the lines of what is still open where older segments shall be able to go."""
        path = self.path(self.segment + 1)
        head = b"".join([*self._open.values(), *self._states.values(), BASE, b"\n"]) if based else b""
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_all(file, head)
        except OSError:
            os.close(file)
            path.unlink()
            raise
        if self._file >= 0:
            os.close(self._file)
        self.segment += 1
        self._file, self._size, self._torn = file, len(head), False
        self._waiting += len(head)

    def _write(self, lines: bytes) -> None:
        """Appends whole lines. Raises OSError; a line that was torn by it is ended by the next write."""
        if self._torn:
            lines = b"\n" + lines
        size = len(lines)
        written = os.write(self._file, lines)
        self._size += written
        self._waiting += written
        if written != size or self._torn:
            self._torn = True
            while written < size:  # the disk is about to be full: the next one says so
                more = os.write(self._file, lines[written:])
                written, self._size, self._waiting = written + more, self._size + more, self._waiting + more
            self._torn = False


def _opened(opening: Opening, holding: Holding | None) -> bytes:
    """The lines of a request that was let in."""
    if holding is None:
        return b"O%b\n" % _encode(opening)
    return b"O%b\nH%b\n" % (_encode(opening), _encode(holding))


def _write_all(file: int, data: bytes) -> None:
    """Raises OSError where only a part could be written."""
    while data:
        data = data[os.write(file, data) :]


def _locked(path: Path) -> int:
    """The file descriptor of a lock that nobody else has. Raises JournalBusy."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise JournalBusy from None
    return lock


def _identity(path: Path) -> str:
    """The journal's name, made at its first use, and anew where a crash of the machine left nothing of it."""
    found = path.read_text(errors="replace") if path.exists() else ""
    if not _IDENTITY.fullmatch(found):
        found = secrets.token_hex(16)
        draft = path.with_suffix(".new")
        draft.write_text(found)
        draft.rename(path)
    return found


def take(root: Path, worker: int, *, limit: int) -> Journal:
    """The journal of a worker: the first free one from its own number on.

    Two services on one data directory would wait for each other here, so the next slot is taken.
    """
    for slot in range(worker, worker + 1000):
        try:
            return Journal(root / f"{slot:03d}", limit=limit)
        except JournalBusy:
            continue
    raise JournalBusy
