"""Brings the database's tables to where this version of the code wants them.

A normal start asks for one row and goes on. Only where that row names another revision is alembic
imported and the upgrade run:

    lock ─► look again ─► upgrade ─► commit        all in one transaction, on both databases

so that several processes that start together do it once, and an upgrade that fails leaves the
database as it was. The lock is SQLite's write lock or PostgreSQL's advisory lock.
"""

import importlib.util
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from core.store.database import Database, translated

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

# The newest revision in migrations/versions/; a test compares the two.
HEAD = "0008"

Progress = Callable[[str], None]
"""Hears one line for each revision that was applied."""

# How long a process waits for another's upgrade, in seconds. A large database takes its time.
_LOCK_TIMEOUT = 3600
_CONNECT_TIMEOUT = 10
_ADVISORY_LOCK = 7_265_017_001  # any number, the same in every process

_VERSION_TABLE = "alembic_version"


class SchemaError(Exception):
    """The database can't be brought to a revision. The message says what would help."""


async def ensure_current(database: Database, url: str, progress: Progress | None = None) -> None:
    """Upgrades the tables where they are older than the code.

    database: the pool that the service uses; url: the same database, for a connection of its own.
    Raises SchemaError where the database is newer than the code, DatabaseError where it does not answer.
    """
    async with database.read() as connection:
        found = await _revision(connection)
    if found != HEAD:
        await upgrade(url, progress=progress)


async def current(url: str) -> str:
    """The database's revision, "" where it has no tables. Raises DatabaseError."""
    async with connected(url) as connection:
        return await _revision(connection)


async def upgrade(url: str, revision: str = HEAD, progress: Progress | None = None) -> None:
    """Brings the tables up to a revision. Raises SchemaError, DatabaseError."""
    async with connected(url) as connection:
        await _lock(connection)
        if await _revision(connection) == revision:
            return  # another process was faster
        await connection.run_sync(_run, "up", revision, progress)


async def downgrade(url: str, revision: str, progress: Progress | None = None) -> None:
    """Takes the tables back to an older revision ("base" removes them). Raises SchemaError, DatabaseError."""
    async with connected(url) as connection:
        await _lock(connection)
        await connection.run_sync(_run, "down", revision, progress)


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[AsyncConnection]:
    """A connection in a transaction that suits migrations: it waits for long, and SQLite does not
    check foreign keys, because making a table anew would otherwise delete the rows that refer to it.
    """
    engine = _create_engine(url)
    try:
        with translated():
            async with engine.begin() as connection:
                yield connection
                if connection.dialect.name == "sqlite":
                    await _check_foreign_keys(connection)
    finally:
        await engine.dispose()


async def _check_foreign_keys(connection: AsyncConnection) -> None:
    broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).mappings().first()
    if broken is not None:
        raise SchemaError(f"a row of the table {broken['table']} refers to a row of {broken['parent']} that is absent")


async def _lock(connection: AsyncConnection) -> None:
    """Waits until no other process migrates; on SQLite the transaction itself is the lock."""
    if connection.dialect.name != "sqlite":
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


async def _revision(connection: AsyncConnection) -> str:
    """The revision that is noted in the database, "" for none."""
    if not await connection.run_sync(lambda sync: sa.inspect(sync).has_table(_VERSION_TABLE)):
        return ""
    row = (await connection.execute(sa.text(f"SELECT version_num FROM {_VERSION_TABLE}"))).first()  # noqa: S608 - a constant
    return "" if row is None else str(row[0])


def _run(connection: sa.Connection, direction: str, revision: str, progress: Progress | None) -> None:
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.util import CommandError

    config = _config()
    config.attributes.update(connection=connection, progress=progress)
    found = MigrationContext.configure(connection).get_current_revision()
    _refuse_newer(found)
    try:
        (command.upgrade if direction == "up" else command.downgrade)(config, revision)
    except (CommandError, SQLAlchemyError) as error:
        raise SchemaError(f"can't go {direction} to revision {revision}, and nothing was changed: {error}") from error


def _refuse_newer(found: str | None) -> None:
    known = {script.revision for script in scripts().walk_revisions()}
    if found is not None and found not in known:
        raise SchemaError(
            f"the database is at revision {found}, which this version of llmrouter does not know: a newer version"
            f" made it. Start that version, or restore a backup from before its upgrade (this one knows up to {HEAD})."
        )


def scripts() -> "ScriptDirectory":
    """The revisions that this version of the code knows."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _config() -> "Config":
    from alembic.config import Config

    found = importlib.util.find_spec("migrations")
    if found is None or found.origin is None:
        raise SchemaError("the package 'migrations' is not installed")
    config = Config()
    config.set_main_option("script_location", str(Path(found.origin).parent).replace("%", "%%"))
    return config


def _create_engine(url: str) -> AsyncEngine:
    if not url.startswith("sqlite"):
        return create_async_engine(url, poolclass=NullPool, connect_args={"timeout": _CONNECT_TIMEOUT})
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": _LOCK_TIMEOUT})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # _begin_sqlite says BEGIN
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
