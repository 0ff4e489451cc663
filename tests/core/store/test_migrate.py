"""The migrations make the tables that the code uses, on both databases, up and down."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from core.errors import DatabaseError
from core.store import migrate
from core.store.database import Database
from core.store.tables import metadata
from tests.support.database import driver_threads_ended, on_sqlite


def test_head_is_the_newest_revision():
    assert migrate.scripts().get_current_head() == migrate.HEAD


async def test_the_migrations_make_the_tables_of_the_code(database_url: str):
    def differences(connection: sa.Connection) -> object:
        # Alembic can't compare empty defaults on SQLite; they are the same migration's.
        options = {"compare_type": True, "compare_server_default": connection.dialect.name == "postgresql"}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with migrate.connected(database_url) as connection:
        assert await connection.run_sync(differences) == []


async def test_constraints_have_the_names_of_the_convention(database_url: str):
    def names(connection: sa.Connection) -> dict[str, set[str | None]]:
        inspector = sa.inspect(connection)
        return {
            table: {inspector.get_pk_constraint(table)["name"]}
            | {key["name"] for key in inspector.get_foreign_keys(table)}
            | {unique["name"] for unique in inspector.get_unique_constraints(table)}
            for table in metadata.tables
        }

    async with migrate.connected(database_url) as connection:
        found = await connection.run_sync(names)
    for name, table in metadata.tables.items():
        # SQLite does not keep the name of a key that numbers its rows.
        assert found[name] - {None} == {c.name for c in table.constraints} - ({f"pk_{name}"} - found[name])


async def test_down_to_nothing_and_up_again(empty_database_url: str):
    heard: list[str] = []
    names = [f"{script.revision}: {script.doc}" for script in migrate.scripts().walk_revisions()]
    assert names[-1] == "0001: the first tables"
    await migrate.upgrade(empty_database_url, progress=heard.append)
    assert heard == [f"up to {name}" for name in reversed(names)]
    heard.clear()
    await migrate.downgrade(empty_database_url, "base", progress=heard.append)
    assert heard == [f"down from {name}" for name in names]
    assert await migrate.current(empty_database_url) == ""
    async with migrate.connected(empty_database_url) as connection:
        left = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    assert left == ["alembic_version"]
    await migrate.upgrade(empty_database_url)
    assert await migrate.current(empty_database_url) == migrate.HEAD


async def test_processes_that_start_together_upgrade_once(empty_database_url: str):
    heard: list[str] = []
    databases = [Database(empty_database_url) for _ in range(4)]
    await asyncio.gather(*(migrate.ensure_current(each, empty_database_url, heard.append) for each in databases))
    for each in databases:
        await each.close()
    assert len(heard) == len(list(migrate.scripts().walk_revisions()))


async def test_a_current_database_costs_no_upgrade(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(migrate, "upgrade", None)  # calling it would fail
    await migrate.ensure_current(database, database_url)


async def test_a_database_from_a_newer_version_is_refused(database: Database, database_url: str):
    async with database.write() as connection:
        await connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(migrate.SchemaError, match=r"revision 9999.*a newer version made it"):
        await migrate.ensure_current(database, database_url)
    with pytest.raises(migrate.SchemaError, match="a newer version made it"):
        await migrate.downgrade(database_url, "base")


async def test_an_unknown_revision_is_refused(database_url: str):
    with pytest.raises(migrate.SchemaError, match="can't go up to revision nonsense"):
        await migrate.upgrade(database_url, "nonsense")


async def test_an_upgrade_that_fails_changes_nothing(empty_database_url: str):
    async with migrate.connected(empty_database_url) as connection:
        await connection.execute(sa.text("CREATE TABLE personas (id INTEGER)"))  # in the way of the last one
    with pytest.raises(migrate.SchemaError, match="nothing was changed"):
        await migrate.upgrade(empty_database_url)
    async with migrate.connected(empty_database_url) as connection:
        left = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
    assert left == ["personas"]


async def test_a_database_that_does_not_answer_is_a_database_error(tmp_path: Path):
    with pytest.raises(DatabaseError):
        await migrate.current(f"sqlite+aiosqlite:///{tmp_path}/absent/x.db")
    await driver_threads_ended()
    with pytest.raises(DatabaseError):
        await migrate.current("postgresql+asyncpg://127.0.0.1:1/none")


@on_sqlite
async def test_a_migration_that_leaves_a_dangling_row_is_undone(database_url: str):
    with pytest.raises(migrate.SchemaError, match="a row of the table goals refers to a row of users that is absent"):
        async with migrate.connected(database_url) as connection:
            await connection.execute(
                sa.text("INSERT INTO goals VALUES ('goal_1', 7, 'a title', 'a description', 'pending', 1, 1)")
            )
    with sqlite3.connect(database_url.partition("///")[2]) as file:
        assert file.execute("SELECT count(*) FROM goals").fetchone() == (0,)
    file.close()
