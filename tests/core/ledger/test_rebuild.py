"""Sums made anew from the records, on both databases."""

from datetime import timedelta

import sqlalchemy as sa

from core.ledger.rebuild import Rebuilt, rebuild
from core.ledger.retention import Retention
from core.ledger.summing import Summing
from core.store import migrate, usage
from core.store.database import Database
from tests.core.store.test_rollups import noted_waste, some
from tests.support.clock import FakeClock
from tests.support.records import START

TABLES = ["usage_hourly", "usage_daily", "usage_monthly", "usage_repeats", "usage_waste"]


async def fill(database: Database, summed: int) -> None:
    async with database.write() as connection:
        await usage.insert_records(connection, database, some(400))
    await Summing(database).add(summed)


async def rebuilt(database: Database, url: str) -> Rebuilt:
    async with migrate.connected(url) as connection:
        return await rebuild(connection, database)


async def test_right_sums_stay_and_what_was_not_summed_up_is_added(database: Database, database_url: str):
    await fill(database, 150)
    found = await rebuilt(database, database_url)
    assert found.wrong == dict.fromkeys(TABLES, 0)
    assert not any(found.left.values())
    assert found.records == 400
    assert await Summing(database).add() == 0
    assert (await rebuilt(database, database_url)).wrong == dict.fromkeys(TABLES, 0)


async def test_wrong_sums_are_counted_and_mended(database: Database, database_url: str):
    await fill(database, 400)
    waste = await noted_waste(database)
    async with database.write() as connection:
        await connection.execute(sa.text("UPDATE usage_daily SET requests = 0 WHERE user_id = 1"))
        await connection.execute(sa.text("DELETE FROM usage_waste WHERE viewer_id = 0"))
        await connection.execute(sa.text("UPDATE usage_repeats SET repeats = repeats + 1 WHERE viewer_id = 1"))
    found = await rebuilt(database, database_url)
    assert found.wrong["usage_daily"] > 0
    assert found.wrong["usage_waste"] > 0
    assert found.wrong["usage_repeats"] > 0
    assert found.wrong["usage_hourly"] == 0
    assert not any(found.left.values())
    assert await noted_waste(database) == waste
    assert (await rebuilt(database, database_url)).wrong == dict.fromkeys(TABLES, 0)


async def test_sums_of_deleted_records_stay(database: Database, database_url: str):
    await fill(database, 400)

    async def at_once(_: float) -> None: ...

    async def requests() -> int:
        async with database.read() as connection:
            return (await connection.execute(sa.text("SELECT sum(requests) FROM usage_daily"))).scalar_one()

    waste = await noted_waste(database)
    await Retention(database, FakeClock(START + timedelta(days=35)), 20, at_once).tidy()
    found = await rebuilt(database, database_url)
    assert found.wrong == dict.fromkeys(TABLES, 0)
    assert 0 < found.records < 400
    assert await requests() == 400
    assert await noted_waste(database) == waste
