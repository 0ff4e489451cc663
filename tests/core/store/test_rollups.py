"""Sums over usage: always what the records make them, whoever stores them and however often."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core.clock import micros
from core.ledger.summing import Summing
from core.store import repeats, rollups, usage, usage_days, usage_marks, usage_sums
from core.store.database import Database
from core.store.tables import usage_daily, usage_hourly, usage_monthly, usage_records
from core.store.usage import Selection, Sums
from tests.support.records import START, usage_record

MODELS, HASHES = ("small", "large"), [character * 64 for character in "abcdef"]
JANUARY = micros(datetime(2026, 1, 1, tzinfo=UTC))


def some(count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Records of forty days, of a few users, models, projects and prompts."""
    chance = random.Random(seed)
    return [
        usage_record(
            f"req_{seed}_{number}",
            at=START + timedelta(seconds=chance.randrange(-10, 40 * 24 * 3600)),
            user_id=chance.randrange(4),
            credential_id=chance.randrange(6),
            project=chance.choice(("", "bot", "büro")),
            provider=chance.choice(("main", "other")),
            model=chance.choice((*MODELS, "")),
            status_code=chance.choice((200, 200, 429, 500)),
            outcome=chance.choice(("answered", "answered", "failed", "hung_up")),
            input_tokens=chance.randrange(1000),
            output_tokens=chance.randrange(1000),
            cost_nanousd=chance.choice((None, 0, chance.randrange(10**9))),
            prompt_hash=chance.choice((*HASHES, "")),
        )
        for number in range(count)
    ]


async def insert(database: Database, rows: Sequence[dict[str, Any]]) -> None:
    async with database.write() as connection:
        await usage.insert_records(connection, database, rows)


async def sum_up(database: Database, limit: int = 5000) -> None:
    while await Summing(database).add(limit):
        pass


async def wrong(database: Database, since: int = 0) -> dict[str, int]:
    """How many rows of the sums are not what they should be."""
    async with database.snapshot() as connection:
        last = (await usage_marks.read(connection)).summed_to
        found = await rollups.differences(connection, database, since=since, last=last)
    return {table: count for table, count in found.items() if count}


async def totals(database: Database, table: sa.Table) -> tuple[int, ...]:
    columns = ("input_tokens", "output_tokens", "messages", "latency_us", "cost_nanousd")
    query = sa.select(*(sa.func.coalesce(sa.cast(sa.func.sum(table.c[name]), sa.BigInteger), 0) for name in columns))
    async with database.read() as connection:
        return tuple((await connection.execute(query)).one())


def wasted(rows: Sequence[dict[str, Any]]) -> dict[tuple[int, int], tuple[int, int]]:
    """(viewer, month) → repeats and what they cost: the definition, told as slowly as it is plain."""
    answered: set[tuple[Any, ...]] = set()
    found: defaultdict[tuple[int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        cost = row["cost_nanousd"] or 0
        counts = row["prompt_hash"] and row["model"] and (row["outcome"] == "answered" or cost)
        day = datetime.fromtimestamp(row["created_at"] / 1e6, UTC)
        month = micros(datetime(day.year, day.month, 1, tzinfo=UTC))
        for viewer in {0, row["user_id"]} if counts else ():
            key = (viewer, month, row["model"], row["prompt_hash"])
            if key in answered:
                count, waste = found[viewer, month]
                found[viewer, month] = count + 1, waste + cost
        for viewer in {0, row["user_id"]} if row["outcome"] == "answered" else ():
            answered.add((viewer, month, row["model"], row["prompt_hash"]))
    return dict(found)


async def noted_waste(database: Database) -> dict[tuple[int, int], tuple[int, int]]:
    async with database.read() as connection:
        rows = await connection.execute(sa.text("SELECT * FROM usage_waste"))
        return {(viewer, month): (count, cost) for viewer, month, count, cost in rows}


async def test_sums_are_what_the_records_make_them(database: Database):
    rows = some(600)
    for start in range(0, 600, 47):
        await insert(database, rows[start : start + 60])  # of which some were in the batch before
        await Summing(database).add(50)
        assert await wrong(database) == {}
    await sum_up(database)
    assert await wrong(database) == {}
    for table in (usage_hourly, usage_daily, usage_monthly):
        assert await totals(database, table) == await totals(database, usage_records)
    assert await noted_waste(database) == wasted(rows)


async def test_several_processes_count_each_record_once(database: Database):
    rows = some(400)
    writers = (insert(database, rows[start : start + 40]) for start in range(0, 400, 20))
    await asyncio.gather(*writers, *(sum_up(database, 30) for _ in range(3)))
    await sum_up(database)
    assert await wrong(database) == {}
    assert await totals(database, usage_daily) == await totals(database, usage_records)
    async with database.read() as connection:
        stored = list(reversed(await usage.page(connection, Selection(), limit=1000)))
    by_id = {row["request_id"]: row for row in rows}
    assert len(stored) == 400
    assert await noted_waste(database) == wasted([by_id[row.request_id] for row in stored])


async def test_record_numbers_become_visible_in_their_order(database: Database):
    """Else a reader that goes on from the highest number it saw would miss what was stored slowly."""
    seen: list[int] = []

    async def watch() -> None:
        while len(seen) < 200:
            async with database.read() as connection:
                ids = (await connection.execute(sa.select(usage_records.c.id).order_by(usage_records.c.id))).scalars()
                found = list(ids)
            assert found[: len(seen)] == seen
            seen[:] = found
            await asyncio.sleep(0)

    rows = some(200)
    writers = (insert(database, rows[start : start + 10]) for start in range(0, 200, 10))
    async with asyncio.timeout(20):
        await asyncio.gather(watch(), *writers)


async def test_a_batch_that_is_rolled_back_is_added_again(database: Database, monkeypatch: pytest.MonkeyPatch):
    rows = some(50)
    await insert(database, rows)

    async def die(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as dying:
        dying.setattr(usage_marks, "summed", die)
        with pytest.raises(ZeroDivisionError):
            await Summing(database).add()
    assert await totals(database, usage_daily) == (0, 0, 0, 0, 0)
    await sum_up(database)
    assert await totals(database, usage_daily) == await totals(database, usage_records)
    assert await noted_waste(database) == wasted(rows)


async def test_sums_that_went_wrong_are_found_and_made_anew(database: Database):
    rows = some(300)
    await insert(database, rows)
    await sum_up(database)
    async with database.write() as connection:
        await connection.execute(
            sa.text("UPDATE usage_daily SET cost_nanousd = cost_nanousd + 1 WHERE project = 'bot'")
        )
        await connection.execute(sa.text("DELETE FROM usage_hourly WHERE user_id = 2"))
        await connection.execute(sa.text("UPDATE usage_waste SET repeats = 0"))
    broken = await wrong(database)
    assert set(broken) == {"usage_hourly", "usage_daily", "usage_monthly"}
    async with database.write() as connection:
        await rollups.rebuild(connection, database, since=0, last=1000)
        await repeats.rebuild(connection, database, since=0, last=1000)
    assert await wrong(database) == {}
    assert await noted_waste(database) == wasted(rows)


async def test_what_is_left_of_a_month_is_rebuilt_and_the_rest_stays(database: Database):
    rows = some(300)
    await insert(database, rows)
    await sum_up(database)
    tenth = JANUARY + 9 * usage_days.DAY
    before = [await totals(database, table) for table in (usage_hourly, usage_daily, usage_monthly)]
    async with database.write() as connection:
        await connection.execute(sa.delete(usage_records).where(usage_records.c.created_at < tenth))
        await rollups.rebuild(connection, database, since=tenth, last=1000)
    assert await wrong(database, tenth) == {}
    assert [await totals(database, table) for table in (usage_hourly, usage_daily, usage_monthly)] == before


@pytest.mark.parametrize("seed", range(3))
async def test_a_users_sums_over_any_span_are_those_of_the_records(database: Database, seed: int):
    await insert(database, some(300, seed))
    await Summing(database).add(seed * 150)  # nothing, a half, all
    chance = random.Random(seed)
    async with database.snapshot() as connection:
        for _ in range(40):
            start, end = (
                START + timedelta(microseconds=chance.choice((0, chance.randrange(41 * 24 * 3600 * 10**6))))
                if chance.random() < 0.8
                else None
                for _ in range(2)
            )
            if end is not None and chance.random() < 0.3:
                start = end - timedelta(minutes=chance.randrange(100))
            counted = await usage.sums(connection, Selection(user_id=1, start=start, end=end))
            assert await usage_sums.of_user(connection, 1, start, end) == counted


async def test_sums_where_the_records_are_gone_are_of_whole_hours(database: Database):
    moments = [START.replace(hour=hour, minute=30, second=0) for hour in range(4, 8)]
    await insert(database, [usage_record(str(at), at=at, user_id=1) for at in moments])
    await sum_up(database)
    async with database.write() as connection:
        await usage_marks.keep_from(connection, START + timedelta(days=1))
        await usage_marks.keep_from(connection, START)  # it never goes back
        await connection.execute(sa.delete(usage_records))

    async def requests(start: datetime | None, end: datetime | None) -> int:
        async with database.read() as connection:
            return (await usage_sums.of_user(connection, 1, start, end)).requests

    assert await requests(None, None) == 4
    assert await requests(moments[1], None) == 2  # five o'clock's hour begins before the span
    assert await requests(None, moments[1]) == 2  # and in this one
    assert await requests(moments[0], moments[1]) == 1
    assert await requests(moments[1], moments[1] + timedelta(minutes=5)) == 0


async def test_extreme_spans_are_no_fault(database: Database):
    await insert(database, some(20))
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    async with database.read() as connection:
        everything = await usage_sums.of_user(connection, 1, None, None)
        assert await usage_sums.of_user(connection, 1, first, last) == everything
        assert await usage_sums.of_user(connection, 1, last, first) == Sums(0, 0, 0, 0, 0, 0, 0)
        assert await usage_sums.of_user(connection, 1, last, None) == Sums(0, 0, 0, 0, 0, 0, 0)
