"""Carries the journal to the database, in order, exactly once.

    journal files ─► read on from the last position ─► INSERT the batch ┐ one transaction
                                                       move the position ┘
    a segment that is shipped whole, and is not being written any more, is deleted

The files are the queue: however long the database is away, memory stays flat, and after a crash
the same reading goes on where the database says it stopped. At start, what was open when an earlier
process died is closed by the best evidence there is (`recover`).
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec

from core.clock import Clock, micros
from core.dialects.counting import estimate_bytes
from core.dialects.tokens import ESTIMATED, Tokens
from core.errors import DatabaseError
from core.ledger.journal import CLOSED, OPENED, PROGRESSED, Journal
from core.ledger.prices import Prices
from core.ledger.record import LOST, Opening, Progress, UsageRecord
from core.store import journals, usage
from core.store.database import Database

log = logging.getLogger(__name__)

_READ_BYTES = 512 * 1024
_FULL_BATCH = _READ_BYTES // 2
_EVERY = 0.2  # seconds between looks; queries see a record within a second
_RETRY = 1.0  # seconds between tries while the database is away

_record = msgspec.json.Decoder(UsageRecord)
_opening = msgspec.json.Decoder(Opening)
_progress = msgspec.json.Decoder(Progress)


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
            shipped = await self._try_ship()
            if shipped < _FULL_BATCH:  # else there is more; a transaction for each record would cost too much
                await asyncio.sleep(_EVERY if self.healthy else _RETRY)

    async def finish(self, timeout: float) -> bool:
        """Ships what is left; false where the database did not take it in time. Nothing is lost then either."""
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
        records = [record for record in map(_closed, data.splitlines()) if record is not None]
        position = self._position + len(data)
        async with self._database.write() as connection:
            if records:
                await usage.insert_records(connection, self._database, [_row(record) for record in records])
            await journals.advance(
                connection, self._database, self._journal.id, self._segment, position, self._clock.now()
            )
        self._position = position
        self._journal.shipped(len(data))
        return len(data)

    async def _try_ship(self) -> int:
        try:
            shipped = await self.ship()
        except DatabaseError:
            if self.healthy:
                log.warning("the database does not take usage; it waits in the journal", exc_info=True)
            self.healthy = False
            return 0
        if not self.healthy:
            log.info("the database takes usage again")
        self.healthy = True
        return shipped

    async def _begin(self) -> None:
        """Finds where the shipping stopped."""
        async with self._database.read() as connection:
            found = await journals.position(connection, self._journal.id)
        segments = self._journal.segments()
        first = min(segments)
        self._segment, self._position = found if found is not None and found[0] >= first else (first, 0)
        for number, path in segments.items():
            if number < self._segment:
                self._forget(path)
        if self._segment in segments:
            self._journal.shipped(self._position)
        self._began = True

    def _read(self) -> bytes:
        """The next whole lines; moves on to the next segment at the end of one."""
        while True:
            path = self._journal.folder / f"{self._segment:010d}.log"
            finished = self._segment < self._journal.segment  # asked before reading: it grows no more
            data = _lines_at(path, self._position)
            if data or not finished:
                return data
            self._forget(path)
            self._segment, self._position = self._next_segment(), 0

    def _next_segment(self) -> int:
        return min(number for number in self._journal.segments() if number > self._segment)

    def _forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)


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
    if line[:1] != CLOSED:
        return None
    try:
        return _record.decode(memoryview(line)[1:])
    except msgspec.DecodeError:
        log.exception("a line of the journal can't be read")
        return None


def _row(record: UsageRecord) -> dict[str, Any]:
    return msgspec.structs.asdict(record)


def recover(journal: Journal, prices: Prices, clock: Clock) -> int:
    """Closes what an earlier process left open; returns how many requests that were.

    Call it before the journal is used. The newest segment repeats the openings of all older ones
    that were still open, so only what was never closed in any segment is lost.
    """
    opened: dict[str, Opening] = {}
    progress: dict[str, Progress] = {}
    for path in journal.segments().values():
        for line in path.read_bytes().splitlines():
            _follow(line, opened, progress)
    for opening in opened.values():
        journal.close(_lost(opening, progress.get(opening.request_id), prices, clock))
    return len(opened)


def _follow(line: bytes, opened: dict[str, Opening], progress: dict[str, Progress]) -> None:
    kind, rest = line[:1], memoryview(line)[1:]
    try:
        if kind == OPENED:
            opening = _opening.decode(rest)
            opened[opening.request_id] = opening
        elif kind == PROGRESSED:
            state = _progress.decode(rest)
            progress[state.request_id] = state
        elif kind == CLOSED:
            request_id = _record.decode(rest).request_id
            opened.pop(request_id, None)
            progress.pop(request_id, None)
    except msgspec.DecodeError:
        log.warning("a line of the journal was torn")


def _lost(opening: Opening, progress: Progress | None, prices: Prices, clock: Clock) -> UsageRecord:
    """The record of a request whose process died: its prompt, and what its stream had delivered."""
    tokens = Tokens(
        input=estimate_bytes(opening.prompt_bytes),
        output=progress.output_tokens if progress else 0,
        source=ESTIMATED,
    )
    cost, source = (
        prices.cost(progress.provider, progress.provider_type, progress.model, tokens) if progress else (None, "")
    )
    return UsageRecord(
        request_id=opening.request_id,
        created_at=opening.created_at,
        user_id=opening.user_id,
        credential_id=opening.credential_id,
        surface=opening.surface,
        operation=opening.operation,
        requested_model=opening.requested_model,
        provider=progress.provider if progress else "",
        model=progress.model if progress else "",
        status_code=500,
        outcome=LOST,
        error_reason="INTERNAL",
        streamed=opening.streamed,
        attempts=1,
        latency_us=max(0, micros(clock.now()) - opening.created_at),
        ttft_us=progress.ttft_us if progress else None,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_input_tokens=0,
        cache_write_tokens=0,
        reasoning_tokens=0,
        audio_input_tokens=0,
        audio_output_tokens=0,
        token_source=tokens.source,
        cost_nanousd=cost,
        price_source=source,
        messages=opening.messages,
        prompt_hash=opening.prompt_hash,
    )
