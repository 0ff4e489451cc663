"""Deletes responses that were kept long enough (core/routing/responses.py), some at a time."""

import asyncio
import logging
from datetime import timedelta

from core.clock import Clock
from core.ledger.deletion import Sleep, bit_by_bit, for_ever
from core.store import responses
from core.store.database import Database

log = logging.getLogger(__name__)

_FIRST = 90.0  # seconds after the start
_BATCH = 500  # responses to a transaction


class ResponseExpiry:
    """Deletes what is older than some days. One process of an installation is enough for it."""

    def __init__(self, database: Database, clock: Clock, days: int, sleep: Sleep = asyncio.sleep) -> None:
        """days: how long responses are kept; with 0 those of before go too."""
        self._database = database
        self._clock = clock
        self._days = days
        self._sleep = sleep

    async def run(self) -> None:
        """Deletes for ever, what is old by then."""
        await for_ever(self.tidy, _FIRST, _told, self._sleep)

    async def tidy(self) -> int:
        """Deletes what is old now; returns how many responses that were. Raises DatabaseError."""
        cutoff = self._clock.now() - timedelta(days=self._days)

        async def delete(most: int) -> int:
            async with self._database.write() as connection:
                return await responses.delete_before(connection, cutoff, limit=most)

        return await bit_by_bit(delete, _BATCH, self._sleep)


def _told(deleted: int) -> None:
    log.info("kept responses were deleted, for they are old", extra={"responses": deleted})
