"""Holds, settlements, crashes and outages in random orders, against an oracle that only adds and subtracts.

What the oracle knows: which requests are held and for how much, and what was spent. What must be true
after every step: spent + held ≤ cap; and by the database: settled + leased ≤ cap, the entries add up
to what is settled, the leases to what is leased.
"""

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.errors import BudgetExceeded, DatabaseError
from core.store import balances, ledger
from core.store.budgets import Budget
from tests.support.clock import FakeClock
from tests.support.database import FlakyDatabase
from tests.support.till import Till, add_budget, open_till

PROCESSES = 3
CAP = 1000
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


class MoneyMachine(RuleBasedStateMachine):
    """Three processes on one database."""

    template: Path
    database: FlakyDatabase
    budget: Budget

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copyfile(self.template, self.folder / "test.db")
        self.clock = FakeClock()
        self.requests = 0
        self.held: dict[str, tuple[int, int]] = {}  # request → its process and its hold
        self.spent = 0
        self.lost = 0  # holds of processes that died, which their heirs will settle in full
        self.tills: list[Till] = []

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize()
    def start(self) -> None:
        async def start() -> None:
            self.database = FlakyDatabase(f"sqlite+aiosqlite:///{self.folder / 'test.db'}")
            self.budget = await add_budget(self.database, CAP)
            self.tills = [self._open(number) for number in range(PROCESSES)]

        self.do(start())

    def _open(self, number: int) -> Till:
        async def others_hear(seconds: float) -> None:
            for other in self.tills:
                other.budgets.recalled(1)
            for _ in range(3):
                await asyncio.sleep(0.002)

        return open_till(
            self.database, self.clock, self.folder / f"{number:03d}", sleep=others_hear, segment_bytes=2000
        )

    @rule(process=st.integers(0, PROCESSES - 1), least=st.integers(1, 400), more=st.integers(0, 800))
    def hold(self, process: int, least: int, more: int) -> None:
        self.requests += 1
        self.clock.advance(1)  # what was found full is asked again
        name = f"r{self.requests}"
        try:
            hold = self.do(self.tills[process].hold(name, least + more, least=least))
        except BudgetExceeded:
            room = CAP - self.spent - self.lost - sum(amount for _, amount in self.held.values())
            assert room < least, f"refused {least} although {room} are left"
        except DatabaseError:
            assert self.database.down
        else:
            assert least <= hold.amount <= least + more
            self.held[name] = (process, hold.amount)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), share=st.integers(0, 100))
    def settle(self, data: st.DataObject, share: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.held)))
        process, amount = self.held.pop(name)
        cost = amount * share // 100
        self.tills[process].settle(name, cost)
        self.spent += cost

    @precondition(lambda self: not self.database.down)
    @rule(process=st.integers(0, PROCESSES - 1))
    def ship(self, process: int) -> None:
        self.do(self.tills[process].ship())
        self.do(self.tills[process].budgets.tend())

    @precondition(lambda self: not self.database.down)
    @rule(process=st.integers(0, PROCESSES - 1))
    def crash(self, process: int) -> None:
        for name, (whose, amount) in list(self.held.items()):
            if whose == process:
                del self.held[name]
                self.lost += amount
        self.tills[process].crash()
        self.tills[process] = self._open(process)
        self.do(self._inherit(self.tills[process]))

    async def _inherit(self, till: Till) -> None:
        await till.ship()
        await till.budgets.tend()

    @rule()
    def the_database_goes_or_comes(self) -> None:
        self.database.down = not self.database.down

    @rule(process=st.integers(0, PROCESSES - 1))
    def recall(self, process: int) -> None:
        async def recall() -> None:
            self.tills[process].budgets.recalled(1)
            await asyncio.sleep(0.002)

        self.do(recall())

    @invariant()
    def nothing_passes_the_cap(self) -> None:
        if self.tills:
            assert self.spent + self.lost + sum(amount for _, amount in self.held.values()) <= CAP
            self.do(self._database_holds())

    async def _database_holds(self) -> None:
        down, self.database.down = self.database.down, False
        async with self.database.read() as connection:
            balance = await balances.find(connection, self.budget.id, JANUARY)
            proofs = await ledger.proofs(connection, after_id=0, limit=10)
        self.database.down = down
        assert all(proof.holds for proof in proofs), proofs
        if balance is not None:
            assert balance.settled_nanousd + balance.leased_nanousd <= CAP
            assert balance.leased_nanousd >= 0

    def teardown(self) -> None:
        try:
            if self.tills:
                self.do(self._end())
        finally:
            self.runner.close()
            shutil.rmtree(self.folder)

    async def _end(self) -> None:
        """Everybody stops; what is left of the cap can be spent, to the last nano-dollar."""
        self.database.down = False
        for name, (process, amount) in self.held.items():
            self.tills[process].settle(name, amount)
            self.spent += amount
        for till in self.tills:
            await till.ship()
            await till.budgets.tend()
            await till.budgets.close()
        spent = self.spent + self.lost
        async with self.database.read() as connection:
            balance = await balances.find(connection, self.budget.id, JANUARY)
        if balance is not None:
            assert (balance.settled_nanousd, balance.leased_nanousd) == (spent, 0)
        if spent < CAP:
            assert (await self.tills[0].hold("the last", CAP - spent)).amount == CAP - spent
        for till in self.tills:
            await till.budgets.close()
            till.journal.release()
        await self.database.close()


def test_money_is_never_wrong(sqlite_template: Path):
    class Machine(MoneyMachine):
        template = sqlite_template

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
