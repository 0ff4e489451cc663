"""The database, the same on SQLite and PostgreSQL: transactions, broken rules, outages."""

import asyncio
import gc
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import DatabaseError, NotFound
from core.store import credentials, users
from core.store.database import Database, violated
from core.store.tables import goals, journals
from core.store.tables import users as users_table
from core.store.users import User
from tests.support.database import Postgres, driver_threads_ended, on_postgres, on_sqlite

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


async def add_user(connection: AsyncConnection, name: str) -> User:
    return await users.add(
        connection, email=f"{name}@example.com", username=name, password_hash="x", role="user", now=NOW
    )


async def count(database: Database) -> int:
    async with database.read() as connection:
        return (await connection.execute(sa.select(sa.func.count()).select_from(users_table))).scalar_one()


async def test_what_was_written_is_read(database: Database):
    async with database.write() as connection:
        made = await add_user(connection, "a")
    async with database.read() as connection:
        assert await users.get(connection, made.id) == made
    assert made.created_at == NOW
    assert (made.disabled, made.must_change_password, made.full_name) == (False, False, "")


async def test_an_error_undoes_the_whole_transaction(database: Database):
    async def write() -> None:
        async with database.write() as connection:
            await add_user(connection, "a")
            raise NotFound

    with pytest.raises(NotFound):
        await write()
    assert await count(database) == 0


async def test_a_cancelled_transaction_is_undone(database: Database):
    entered = asyncio.Event()

    async def write() -> None:
        async with database.write() as connection:
            await add_user(connection, "a")
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(database) == 0
    async with database.write() as connection:
        await add_user(connection, "b")


async def test_a_broken_rule_of_uniqueness_names_its_column(database: Database):
    async with database.write() as connection:
        await add_user(connection, "a")
    with pytest.raises(IntegrityError) as caught:
        async with database.write() as connection:
            await users.add(
                connection, email="other@example.com", username="a", password_hash="x", role="user", now=NOW
            )
    assert violated(caught.value, "users.username")
    assert not violated(caught.value, "users.email")


async def test_an_insert_may_say_what_to_do_in_a_conflict(database: Database):
    row = {"id": "j1", "segment": 1, "position": 10, "updated_at": NOW}
    for position in (10, 20):
        statement = database.insert(journals).values(row | {"position": position})
        async with database.write() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["id"], set_={"position": statement.excluded.position})
            )
    async with database.read() as connection:
        assert (await connection.execute(sa.select(journals.c.position))).scalars().all() == [20]


async def test_what_is_a_users_goes_with_the_user(database: Database):
    async with database.write() as connection:
        user = await add_user(connection, "a")
        await credentials.add(
            connection, kind="session", secret_hash=b"h", prefix="p", user_id=user.id, scopes="", now=NOW
        )
        await connection.execute(
            sa.insert(goals).values(
                id="goal_1",
                user_id=user.id,
                title="t",
                description="",
                status="pending",
                created_at=NOW,
                updated_at=NOW,
            )
        )
        assert await users.remove(connection, user.id)
        assert not await users.remove(connection, user.id)
    async with database.read() as connection:
        assert await credentials.holder(connection, b"h") is None
        assert (await connection.execute(sa.select(goals.c.id))).all() == []


async def test_a_users_number_is_never_given_twice(database: Database):
    async with database.write() as connection:
        first = await add_user(connection, "a")
        await users.remove(connection, first.id)
    async with database.write() as connection:
        assert (await add_user(connection, "b")).id > first.id


@on_sqlite
async def test_writers_wait_for_each_other(database: Database):
    """Each reads and then writes: none may be refused, and none may overwrite what another wrote."""
    async with database.write() as connection:
        user = await add_user(connection, "a")

    async def extend() -> None:
        async with database.write() as connection:
            found = await users.get(connection, user.id)
            assert found is not None
            await users.change(connection, user.id, {"full_name": found.full_name + "x"}, NOW)

    await asyncio.gather(*(extend() for _ in range(20)))
    async with database.read() as connection:
        found = await users.get(connection, user.id)
    assert found is not None
    assert found.full_name == "x" * 20


@on_sqlite
async def test_readers_do_not_wait_for_a_writer(database: Database):
    async with database.write() as connection:
        await add_user(connection, "a")
        assert await count(database) == 0
    assert await count(database) == 1


async def test_a_file_that_is_not_there_is_an_outage(tmp_path: Path):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/absent/x.db")
    with pytest.raises(DatabaseError) as caught:
        await database.ping()
    assert caught.value.__cause__ is not None
    assert "absent" not in caught.value.message
    await database.close()
    await driver_threads_ended()


async def test_a_file_that_is_no_database_is_an_outage(tmp_path: Path):
    path = tmp_path / "x.db"
    path.write_bytes(b"something else entirely" * 100)
    database = Database(f"sqlite+aiosqlite:///{path}")
    with pytest.raises(DatabaseError):
        await database.ping()
    await database.close()
    await driver_threads_ended()


async def test_a_server_that_is_not_there_is_an_outage():
    database = Database("postgresql+asyncpg://127.0.0.1:1/none")
    with pytest.raises(DatabaseError):
        await database.ping()
    with pytest.raises(DatabaseError):
        async with database.write():
            pass
    await database.close()


@on_postgres
async def test_after_an_outage_the_pool_goes_on(database: Database, database_url: str, postgres: Postgres):
    await database.ping()
    await postgres.cut(database_url)
    with pytest.raises(DatabaseError):
        await database.ping()
    await postgres.mend(database_url)
    await database.ping()


@on_postgres
async def test_an_outage_in_a_transaction_is_told_as_such(database: Database, database_url: str, postgres: Postgres):
    async def write() -> None:
        async with database.write() as connection:
            await add_user(connection, "a")
            await postgres.cut(database_url)
            await add_user(connection, "b")

    with pytest.raises(DatabaseError):
        await write()
    await postgres.mend(database_url)
    assert await count(database) == 0


@on_sqlite
async def test_a_write_that_is_cancelled_leaves_nothing_locked(database: Database):
    async def insert() -> None:
        async with database.write() as connection:
            await connection.execute(sa.text("CREATE TABLE IF NOT EXISTS notes (n INTEGER)"))
            await connection.execute(sa.text("INSERT INTO notes VALUES (1) RETURNING n"))

    await insert()
    gc.disable()  # what is left behind shall not be cleared away by chance
    try:
        for turns in range(30):
            writing = asyncio.create_task(insert())
            for _ in range(turns):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            async with asyncio.timeout(5):
                await insert()
    finally:
        gc.enable()
