"""Looks after the journals of processes that do not come back.

    data/journal/001/…   a core with more workers ran here once, or another service on the same directory
                 │ nobody holds its lock
                 ▼
    recover ─► ship to its end ─► its segments are deleted

A worker that starts takes the journal of its own number, so only what nobody takes is left for here.
"""

import asyncio
import logging
from pathlib import Path

from core.clock import Clock
from core.errors import DatabaseError
from core.ledger.journal import Journal, JournalBusy
from core.ledger.prices import Prices
from core.ledger.recovery import recover
from core.ledger.shipper import Shipper
from core.store import balances
from core.store.database import Database

log = logging.getLogger(__name__)

_FIRST = 10.0  # seconds after the start: the other workers have theirs by then
_EVERY = 60.0


class Orphans:
    """Ships journals that nobody writes. One process of an installation is enough for it."""

    def __init__(self, root: Path, own: Path, database: Database, prices: Prices, clock: Clock) -> None:
        """root: the directory of all journals; own: this process's own, which is left alone."""
        self._root = root
        self._own = own
        self._database = database
        self._prices = prices
        self._clock = clock

    async def watch(self) -> None:
        """Looks for them for ever."""
        await asyncio.sleep(_FIRST)
        while True:
            await self.adopt()
            await asyncio.sleep(_EVERY)

    async def adopt(self) -> int:
        """Ships what there is now; returns how many journals that were. What can't be shipped waits."""
        shipped = 0
        for folder in sorted(self._root.iterdir()):
            if folder != self._own and any(folder.glob("*.log")):
                try:
                    await self._database.ping()  # before another segment is begun for nothing
                    shipped += await self._ship(folder)
                except (DatabaseError, OSError) as error:
                    log.warning("the journal %s could not be shipped: %s", folder.name, error)
        return shipped

    async def _ship(self, folder: Path) -> bool:
        try:
            journal = Journal(folder, limit=0)
        except JournalBusy:
            return False
        try:
            lost = recover(journal, self._prices, self._clock)
            shipper = Shipper(journal, self._database, self._clock)
            while await shipper.ship():
                pass
            async with self._database.write() as connection:  # after the last record, and before they are forgotten
                await balances.end_leases(connection, journal.id, self._clock.now())
            for path in journal.segments().values():
                path.unlink()
        finally:
            journal.release()
        log.info("the journal %s of a process that is gone was shipped", folder.name, extra={"lost": lost})
        return True
