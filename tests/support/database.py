"""Databases for tests, each its own: a file of SQLite, or a database on a PostgreSQL server.

    migrations ─once per run─► template ─once per test─► copy

A test that takes `database`, `database_url` or `empty_database_url` runs on both kinds. One that
has nothing to say about the difference is marked `@on_sqlite` and runs on the faster one.

TEST_POSTGRES_URL names another server than the one on this machine. Where none answers, those tests
are skipped; with CI=true they fail.
"""

import asyncio
import os
import secrets
import shutil
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from core.errors import DatabaseError
from core.store import migrate
from core.store.database import Database

_T = TypeVar("_T")

POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgresql+asyncpg://127.0.0.1:5432/postgres")

_PREFIX = "llmrouter_test_"
# A run that was killed leaves its databases behind; a later one removes what is older than this, in seconds.
_LEFTOVER = 3600
_CONNECT_TIMEOUT = 5

_SKIPPED = pytest.StashKey[str]()  # why there are no tests on PostgreSQL

on_sqlite = pytest.mark.parametrize("backend", ["sqlite"])
"""Marks a test that runs on SQLite alone."""

on_postgres = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])
"""Marks a test of what only PostgreSQL does."""


def in_thread(work: Coroutine[Any, Any, _T]) -> _T:
    """Runs a coroutine to its end in a loop of its own, wherever the caller is."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL server on which databases can be made, and one on it that is migrated."""

    admin_url: sa.URL
    template: str

    def create(self, template: str = "template0") -> str:
        """Makes a database, as a copy of another, and returns its URL."""
        name = f"{_PREFIX}{int(time.time())}_{secrets.token_hex(6)}"
        in_thread(_execute(self.admin_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return _text(self.admin_url.set(database=name))

    def drop(self, url: str) -> None:
        name = sa.make_url(url).database
        in_thread(_execute(self.admin_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    async def cut(self, url: str) -> None:
        """Ends every connection to a database and lets nobody in."""
        name = sa.make_url(url).database
        await _execute(self.admin_url, f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        await _execute(
            self.admin_url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )

    async def mend(self, url: str) -> None:
        """Lets everybody in again."""
        await _execute(self.admin_url, f'ALTER DATABASE "{sa.make_url(url).database}" WITH ALLOW_CONNECTIONS true')


def _text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


async def _execute(url: sa.URL, statement: str) -> list[str]:
    """Runs a statement outside of a transaction and returns the first column of what it answers."""
    engine = create_async_engine(
        url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args={"timeout": _CONNECT_TIMEOUT}
    )
    async with engine.connect() as connection:
        answer = await connection.exec_driver_sql(statement)
        found = [str(row[0]) for row in answer] if answer.returns_rows else []
    await engine.dispose()
    return found


async def _remove_leftovers(url: sa.URL) -> None:
    for name in await _execute(url, f"SELECT datname FROM pg_database WHERE starts_with(datname, '{_PREFIX}')"):
        if int(name.removeprefix(_PREFIX).partition("_")[0]) < time.time() - _LEFTOVER:
            await _execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """The PostgreSQL server with a migrated template."""
    admin_url = sa.make_url(POSTGRES_URL)
    try:
        in_thread(_remove_leftovers(admin_url))
    except (OSError, SQLAlchemyError) as error:
        said = f"no PostgreSQL answers at {admin_url.render_as_string()}: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        request.config.stash[_SKIPPED] = said
        pytest.skip(said)
    bare = Postgres(admin_url, "template0")
    url = bare.create()
    try:
        in_thread(migrate.upgrade(url))
        yield Postgres(admin_url, sa.make_url(url).database or "")
    finally:
        bare.drop(url)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line, however many tests were skipped."""
    if _SKIPPED in config.stash:
        terminalreporter.write_line(f"PostgreSQL was not tested: {config.stash[_SKIPPED]}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    in_thread(migrate.upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database: "sqlite" or "postgres"."""
    return request.param


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without tables."""
    if backend == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the tables as they are now, and nothing in them."""
    if backend == "sqlite":
        path = tmp_path / "test.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite+aiosqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create(server.template)
    yield url
    server.drop(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The service's pool on such a database."""
    database = Database(database_url)
    yield database
    await database.close()


async def driver_threads_ended() -> None:
    """Waits until SQLite's driver is done with connections that failed: its threads still tell the loop
    about it, which must not be closed by then. For tests that have no database open.
    """
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)


class FlakyDatabase(Database):
    """A database that does not answer for as long as a test says so."""

    down = False

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        if self.down:
            raise DatabaseError
        async with super().read() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        if self.down:
            raise DatabaseError
        async with super().write() as connection:
            yield connection


@pytest.fixture
async def flaky_database(database_url: str) -> AsyncIterator[FlakyDatabase]:
    """The service's pool on a database of the test's own, with a switch."""
    database = FlakyDatabase(database_url)
    yield database
    await database.close()
