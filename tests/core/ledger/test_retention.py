"""Old records go, a day at a time, and nothing that was added up changes with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.ledger.retention import Retention
from core.ledger.summing import Summing
from core.store import rollups, usage, usage_marks, usage_sums
from core.store.database import Database
from core.store.tables import usage_prompts, usage_records
from core.store.usage import Sums
from tests.support.clock import FakeClock
from tests.support.records import START, usage_record

NOW = START + timedelta(days=30)  # 1 February, in the morning


async def fill(database: Database, *, summed: int = 5000) -> None:
    """A record every six hours of the last thirty days."""
    moments = [NOW - timedelta(hours=6 * number) for number in range(120)]
    rows: list[dict[str, Any]] = [
        usage_record(str(at), at=at, user_id=1, cost_nanousd=1, prompt_hash=str(at)) for at in reversed(moments)
    ]
    async with database.write() as connection:
        await usage.insert_records(connection, database, rows)
    await Summing(database).add(summed)


async def left(database: Database) -> tuple[int, datetime | None]:
    """How many records there are, and of when the oldest is."""
    async with database.read() as connection:
        query = sa.select(sa.func.count(), sa.func.min(usage_records.c.created_at))
        count, oldest = (await connection.execute(query)).one()
    return count, oldest


async def sums(database: Database) -> Sums:
    async with database.snapshot() as connection:
        return await usage_sums.of_user(connection, 1, None, None)


def keeping(database: Database, days: int, now: datetime = NOW) -> Retention:
    async def at_once(_: float) -> None: ...

    return Retention(database, FakeClock(now), days, at_once)


async def test_records_are_kept_for_ever_unless_it_is_said(database: Database):
    await fill(database)
    assert await keeping(database, 0).tidy() == 0
    assert (await left(database))[0] == 120


async def test_records_of_days_that_are_long_ago_go_and_their_sums_stay(database: Database):
    await fill(database)
    before = await sums(database)
    deleted = await keeping(database, 7).tidy()
    count, oldest = await left(database)
    assert deleted + count == 120
    assert oldest is not None
    assert oldest == min(
        at for n in range(120) if (at := NOW - timedelta(hours=6 * n)) >= datetime(2026, 1, 25, tzinfo=UTC)
    )
    assert await sums(database) == before
    async with database.snapshot() as connection:
        marks = await usage_marks.read(connection)
        wrong = await rollups.differences(connection, database, since=marks.kept_from, last=marks.summed_to)
    assert set(wrong.values()) == {0}
    assert await keeping(database, 7).tidy() == 0


async def test_what_is_not_summed_up_yet_stays(database: Database):
    await fill(database, summed=10)
    before = await sums(database)
    assert await keeping(database, 1).tidy() == 10
    assert await sums(database) == before
    await Summing(database).add()
    assert await keeping(database, 1).tidy() > 100
    assert await sums(database) == before


async def test_prompts_of_the_month_before_the_last_are_forgotten(database: Database):
    await fill(database)
    in_february = 1
    for days, known in ((0, 120), (27, 120), (28, in_february), (58, in_february), (59, 0)):
        await keeping(database, 0, NOW + timedelta(days=days)).tidy()
        async with database.read() as connection:
            found = (await connection.execute(sa.select(sa.func.count()).select_from(usage_prompts))).scalar_one()
        assert (days, found) == (days, known)
