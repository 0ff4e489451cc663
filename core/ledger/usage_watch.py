"""Records as they are stored, for who wants to follow them: by any process, in the order of their numbers.

    usage_records ─one look for all watchers─► the newest number ─► each watcher reads on from its own

Numbers become visible in their order (core/store/usage.py), so nothing comes later where a watcher has
read past.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from core.auth import Principal
from core.errors import DatabaseError, RateLimited
from core.ledger import reports
from core.store import usage, usage_marks
from core.store.database import Database
from core.store.usage import Selection, UsageRow

_EVERY = 0.4  # seconds between a watcher's looks: with the shipper's 0.2 a record is seen within a second
_FRESH = 0.1  # so long one look counts for all
_QUIET = 15.0  # after so long without a record, a watcher hears how far it is
_PAGE = 500  # records at a time

MOST, MOST_OF_USER = 200, 20
"""How many watches a process has at most, and how many of one user."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records, and the number up to which all were looked at."""

    records: Sequence[UsageRow]
    position: int


class UsageWatch:
    """The watchers of one process."""

    def __init__(self, database: Database, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._database = database
        self._sleep = sleep
        self._watching: Counter[int] = Counter()
        self._looking = asyncio.Lock()
        self._newest, self._looked_at = 0, float("-inf")

    async def follow(
        self, allowed: Callable[[], Awaitable[Principal]], selection: Selection, after: int | None
    ) -> AsyncGenerator[Batch]:
        """The records that come after number `after`, or from now on, for ever; the first batch comes at once.

        allowed: asked before each look who watches, and raises where its credential does not count any more, which
        ends the watch. Raises RateLimited for one watch too many, NotFound for what is not the watcher's to see,
        DatabaseError where there is none at the beginning; an outage later is waited out.
        """
        principal = await allowed()
        with self._place(principal.user_id):
            reports.seen_by(principal, selection)
            position = await self._look() if after is None else after
            yield Batch((), position)
            clock = asyncio.get_running_loop().time
            told, told_at = position, clock()
            while True:
                try:
                    batch = await self._read(reports.seen_by(await allowed(), selection), position)
                except DatabaseError:
                    await self._sleep(_EVERY)
                    continue
                position = batch.position
                if batch.records or (position > told and clock() - told_at > _QUIET):
                    yield batch
                    told, told_at = position, clock()
                if len(batch.records) < _PAGE:
                    await self._sleep(_EVERY)

    async def _read(self, selection: Selection, position: int) -> Batch:
        """The next records after a position."""
        newest = await self._look()
        if newest <= position:
            return Batch((), position)
        selection = replace(selection, after_id=position, before_id=newest + 1)
        async with self._database.read() as connection:
            found = await usage.following(connection, selection, limit=_PAGE)
        return Batch(found, found[-1].id if len(found) == _PAGE else newest)

    async def _look(self) -> int:
        """The newest record's number, as it is now or was a moment ago."""
        clock = asyncio.get_running_loop().time
        async with self._looking:
            if clock() - self._looked_at > _FRESH:
                async with self._database.read() as connection:
                    self._newest = await usage_marks.last_record(connection)
                self._looked_at = clock()
            return self._newest

    @contextmanager
    def _place(self, user_id: int) -> Generator[None]:
        if self._watching.total() >= MOST or self._watching[user_id] >= MOST_OF_USER:
            raise RateLimited("too many watches; end another one first")
        self._watching[user_id] += 1
        try:
            yield
        finally:
            self._watching[user_id] -= 1
            self._watching = +self._watching
