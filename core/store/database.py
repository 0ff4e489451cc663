"""The database: SQLite on one machine, PostgreSQL for many replicas.

Query functions take an open connection; use cases open one with `read()` or `write()` and keep it
no longer than their statements run. Whatever the driver raises because the database can't be
reached or does not answer becomes errors.DatabaseError; a broken uniqueness rule stays
sqlalchemy.exc.IntegrityError, for the use case to name.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from core.errors import DatabaseError

# How long a writer waits for another, in seconds (SQLite allows one at a time).
_BUSY_TIMEOUT = 10
_CONNECT_TIMEOUT = 5
_LAST_WORDS = 5.0
_POOL_SIZE = 5


class Database:
    """A pool of connections to one database."""

    def __init__(self, url: str) -> None:
        """url: an SQLAlchemy URL with the driver aiosqlite or asyncpg."""
        self._engine = _create_engine(url)
        self._open = 0  # connections that are in use
        self._none_open = asyncio.Event()
        self.is_sqlite = self._engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A connection in a transaction that only reads. Raises DatabaseError."""
        with translated():
            async with self._connection() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncConnection]:
        """Like `read`, and all its statements see the database at one moment. Raises DatabaseError."""
        with translated():
            async with self._connection() as connection:
                if not self.is_sqlite:  # which has nothing else
                    await connection.execution_options(isolation_level="REPEATABLE READ")
                async with connection.begin():
                    yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """A connection in a transaction that is committed at the end, or rolled back on an error.

        On SQLite it takes the write lock at once, so that a transaction which reads and then writes
        can't fail half-way because another was faster. Raises DatabaseError, IntegrityError.
        """
        with translated():
            async with self._connection() as connection:
                await connection.execution_options(llmrouter_immediate=True)
                async with connection.begin():
                    yield connection

    def insert(self, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
        """An INSERT in this database's dialect, for `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    async def ping(self) -> None:
        """Raises DatabaseError where the database does not answer."""
        async with self.read() as connection:
            await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        """Waits, not for ever, for those who are at it: a driver whose thread has ended answers nobody any more."""
        if self._open:
            self._none_open.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._none_open.wait(), _LAST_WORDS)
        await self._engine.dispose()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[AsyncConnection]:
        self._open += 1
        try:
            async with self._engine.connect() as connection:
                yield connection
        finally:
            self._open -= 1
            if not self._open:
                self._none_open.set()

    @property
    def engine(self) -> AsyncEngine:
        """For migrations and tests."""
        return self._engine


class translated:  # noqa: N801 - reads as a verb where it is used
    """Turns the driver's complaints about an absent database into DatabaseError."""

    def __enter__(self) -> None: ...

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, IntegrityError):
            return
        if isinstance(error, SQLAlchemyError | OSError | sqlite3.Error) or type(error).__module__.startswith("asyncpg"):
            raise DatabaseError from error


def _create_engine(url: str) -> AsyncEngine:
    if url.startswith("sqlite"):
        options: dict[str, Any] = {"timeout": _BUSY_TIMEOUT, "factory": _SqliteConnection}
        engine = create_async_engine(url, pool_size=_POOL_SIZE, max_overflow=0, connect_args=options)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    return create_async_engine(
        url,
        pool_size=_POOL_SIZE,
        max_overflow=10,
        pool_timeout=_CONNECT_TIMEOUT,
        pool_pre_ping=True,
        connect_args={"timeout": _CONNECT_TIMEOUT, "command_timeout": 60},
    )


class _SqliteConnection(sqlite3.Connection):
    """A connection that ends its transaction when it is closed.

    SQLite itself waits with that until the last cursor is gone. Where a task is cancelled in the middle of
    a statement, an exception keeps one alive until the garbage is collected, and with it the write lock.
    """

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling is off; _begin_sqlite says BEGIN.
    connection.isolation_level = None
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()
    except BaseException:
        connection.close()  # the pool does not know it yet, and its thread would stay for ever
        raise


def _begin_sqlite(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("llmrouter_immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def violated(error: DBAPIError, column: str) -> bool:
    """Whether a broken uniqueness rule is the one on `table.column`, in both databases' words.

    column: "users.email". SQLite names the column, PostgreSQL the constraint (uq_users_email).
    """
    table, _, name = column.partition(".")
    text = str(error.orig)
    return column in text or f"uq_{table}_{name}" in text
