"""Deletes usage records that are old, and what nobody will ask any more. The sums over them stay.

    mark: records before this day may be gone ─► delete them, some at a time ─► until there are none

A record goes once the sums have it in them, and never in a large transaction, for others write too.
"""

import asyncio
import logging
from datetime import timedelta

from core.clock import Clock, micros
from core.ledger import period
from core.ledger.deletion import Sleep, bit_by_bit, for_ever
from core.store import repeats, usage, usage_marks
from core.store.database import Database

log = logging.getLogger(__name__)

_FIRST = 60.0  # seconds after the start
_BATCH = 1000  # records to a transaction


class Retention:
    """Keeps the records of some days. One process of an installation is enough for it."""

    def __init__(self, database: Database, clock: Clock, days: int, sleep: Sleep = asyncio.sleep) -> None:
        """days: how many are kept whole, beside today; 0 for all."""
        self._database = database
        self._clock = clock
        self._days = days
        self._sleep = sleep

    async def run(self) -> None:
        """Deletes for ever, what is old by then."""
        await for_ever(self.tidy, _FIRST, _told, self._sleep)

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

        async def delete(most: int) -> int:
            async with self._database.write() as connection:
                summed_to = (await usage_marks.read(connection)).summed_to
                return await usage.delete_before(connection, cutoff, up_to=summed_to, limit=most)

        return await bit_by_bit(delete, _BATCH, self._sleep)


def _told(deleted: int) -> None:
    log.info("old usage records were deleted; the sums over them stay", extra={"records": deleted})
