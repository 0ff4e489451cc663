"""How far the usage journals have been shipped."""

from core.store import journals
from core.store.database import Database
from tests.support.clock import FakeClock

NOW = FakeClock().now()


async def advance(database: Database, journal: str, segment: int, position: int) -> None:
    async with database.write() as connection:
        await journals.advance(connection, database, journal, segment, position, NOW)


async def position(database: Database, journal: str) -> tuple[int, int] | None:
    async with database.read() as connection:
        return await journals.position(connection, journal)


async def test_nothing_of_a_new_journal_has_been_shipped(database: Database):
    assert await position(database, "core-0") is None


async def test_each_journal_has_a_position_of_its_own(database: Database):
    await advance(database, "core-0", 1, 100)
    await advance(database, "core-1", 7, 2**40)
    await advance(database, "core-0", 2, 0)
    assert await position(database, "core-0") == (2, 0)
    assert await position(database, "core-1") == (7, 2**40)


async def test_a_position_moves_with_its_transaction(database: Database):
    await advance(database, "core-0", 1, 100)
    async with database.write() as connection:
        await journals.advance(connection, database, "core-0", 1, 200, NOW)
        await connection.rollback()
    assert await position(database, "core-0") == (1, 100)
