"""Adds usage records to the sums over them, in the background.

    usage_records ─► the next some thousand ─► sums and mark, in one transaction

Each record is added once, whatever process does it and wherever it is killed. Nobody waits for it: what is
not added yet is counted from the records.
"""

import asyncio
import logging

from core.errors import DatabaseError
from core.store import repeats, rollups, usage_marks
from core.store.database import Database

log = logging.getLogger(__name__)

_EVERY = 5.0  # seconds between looks: the more records come together, the less each costs
_BATCH = 2000  # records to a transaction, which on SQLite holds up all others that write


class Summing:
    """One process of an installation is enough for it; several take turns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._healthy = True

    async def run(self) -> None:
        """Adds for ever."""
        while True:
            if await self._try_add() < _BATCH:
                await asyncio.sleep(_EVERY)

    async def add(self, limit: int = _BATCH) -> int:
        """Adds the next records, at most `limit`; returns how many numbers that was. Raises DatabaseError."""
        async with self._database.write() as connection:
            marks = await usage_marks.take(connection, self._database)
            if marks is None:
                return 0  # another process is at it
            last = min(await usage_marks.last_record(connection), marks.summed_to + limit)
            if last <= marks.summed_to:
                return 0
            await rollups.add(connection, self._database, after=marks.summed_to, last=last)
            await repeats.add(connection, self._database, after=marks.summed_to, last=last)
            await usage_marks.summed(connection, last)
            return last - marks.summed_to

    async def _try_add(self) -> int:
        try:
            added = await self.add()
        except DatabaseError:  # the shipper says so
            return 0
        except Exception:  # whatever it is, answers stay right, and the next try may do better
            if self._healthy:
                log.warning("usage could not be summed up; answers are slower until it is", exc_info=True)
            self._healthy = False
            return 0
        self._healthy = True
        return added
