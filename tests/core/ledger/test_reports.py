"""Who may know what was used."""

import pytest

from core.auth import Principal
from core.errors import NotFound
from core.ledger import reports
from core.store import usage, users
from core.store.database import Database
from core.store.usage import Selection
from tests.support.records import START, usage_record


def principal(user_id: int, role: str = "user") -> Principal:
    return Principal(user_id, role, 1, "session", frozenset(), None)


@pytest.fixture
async def user_id(database: Database) -> int:
    """A user with one record; there is one of somebody who was removed (99), and one of nobody (0)."""
    async with database.write() as connection:
        user = await users.add(
            connection, email="a@b.example", username="a@b.example", password_hash="", role="user", now=START
        )
        rows = [usage_record(f"of {whose}", user_id=whose) for whose in (user.id, 99, 0)]
        await usage.insert_records(connection, database, rows)
    return user.id


async def seen(database: Database, who: Principal, whose: int | None = None) -> list[str]:
    selection = Selection(user_id=whose)
    return [row.request_id for row in await reports.records(database, who, selection, before_id=None, limit=10)]


async def test_a_user_sees_what_is_the_users(database: Database, user_id: int):
    me = principal(user_id)
    assert await seen(database, me) == await seen(database, me, user_id) == [f"of {user_id}"]
    assert (await reports.stats(database, me)).requests == 1
    for other in (99, 98, 0):
        with pytest.raises(NotFound):
            await seen(database, me, other)
    for other in (99, 98):
        with pytest.raises(NotFound):
            await reports.stats(database, me, other)


async def test_an_administrator_sees_everything(database: Database, user_id: int):
    admin = principal(user_id + 1, "admin")
    assert await seen(database, admin) == ["of 0", "of 99", f"of {user_id}"]
    assert await seen(database, admin, 99) == ["of 99"]
    assert await seen(database, admin, 98) == []
    assert (await reports.stats(database, admin, 99)).requests == 1
    with pytest.raises(NotFound):
        await reports.stats(database, admin, 98)
