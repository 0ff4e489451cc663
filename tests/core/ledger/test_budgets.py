"""Budgets: what is held, settled and refused, over several processes and through crashes."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.auth import NOBODY
from core.errors import BudgetExceeded, DatabaseError
from core.ledger.shipper import Shipper
from core.store import balances, budget_events, budgets, ledger
from core.store.balances import Balance
from core.store.database import Database
from tests.support.clock import FakeClock
from tests.support.database import FlakyDatabase, on_sqlite
from tests.support.till import SCOPE, Till, add_budget, open_till

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def till(database: Database, clock: FakeClock, tmp_path: Path) -> Iterator[Till]:
    till = open_till(database, clock, tmp_path / "000")
    yield till
    till.journal.release()


async def balance_of(database: Database, budget_id: int, start: datetime = JANUARY) -> Balance:
    async with database.read() as connection:
        found = await balances.find(connection, budget_id, start)
    assert found is not None
    return found


async def assert_proven(database: Database) -> None:
    async with database.read() as connection:
        proofs = await ledger.proofs(connection, after_id=0, limit=100)
        assert await ledger.strays(connection) == 0
    assert all(proof.holds for proof in proofs), proofs


async def test_a_hold_is_settled_at_its_cost_and_the_rest_is_free_again(database: Database, till: Till):
    budget = await add_budget(database, 1000)
    await till.hold("r1", 800)
    with pytest.raises(BudgetExceeded) as refused:
        await till.hold("r2", 300)
    assert refused.value.metadata == {"scope_kind": "user", "scope_id": "7", "period": "month"}
    till.settle("r1", 100)
    await till.hold("r3", 900)
    till.settle("r3", 50)
    await till.ship()
    assert (await balance_of(database, budget.id)).settled_nanousd == 150
    await assert_proven(database)
    async with database.read() as connection:
        entries = await ledger.page(connection, balance_id=None, before_id=None, limit=10)
    assert [(e.kind, e.request_id, e.amount_nanousd, e.held_nanousd, e.price_source) for e in entries] == [
        ("settlement", "r3", 50, 900, "a price"),
        ("settlement", "r1", 100, 800, "a price"),
    ]


async def test_shipping_twice_changes_nothing(database: Database, till: Till):
    budget = await add_budget(database, 1000)
    await till.hold("r1", 800)
    till.settle("r1", 100)
    await till.ship()
    async with database.write() as connection:  # as if the database had lost the position
        await connection.exec_driver_sql("DELETE FROM journals")
    while await Shipper(till.journal, database, FakeClock()).ship():
        pass
    assert (await balance_of(database, budget.id)).settled_nanousd == 100
    await assert_proven(database)


async def test_an_ordinary_hold_asks_the_database_nothing(
    flaky_database: FlakyDatabase, clock: FakeClock, tmp_path: Path
):
    await add_budget(flaky_database, 1_000_000)
    till = open_till(flaky_database, clock, tmp_path / "000")
    await till.hold("r1", 10)
    flaky_database.down = True
    for number in range(1000):
        await till.hold(f"s{number}", 10)
        till.settle(f"s{number}", 1)
    flaky_database.down = False


async def test_a_request_under_no_budget_holds_nothing(till: Till):
    assert await till.budgets.learn(NOBODY) == ()
    assert till.budgets.known(NOBODY) == ()


async def test_idle_money_of_others_is_called_back_before_a_refusal(
    database: Database, clock: FakeClock, tmp_path: Path
):
    await add_budget(database, 1000)
    first = open_till(database, clock, tmp_path / "000")

    async def others_hear(seconds: float) -> None:
        first.budgets.recalled(1)
        await asyncio.sleep(0.01)

    second = open_till(database, clock, tmp_path / "001", sleep=others_hear)
    await first.hold("r1", 600)
    first.settle("r1", 1)  # 599 are idle there
    await second.hold("r2", 990)
    with pytest.raises(BudgetExceeded):
        await second.hold("r3", 20)
    second.settle("r2", 1)
    await second.hold("r4", 998)


async def test_a_request_takes_less_where_it_can(till: Till, database: Database):
    await add_budget(database, 1000)
    await till.hold("r1", 700)
    assert (await till.hold("r2", 500, least=100)).amount == 300


async def test_every_budget_of_a_request_must_have_room(database: Database, till: Till):
    user = await add_budget(database, 1000)
    project = await add_budget(database, 300, scope=("project", "apollo"), period="day")
    await till.hold("r1", 250)
    with pytest.raises(BudgetExceeded) as refused:
        await till.hold("r2", 100)
    assert refused.value.scope_kind == "project"
    till.settle("r1", 10)
    assert (await till.hold("r3", 900, least=1)).amount == 290
    till.settle("r3", 20)
    await till.ship()
    assert (await balance_of(database, user.id)).settled_nanousd == 30
    assert (await balance_of(database, project.id, datetime(2026, 1, 2, tzinfo=UTC))).settled_nanousd == 30
    await assert_proven(database)


async def test_a_new_period_begins_with_nothing_spent(database: Database, till: Till, clock: FakeClock):
    budget = await add_budget(database, 1000, period="day")
    await till.hold("r1", 900)
    clock.advance(24 * 3600)
    await till.hold("r2", 950)
    till.settle("r1", 800)  # it counts where it was held
    till.settle("r2", 5)
    await till.ship()
    await till.budgets.tend()
    first, second = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    assert (await balance_of(database, budget.id, first)).settled_nanousd == 800
    assert (await balance_of(database, budget.id, second)).settled_nanousd == 5
    assert (await balance_of(database, budget.id, first)).leased_nanousd == 0
    await assert_proven(database)


async def test_a_killed_process_is_charged_its_holds_and_gives_the_rest_back(
    database: Database, clock: FakeClock, tmp_path: Path
):
    budget = await add_budget(database, 1000)
    till = open_till(database, clock, tmp_path / "000")
    await till.hold("r1", 300)
    await till.hold("r2", 100)
    till.settle("r2", 40)
    till.crash()
    again = open_till(database, clock, tmp_path / "000")
    await again.ship()
    await again.budgets.tend()
    balance = await balance_of(database, budget.id)
    assert (balance.settled_nanousd, balance.leased_nanousd) == (340, 0)
    await assert_proven(database)
    async with database.read() as connection:
        entries = await ledger.page(connection, balance_id=None, before_id=None, limit=10)
    assert {(e.request_id, e.estimated) for e in entries} == {("r1", True), ("r2", False)}
    await again.hold("r3", 660)


async def test_what_a_process_leased_is_not_given_back_before_it_is_all_shipped(
    database: Database, clock: FakeClock, tmp_path: Path
):
    budget = await add_budget(database, 1000)
    till = open_till(database, clock, tmp_path / "000")
    await till.hold("r1", 300)
    till.settle("r1", 300)
    till.crash()
    again = open_till(database, clock, tmp_path / "000")
    await again.budgets.tend()
    assert (await balance_of(database, budget.id)).leased_nanousd >= 300
    await again.ship()
    await again.budgets.tend()
    balance = await balance_of(database, budget.id)
    assert (balance.settled_nanousd, balance.leased_nanousd) == (300, 0)


async def test_a_process_that_stops_gives_everything_back(database: Database, till: Till):
    budget = await add_budget(database, 1000)
    await till.hold("r1", 300)
    till.settle("r1", 7)
    await till.ship()
    await till.budgets.close()
    balance = await balance_of(database, budget.id)
    assert (balance.settled_nanousd, balance.leased_nanousd) == (7, 0)


async def test_an_outage_refuses_only_what_is_not_leased(
    flaky_database: FlakyDatabase, clock: FakeClock, tmp_path: Path
):
    await add_budget(flaky_database, 1000)
    till = open_till(flaky_database, clock, tmp_path / "000")
    await till.hold("r1", 10)
    flaky_database.down = True
    await till.hold("r2", 100)
    with pytest.raises(DatabaseError):
        await till.hold("r3", 500)
    flaky_database.down = False
    await till.hold("r4", 500)


async def test_many_at_once_never_pass_the_cap_and_use_all_of_it(database: Database, clock: FakeClock, tmp_path: Path):
    budget = await add_budget(database, 1000)
    tills = [open_till(database, clock, tmp_path / f"{number:03d}", sleep=asyncio.sleep) for number in range(4)]

    async def listen() -> None:
        while True:
            for each in tills:
                each.budgets.recalled(1)
            await asyncio.sleep(0.01)

    async def client(number: int) -> int:
        spent = 0
        for turn in range(16):
            clock.advance(0.1)
            name, mine = f"c{number}-{turn}", tills[(number + turn) % 4]
            try:
                await mine.hold(name, 20)
            except BudgetExceeded:
                continue
            await asyncio.sleep(0)
            mine.settle(name, 10)
            spent += 10
        return spent

    listening = asyncio.create_task(listen())
    spent = sum(await asyncio.gather(*(client(number) for number in range(8))))
    listening.cancel()
    assert 980 <= spent <= 1000
    for each in tills:
        await each.ship()
        await each.budgets.close()
    balance = await balance_of(database, budget.id)
    assert (balance.settled_nanousd, balance.leased_nanousd) == (spent, 0)
    await assert_proven(database)


async def test_a_cap_that_was_raised_or_removed_is_heard_of(database: Database, till: Till, clock: FakeClock):
    budget = await add_budget(database, 100)
    await till.hold("r1", 90)
    async with database.write() as connection:
        await budgets.update(connection, budget.id, clock.now(), limit_nanousd=1000)
    till.budgets.changed(budget.id)
    await till.budgets.tend()
    await till.hold("r2", 800)
    async with database.write() as connection:
        await budgets.remove(connection, budget.id, clock.now())
    till.budgets.changed(budget.id)
    await till.budgets.tend()
    assert (await till.hold("r3", 10**12)).purses == []


async def test_a_budget_that_was_removed_unheard_caps_nothing(database: Database, till: Till, clock: FakeClock):
    budget = await add_budget(database, 100)
    await till.hold("r1", 90)
    async with database.write() as connection:
        await budgets.remove(connection, budget.id, clock.now())
    assert (await till.hold("r2", 10**12)).purses == []


async def test_a_budget_that_watches_refuses_nothing(database: Database, till: Till):
    budget = await add_budget(database, 100, hard=False, thresholds=(50, 100))
    await till.hold("r1", 500)
    till.settle("r1", 60)
    await till.ship()
    await till.hold("r2", 500)
    till.settle("r2", 300)
    await till.ship()
    assert (await balance_of(database, budget.id)).settled_nanousd == 360
    async with database.read() as connection:
        events = await budget_events.page(connection, after_id=0, limit=10)
    assert [(event.kind, event.percent, event.settled_nanousd) for event in events] == [
        ("threshold", 50, 60),
        ("threshold", 100, 360),
    ]


async def test_a_refusal_is_an_event_once(database: Database, till: Till):
    await add_budget(database, 100)
    for number in range(3):
        with pytest.raises(BudgetExceeded):
            await till.hold(f"r{number}", 500)
    await till.budgets.tend()
    async with database.read() as connection:
        events = await budget_events.page(connection, after_id=0, limit=10)
    assert [(event.kind, event.scope_kind, event.scope_id) for event in events] == [("exhausted", *SCOPE)]


@on_sqlite
async def test_who_hangs_up_while_waiting_leaves_nothing_held(database: Database, till: Till):
    await add_budget(database, 1000)
    waiting = asyncio.create_task(till.hold("r1", 600))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await till.hold("r2", 1000)


@on_sqlite
async def test_more_than_the_hold_is_recorded_as_it_was(database: Database, till: Till):
    budget = await add_budget(database, 1000)
    await till.hold("r1", 100)
    till.settle("r1", 150)  # more than the hold and what was free beside it
    await till.ship()
    with pytest.raises(BudgetExceeded):
        await till.hold("r2", 860)
    await till.hold("r3", 850)
    await till.ship()
    assert (await balance_of(database, budget.id)).settled_nanousd == 150
    await assert_proven(database)


@on_sqlite
async def test_a_hold_grows_for_a_dearer_provider_or_stays_as_it_was(database: Database, till: Till):
    await add_budget(database, 1000)
    hold = await till.hold("r1", 100)
    await till.budgets.grow(hold, 300, 300)
    assert hold.amount == 400
    with pytest.raises(BudgetExceeded):
        await till.budgets.grow(hold, 601, 601)
    assert hold.amount == 400
