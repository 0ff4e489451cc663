"""Reservations: what becomes of one that nobody settles, and of idle money that one needs."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import BudgetExceeded
from core.ledger.reservations import Reservations
from core.store import balances, ledger, reservations
from core.store.database import Database
from tests.support.clock import FakeClock, FakeIds
from tests.support.till import USER, add_budget, open_till

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


async def test_one_that_nobody_settles_counts_as_spent(database: Database):
    clock = FakeClock()
    budget = await add_budget(database, 1000)
    watching = await add_budget(database, 1000, scope=("project", "apollo"), hard=False)
    keeper = Reservations(database, clock, FakeIds())
    made = await keeper.reserve(USER, 300, 60.0, "a job")
    assert await keeper.expire() == 0
    clock.advance(61)
    assert await keeper.expire() == 1
    assert await keeper.expire() == 0
    async with database.read() as connection:
        found = await reservations.get(connection, made.id)
        entries = await ledger.page(connection, balance_id=None, before_id=None, limit=10)
        spent = [await balances.find(connection, number, JANUARY) for number in (budget.id, watching.id)]
        proofs = await ledger.proofs(connection, after_id=0, limit=10)
    assert found is not None
    assert (found.state, found.cost_nanousd) == ("expired", 300)
    assert {(e.kind, e.estimated) for e in entries} == {("hold", False), ("settlement", True)}
    assert [(each.settled_nanousd, each.leased_nanousd) for each in spent if each] == [(300, 0), (300, 0)]
    assert all(proof.holds for proof in proofs)


async def test_idle_money_of_a_process_is_called_back_for_it(database: Database, tmp_path: Path):
    clock = FakeClock()
    await add_budget(database, 1000)
    till = open_till(database, clock, tmp_path / "000")
    await till.hold("r1", 900)
    till.settle("r1", 1)  # 899 are idle there

    async def pause(seconds: float) -> None:
        await asyncio.sleep(0.01)

    keeper = Reservations(database, clock, FakeIds(), till.budgets, sleep=pause)
    await keeper.reserve(USER, 950, 60.0, "")
    with pytest.raises(BudgetExceeded):
        await keeper.reserve(USER, 100, 60.0, "")
    till.journal.release()
