"""This process's lease on one balance, as the database knows it.

What was ever taken and not given back (`total`) is read with every change, in the same transaction. So
where a connection broke and nobody can tell whether the last change was committed, the next one tells.
Until then the worse is assumed: that it was not taken, and that it was given back.
"""

import asyncio
from collections.abc import Callable

from core.clock import Clock
from core.errors import BudgetExceeded
from core.ledger.period import TOTAL
from core.store import balances
from core.store.balances import Holder, Taken
from core.store.budgets import Budget
from core.store.database import Database


class BudgetGone(Exception):
    """The budget was removed, or has no cap any more."""


class Lease:
    """Changes a lease, one change at a time. Every method raises DatabaseError."""

    def __init__(self, balance_id: int, holder: Holder, database: Database, clock: Clock) -> None:
        self.balance_id = balance_id
        self.id = 0  # 0 until something was taken
        self._holder = holder
        self._database = database
        self._clock = clock
        self._lock = asyncio.Lock()

    async def take(self, least: int, most: int, know: Callable[[int], None]) -> Taken:
        """Takes more, at least `least` or nothing; know: is told the total. Raises BudgetGone."""
        async with self._lock:
            async with self._database.write() as connection:
                taken = await balances.take(
                    connection,
                    self._database,
                    self.balance_id,
                    self._holder,
                    least=least,
                    most=most,
                    now=self._clock.now(),
                )
            if taken is None:
                raise BudgetGone
            self.id = taken.lease_id
            know(taken.total)
            return taken

    async def call_back(self) -> None:
        """Calls back what nobody needs of this balance; this process has given up its own."""
        async with self._database.write() as connection:
            await balances.lock(connection, [self.balance_id])
            await balances.recall(connection, self.balance_id, self._clock.now())

    async def give_back(self, idle: Callable[[int], int]) -> None:
        """Gives back what is idle, and answers every recall so far.

        idle: tells of a total how much of it is not needed here.
        """
        async with self._lock, self._database.write() as connection:
            await balances.lock(connection, [self.balance_id])
            self.id, total = await balances.lease_of(connection, self.balance_id, self._holder)
            if self.id:
                amount = idle(total)
                await balances.give_back(connection, self.balance_id, self.id, amount, self._clock.now())


def refusal(budget: Budget, retry_after: float) -> BudgetExceeded:
    """What is said where a budget has no room. retry_after: seconds until its next period begins."""
    whose = {"deployment": "of the deployment", "credential": "of this key"}
    endless = budget.period == TOTAL
    return BudgetExceeded(
        f"the budget {whose.get(budget.scope_kind, f'of this {budget.scope_kind}')}"
        f"{'' if endless else f' for this {budget.period}'} has no room for this request",
        scope_kind=budget.scope_kind,
        scope_id=budget.scope_id,
        period=budget.period,
        retry_after=None if endless else max(0.0, retry_after),
    )
