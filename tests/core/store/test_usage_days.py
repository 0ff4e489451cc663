"""Ranges of numbers for spans of time: the same records are found, and no others are looked at."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth import NOBODY
from core.ledger import reports
from core.ledger.summing import Summing
from core.store import usage, usage_days
from core.store.database import Database
from core.store.usage import Selection
from tests.core.store.test_rollups import some
from tests.support.records import START, usage_record

OPERATOR = replace(NOBODY, role="admin")


async def fill(database: Database, summed: int) -> None:
    async with database.write() as connection:
        await usage.insert_records(connection, database, some(300))
    for _ in range(3):
        await Summing(database).add(summed // 3)


@pytest.mark.parametrize("summed", [0, 150, 300])
async def test_what_is_found_in_a_span_is_what_is_there(database: Database, summed: int):
    await fill(database, summed)
    chance = random.Random(summed)
    for _ in range(30):
        start, end = (
            START + timedelta(hours=chance.randrange(-50, 1100)) if chance.random() < 0.8 else None for _ in "ab"
        )
        after, before = (chance.choice((None, chance.randrange(300))) for _ in range(2))
        selection = Selection(start=start, end=end, after_id=after, before_id=before)
        async with database.read() as connection:
            expected = await usage.page(connection, selection, limit=1000)
        assert await reports.records(database, OPERATOR, selection, before_id=None, limit=1000) == expected


async def test_a_span_is_a_range_of_numbers(database: Database):
    async with database.write() as connection:
        rows = [usage_record(str(day), at=START + timedelta(days=day)) for day in range(10)]
        late = usage_record("late", at=START + timedelta(days=2))
        await usage.insert_records(connection, database, [*rows, late])

    async def narrowed(first: int, last: int) -> tuple[int | None, int | None] | None:
        span = Selection(start=START + timedelta(days=first), end=START + timedelta(days=last))
        async with database.snapshot() as connection:
            found = await usage_days.narrowed(connection, span)
        return found and (found.after_id, found.before_id)

    assert await narrowed(4, 5) == (4, 6)  # counted, as nothing is summed up
    await Summing(database).add()
    assert await narrowed(4, 5) == (4, 7)  # whole days
    assert await narrowed(2, 3) == (2, 12)  # with the late one
    assert await narrowed(20, 30) is None
    async with database.snapshot() as connection:
        assert await usage_days.narrowed(connection, Selection(user_id=1)) == Selection(user_id=1)
