"""Deletes usage records that are old, and what nobody will ask any more. The sums over them stay.

    mark: records before this day may be gone ─► delete them, some at a time ─► until there are none

A record goes once the sums have it in them, and never in a large transaction, for others write too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from core.clock import Clock, micros
from core.errors import DatabaseError
from core.ledger import period
from core.store import repeats, usage, usage_marks
from core.store.database import Database

log = logging.getLogger(__name__)

_FIRST = 60.0  # seconds after the start
_EVERY = 3600.0
_BATCH = 1000  # records to a transaction
_PAUSE = 0.1  # seconds between two, in which others have their turn


class Retention:
    """Keeps the records of some days. One process of an installation is enough for it."""

    def __init__(
        self, database: Database, clock: Clock, days: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """days: how many are kept whole, beside today; 0 for all."""
        self._database = database
        self._clock = clock
        self._days = days
        self._sleep = sleep

    async def run(self) -> None:
        """Deletes for ever, what is old by then."""
        await self._sleep(_FIRST)
        while True:
            try:
                deleted = await self.tidy()
            except DatabaseError:  # there is time
                deleted = 0
            if deleted:
                log.info("old usage records were deleted; the sums over them stay", extra={"records": deleted})
            await self._sleep(_EVERY)

    async def tidy(self) -> int:
        """Deletes what is old now; returns how many records that were. Raises DatabaseError."""
        now = self._clock.now()
        month, _ = period.window(period.MONTH, now)
        before, _ = period.window(period.MONTH, month - timedelta(days=1))
        async with self._database.write() as connection:
            await repeats.forget_prompts(connection, micros(before))
        if not self._days:
            return 0
        cutoff = period.window(period.DAY, now)[0] - timedelta(days=self._days)
        async with self._database.write() as connection:
            await usage_marks.wait(connection, self._database)
            await usage_marks.keep_from(connection, cutoff)
        deleted = 0
        while True:
            async with self._database.write() as connection:
                summed_to = (await usage_marks.read(connection)).summed_to
                gone = await usage.delete_before(connection, cutoff, up_to=summed_to, limit=_BATCH)
            deleted += gone
            if gone < _BATCH:
                return deleted
            await self._sleep(_PAUSE)
