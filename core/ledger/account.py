"""A budget in this process, in its present period."""

import asyncio
from collections.abc import Callable

from core.clock import Clock
from core.ledger.lease import Lease
from core.ledger.period import window
from core.ledger.purse import Purse, Sleep
from core.store import balances
from core.store.balances import Holder
from core.store.budgets import Budget
from core.store.database import Database


class Account:
    """A budget, with the balance of the present period; and a purse, where the budget is hard."""

    __slots__ = ("balance_id", "budget", "ends", "purse", "turning")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.balance_id = 0
        self.ends = 0.0  # of the period, in seconds since 1970; in the past until `turn`
        self.purse: Purse | None = None
        self.turning = asyncio.Lock()

    async def turn(
        self,
        database: Database,
        holder: Holder,
        clock: Clock,
        sleep: Sleep,
        on_refusal: Callable[[Purse], None],
    ) -> None:
        """Goes on to the period in which now is. Raises DatabaseError."""
        now, budget = clock.now(), self.budget
        start, end = window(budget.period, now)
        async with database.write() as connection:
            self.balance_id = await balances.find_or_add(connection, database, budget, start, now)
        if budget.hard:
            lease = Lease(self.balance_id, holder, database, clock)
            self.purse = Purse(budget, lease, end.timestamp(), clock, sleep=sleep, on_refusal=on_refusal)
        self.ends = end.timestamp()
