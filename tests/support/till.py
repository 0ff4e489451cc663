"""A core process as far as money goes: a journal, its shipper and the budgets, without a network.

till = open_till(database, clock, folder)
hold = await till.hold("req-1", 500)
till.settle("req-1", 200)
await till.ship()
till.crash()                               kill -9: what was in memory is gone, the journal stays
till = open_till(database, clock, folder)  starts it anew, and recovers
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.auth import ALL_SCOPES, Principal
from core.ledger.budgets import Budgets
from core.ledger.hold import Hold
from core.ledger.journal import Journal
from core.ledger.prices import Prices
from core.ledger.record import Holding
from core.ledger.recovery import recover
from core.ledger.shipper import Shipper
from core.store import budgets
from core.store.balances import Holder
from core.store.budgets import Budget
from core.store.database import Database
from tests.support.clock import FakeClock
from tests.support.ledger import NO_LIMIT, opening, record

USER = Principal(7, "user", 70, "virtual_key", frozenset(ALL_SCOPES.split()), None, project="apollo")
SCOPE = ("user", "7")


async def no_sleep(seconds: float) -> None:
    """Lets the others run."""


@dataclass
class Till:
    """One process."""

    journal: Journal
    shipper: Shipper
    budgets: Budgets
    clock: FakeClock
    holds: dict[str, Hold] = field(default_factory=dict[str, Hold])

    async def hold(
        self,
        request_id: str,
        most: int,
        *,
        least: int | None = None,
        enough: int | None = None,
        principal: Principal = USER,
    ) -> Hold:
        """Lets a request in, as the pipeline does."""
        self.journal.open(opening(request_id, user_id=principal.user_id, credential_id=principal.credential_id))
        floor = most if least is None else least
        accounts = self.budgets.known(principal) or await self.budgets.learn(principal)
        try:
            now = self.clock.now().timestamp()
            hold = self.budgets.hold_now(accounts, most, now) or await self.budgets.hold(
                principal, floor, floor if enough is None else enough, most
            )
        except BaseException:
            self.journal.close(record(request_id, status_code=429, outcome="failed", cost_nanousd=None))
            raise
        self.journal.hold(Holding(request_id, "p", "echo", "m", hold.amount, "a price", hold.charges()))
        self.holds[request_id] = hold
        return hold

    def settle(self, request_id: str, cost: int) -> None:
        """Ends a request that cost so much."""
        charges = self.holds.pop(request_id).settle(cost)
        self.journal.close(record(request_id, cost_nanousd=cost, price_source="a price", charges=charges))

    async def ship(self) -> None:
        """Ships all there is."""
        while await self.shipper.ship():
            pass

    def crash(self) -> None:
        """What kill -9 leaves: the files, and no lock on them."""
        self.journal.release()  # it has nothing in memory as long as the disk takes what is written


def open_till(
    database: Database,
    clock: FakeClock,
    folder: Path,
    *,
    sleep: Callable[[float], Awaitable[None]] = no_sleep,
    segment_bytes: int = 1 << 20,
) -> Till:
    """Starts a process on a journal, which may be an earlier one's."""
    journal = Journal(folder, limit=NO_LIMIT, segment_bytes=segment_bytes)
    life = journal.segment
    recover(journal, Prices(clock), clock)
    holder = Holder(name=journal.id, life=life)
    return Till(
        journal,
        Shipper(journal, database, clock),
        Budgets(database, holder, clock, earlier_ends=journal.end, sleep=sleep),
        clock,
    )


async def add_budget(
    database: Database,
    limit: int,
    *,
    scope: tuple[str, str] = SCOPE,
    period: str = "month",
    hard: bool = True,
    thresholds: tuple[int, ...] = (),
) -> Budget:
    """Makes a budget."""
    async with database.write() as connection:
        return await budgets.add(
            connection,
            scope=scope,
            period=period,
            limit_nanousd=limit,
            hard=hard,
            thresholds=thresholds,
            now=FakeClock().now(),
        )
