"""The first administrator."""

import asyncio
import logging
import tempfile
from pathlib import Path

import pytest

from core.administrator import ensure_administrator
from core.deps import Deps
from core.settings import Settings, SettingsError
from core.store import users
from core.store.database import Database
from core.store.users import User
from tests.support.clock import FakeClock
from tests.support.core import build_deps
from tests.support.database import on_sqlite


def deps(database: Database, email: str = "Root@Example.com", password: str = "correct horse") -> Deps:
    data_dir = Path(tempfile.mkdtemp())
    return build_deps(database, Settings(admin_email=email, admin_password=password, data_dir=data_dir), FakeClock())


async def everybody(database: Database) -> list[User]:
    async with database.read() as connection:
        return list(await users.page(connection, after_id=0, limit=10))


async def test_it_is_made_where_there_is_none(database: Database):
    made = deps(database)
    await ensure_administrator(made)
    (user,) = await everybody(database)
    assert (user.email, user.username, user.role) == ("root@example.com", "root@example.com", "admin")
    assert not user.must_change_password
    async with database.read() as connection:
        found = await users.by_login(connection, "root@example.com")
    assert found is not None
    assert await made.hasher.verify(found[1], "correct horse")


async def test_it_is_made_once(database: Database):
    await ensure_administrator(deps(database))
    await ensure_administrator(deps(database, "another@example.com"))
    assert [user.email for user in await everybody(database)] == ["root@example.com"]


async def test_processes_that_start_together_make_one(database: Database):
    await asyncio.gather(*(ensure_administrator(deps(database)) for _ in range(4)))
    assert len(await everybody(database)) == 1


@on_sqlite
async def test_nobody_is_made_where_nobody_is_named(database: Database):
    await ensure_administrator(deps(database, "", ""))
    assert await everybody(database) == []


async def test_a_user_does_not_become_administrator_by_having_the_address(
    database: Database, caplog: pytest.LogCaptureFixture
):
    async with database.write() as connection:
        await users.add(
            connection,
            email="root@example.com",
            username="root",
            password_hash="x",
            role="user",
            now=FakeClock().now(),
        )
    with caplog.at_level(logging.ERROR):
        await ensure_administrator(deps(database))
    assert [user.role for user in await everybody(database)] == ["user"]
    assert "LLMROUTER_ADMIN_EMAIL" in caplog.text


@on_sqlite
@pytest.mark.parametrize(
    ("email", "password", "named"),
    [
        ("nobody", "correct horse", "LLMROUTER_ADMIN_EMAIL"),
        ("root@example.com", "short", "LLMROUTER_ADMIN_PASSWORD"),
    ],
)
async def test_settings_that_can_not_be_used_stop_the_start(database: Database, email: str, password: str, named: str):
    with pytest.raises(SettingsError, match=named) as caught:
        await ensure_administrator(deps(database, email, password))
    assert password not in str(caught.value)
