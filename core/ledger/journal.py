"""The journal: where a request is safe before its caller has the answer's last byte.

    data/journal/<slot>/id                 this journal's name in the database
    data/journal/<slot>/lock               held by the process that writes here
    data/journal/<slot>/0000000001.log     segments, in order; deleted once they are in the database

One line to a fact, by a plain write(), which survives the death of the process:

    O[…]   an Opening         written before anything is asked of a provider
    P[…]   its Progress       while it streams
    C[…]   its UsageRecord    closes it; C alone is enough for a request that never got that far

Each core process writes a journal of its own, so nobody waits for a lock. core/ledger/shipper.py
carries it to the database. A line torn by a crash of the machine is skipped when read.
"""

import fcntl
import os
import secrets
from pathlib import Path

import msgspec

from core.errors import Unavailable
from core.ledger.record import Opening, Progress, UsageRecord

SEGMENT_BYTES = 16 * 1024 * 1024
OPENED, PROGRESSED, CLOSED = b"O", b"P", b"C"

_encode = msgspec.json.Encoder().encode


class JournalBusy(Exception):
    """Another process holds this journal."""


class Journal:
    """The writing end. Not for use by several threads."""

    def __init__(self, folder: Path, *, limit: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Takes the journal in `folder`, which is made where it does not exist.

        limit: how many bytes may wait for the database before new requests are refused.
        Raises JournalBusy where another process has it.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise JournalBusy from None
        self.id = _identity(folder / "id")
        self._limit = limit
        self._segment_bytes = segment_bytes
        self._waiting = sum(path.stat().st_size for path in self.segments().values())
        self._open: dict[str, bytes] = {}
        self.segment = max(self.segments(), default=0)
        self._file = -1
        self._size = 0
        self._start_segment()

    def segments(self) -> dict[int, Path]:
        """The segments there are, in order."""
        paths = sorted(self.folder.glob("*.log"))
        return {int(path.stem): path for path in paths}

    @property
    def backlog(self) -> int:
        """How many bytes are not known to be in the database yet."""
        return self._waiting

    def open(self, opening: Opening) -> None:
        """Notes that a request was let in. Raises Unavailable where too much waits for the database."""
        if self._waiting > self._limit:
            raise Unavailable("the usage journal is full because the database does not answer")
        line = OPENED + _encode(opening) + b"\n"
        self._open[opening.request_id] = line
        self._write(line)

    def progress(self, states: list[Progress]) -> None:
        """Notes how far streams are, in one write."""
        self._write(b"".join([PROGRESSED + _encode(state) + b"\n" for state in states]))

    def close(self, record: UsageRecord) -> None:
        """Notes how a request ended; from here on its record can't be lost."""
        self._open.pop(record.request_id, None)
        self._write(CLOSED + _encode(record) + b"\n")
        if self._size >= self._segment_bytes:
            self._start_segment()

    def shipped(self, size: int) -> None:
        """So many more bytes are in the database."""
        self._waiting = max(0, self._waiting - size)

    def release(self) -> None:
        """Closes the files and lets others have the journal."""
        os.close(self._file)
        os.close(self._lock)

    def _start_segment(self) -> None:
        """Begins a segment with the lines of what is still open, so that older segments can go."""
        self.segment += 1
        if self._file >= 0:
            os.close(self._file)
        path = self.folder / f"{self.segment:010d}.log"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = 0
        if self._open:
            self._write(b"".join(self._open.values()))

    def _write(self, line: bytes) -> None:
        os.write(self._file, line)
        size = len(line)
        self._size += size
        self._waiting += size


def _identity(path: Path) -> str:
    """The journal's name, made at its first use."""
    if not path.exists():
        draft = path.with_suffix(".new")
        draft.write_text(secrets.token_hex(16))
        draft.rename(path)
    return path.read_text()


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
