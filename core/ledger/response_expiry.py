"""Deletes responses that were kept long enough (core/routing/responses.py), some at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from core.clock import Clock
from core.errors import DatabaseError
from core.store import responses
from core.store.database import Database

log = logging.getLogger(__name__)

_FIRST = 90.0  # seconds after the start
_EVERY = 3600.0
_BATCH = 500  # responses to a transaction
_PAUSE = 0.1  # seconds between two, in which others have their turn


class ResponseExpiry:
    """Deletes what is older than some days. One process of an installation is enough for it."""

    def __init__(
        self, database: Database, clock: Clock, days: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """days: how long responses are kept; with 0 those of before go too."""
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
                log.info("kept responses were deleted, for they are old", extra={"responses": deleted})
            await self._sleep(_EVERY)

    async def tidy(self) -> int:
        """Deletes what is old now; returns how many responses that were. Raises DatabaseError."""
        cutoff = self._clock.now() - timedelta(days=self._days)
        deleted = 0
        while True:
            async with self._database.write() as connection:
                gone = await responses.delete_before(connection, cutoff, limit=_BATCH)
            deleted += gone
            if gone < _BATCH:
                return deleted
            await self._sleep(_PAUSE)
