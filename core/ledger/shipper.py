"""Carries the journal to the database, in order, exactly once.

    journal files ─► read on from the last position ─► INSERT the batch ┐ one transaction
                                                       move the position ┘
    a segment that is shipped whole, and is not being written any more, is deleted

The files are the queue: however long the database is away, memory stays flat, and after a crash
the same reading goes on where the database says it stopped. Should the database have lost that
position, everything that is still there is shipped again; a record it has already changes nothing.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import Clock
from core.errors import DatabaseError
from core.ledger.journal import CLOSED, Journal
from core.ledger.posting import entries_of
from core.ledger.record import UsageRecord
from core.store import journals, ledger, usage
from core.store.database import Database

log = logging.getLogger(__name__)

_READ_BYTES = 512 * 1024
_FULL_BATCH = _READ_BYTES // 2
_EVERY = 0.2  # seconds between looks; queries see a record within a second
_RETRY = 1.0  # seconds between tries while the database is away

# What a value that no column takes is refused with: by the driver, or by PostgreSQL (its class "data exception").
_BAD_VALUE = (ValueError, OverflowError)
_DATA_EXCEPTION = "22"

_record = msgspec.json.Decoder(UsageRecord)


class Shipper:
    """Ships one journal. `run` until cancelled, then `finish`."""

    def __init__(self, journal: Journal, database: Database, clock: Clock) -> None:
        self._journal = journal
        self._database = database
        self._clock = clock
        self._segment = 0
        self._position = 0
        self._began = False
        self.healthy = True

    async def run(self) -> None:
        """Ships for ever."""
        while True:
            self._journal.flush()
            shipped = await self._try_ship()
            if shipped < _FULL_BATCH:  # else there is more; a transaction for each record would cost too much
                await asyncio.sleep(_EVERY if self.healthy else _RETRY)

    async def finish(self, timeout: float) -> bool:
        """Ships what is left; false where the database did not take it in time. Nothing is lost then either."""
        self._journal.flush()
        try:
            async with asyncio.timeout(timeout):
                while await self._try_ship() or not self.healthy:
                    if not self.healthy:
                        await asyncio.sleep(_EVERY)
        except TimeoutError:
            return False
        return True

    async def ship(self) -> int:
        """Ships one batch; returns its bytes, 0 where there is nothing to ship. Raises DatabaseError."""
        if not self._began:
            await self._begin()
        data = self._read()
        if not data:
            return 0
        lines = [line for line in data.splitlines() if line.startswith(CLOSED)]
        records = [record for record in map(_closed, lines) if record is not None]
        position = self._position + len(data)
        try:
            await self._store(records, position)
        except (DatabaseError, *_BAD_VALUE) as error:
            if not _is_about_values(error):
                raise
            await self._store_one_by_one(records, position)
        self._position = position
        self._journal.shipped(len(data))
        return len(data)

    async def _try_ship(self) -> int:
        try:
            shipped = await self.ship()
        except DatabaseError as error:
            if self.healthy:  # an outage is nobody's fault here: no trace
                cause = type(error.__cause__).__name__
                log.warning("the database does not take usage; it waits in the journal", extra={"cause": cause})
            self.healthy = False
            return 0
        except Exception:  # whatever it is, the next try may do better, and nothing is lost
            if self.healthy:
                log.warning("a fault while usage was shipped; it waits in the journal", exc_info=True)
            self.healthy = False
            return 0
        if not self.healthy:
            log.info("the database takes usage again")
        self.healthy = True
        return shipped

    async def _begin(self) -> None:
        """Finds where the shipping stopped, and deletes what was shipped whole before."""
        async with self._database.read() as connection:
            found = await journals.position(connection, self._journal.id)
        segments = self._journal.segments()
        self._segment, self._position = min(segments), 0
        # A segment that was never written yet, or was longer, is another life's: the files or the database
        # came out of a backup.
        if found is not None and self._segment <= found.segment <= self._journal.segment:
            self._segment = found.segment
            if self._segment in segments and found.position <= segments[self._segment].stat().st_size:
                self._position = found.position
        for number, path in segments.items():
            if number < self._segment:
                self._forget(path, 0)
        self._journal.shipped(self._position)
        self._began = True

    def _read(self) -> bytes:
        """The next whole lines; moves on to the next segment at the end of one."""
        while True:
            path = self._journal.path(self._segment)
            finished = self._segment < self._journal.segment  # asked before reading: it grows no more
            data = _lines_at(path, self._position)
            if data or not finished:
                return data
            self._forget(path, self._position)
            self._segment, self._position = self._next_segment(), 0

    def _next_segment(self) -> int:
        return min(number for number in self._journal.segments() if number > self._segment)

    def _forget(self, path: Path, shipped: int) -> None:
        """Deletes a segment, of which so many bytes are counted as shipped already."""
        try:
            self._journal.shipped(path.stat().st_size - shipped)
            path.unlink()
        except FileNotFoundError:
            pass

    async def _store(self, records: Sequence[UsageRecord], position: int) -> None:
        async with self._database.write() as connection:
            if records:
                await self._insert(connection, records)
            await journals.advance(
                connection, self._database, self._journal.id, self._segment, position, self._clock.now()
            )

    async def _insert(self, connection: AsyncConnection, records: Sequence[UsageRecord]) -> None:
        await usage.insert_records(connection, self._database, [_row(record) for record in records])
        entries = [entry for record in records if record.charges for entry in entries_of(record)]
        await ledger.post(connection, self._database, entries, self._clock.now())

    async def _store_one_by_one(self, records: Sequence[UsageRecord], position: int) -> None:
        """Stores what can be stored. Where nothing of several can, the fault is not theirs."""
        good = [record for record in records if await self._storable(record)]
        if len(records) > 1 and not good:
            raise DatabaseError
        await self._store([], position)

    async def _storable(self, record: UsageRecord) -> bool:
        """Stores one record by itself; false for one that no database takes, which must not hold up the others."""
        try:
            async with self._database.write() as connection:
                await self._insert(connection, [record])
        except (DatabaseError, *_BAD_VALUE) as error:
            if not _is_about_values(error):
                raise
            log.exception("a usage record is left out", extra={"request_id": record.request_id})
            return False
        return True


def _is_about_values(error: Exception) -> bool:
    """Whether a value was refused, and not the database absent or full."""
    if not isinstance(error, DatabaseError):
        return True
    cause = error.__cause__
    if not isinstance(cause, DBAPIError):
        return isinstance(cause, _BAD_VALUE)
    sqlstate = getattr(cause.orig, "sqlstate", None) or ""
    return sqlstate.startswith(_DATA_EXCEPTION) or isinstance(cause.orig, _BAD_VALUE)


def _lines_at(path: Path, position: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(position)
            data = file.read(_READ_BYTES)
            while data and b"\n" not in data and (more := file.read(_READ_BYTES)):
                data += more
    except FileNotFoundError:
        return b""
    return data[: data.rfind(b"\n") + 1]


def _closed(line: bytes) -> UsageRecord | None:
    try:
        return _record.decode(memoryview(line)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        log.warning("a line of the journal was torn")
        return None


def _row(record: UsageRecord) -> dict[str, Any]:
    return msgspec.structs.asdict(record)
