"""Records as they are stored, through UsageService: each once, in order, to whom they are to be seen by."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.auth import Principal
from core.errors import RateLimited
from core.ledger import usage_watch
from core.ledger.usage_watch import UsageWatch
from core.store import usage
from core.store.usage import Selection
from llmrouter.v1.account_pb2 import LogoutRequest
from llmrouter.v1.usage_pb2 import WatchUsageRequest, WatchUsageResponse
from tests.support.core import Core, CoreFactory, Person
from tests.support.database import FlakyDatabase, on_sqlite
from tests.support.records import usage_record
from tests.support.refusals import refused

PATIENCE = 10.0


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_watch, "_EVERY", 0.02)
    monkeypatch.setattr(usage_watch, "_FRESH", 0.0)


async def insert(core: Core, *rows: dict[str, Any]) -> None:
    async with core.deps.database.write() as connection:
        await usage.insert_records(connection, core.deps.database, rows)


def watch(core: Core, person: Person, **fields: Any) -> AsyncIterator[WatchUsageResponse]:
    return aiter(core.usage.WatchUsage(WatchUsageRequest(**fields), metadata=person.metadata))


async def names(watching: AsyncIterator[WatchUsageResponse], count: int) -> list[str]:
    """The ids of the next records, as many as that."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            found += [record.request_id for record in (await anext(watching)).records]
    return found


async def test_records_are_seen_as_they_come(core: Core):
    user, admin = await core.user(), await core.admin()
    await insert(core, usage_record("before", user_id=user.id))
    own, everybodys = watch(core, user), watch(core, admin)
    begins = await anext(own)
    assert (list(begins.records), begins.position > 0) == ([], True)
    await anext(everybodys)
    await insert(core, usage_record("a", user_id=user.id), usage_record("b", user_id=admin.id))
    await insert(core, usage_record("c", user_id=user.id))
    assert await names(own, 2) == ["a", "c"]
    assert await names(everybodys, 3) == ["a", "b", "c"]


async def test_a_watch_goes_on_where_another_ended(core: Core, core_factory: CoreFactory):
    user = await core.user()
    await insert(core, *(usage_record(f"req_{number:04d}", user_id=user.id) for number in range(1200)))
    first = watch(core, user, after_id=0)
    seen: list[str] = []
    position = 0
    while len(seen) < 500:
        batch = await anext(first)
        seen += [record.request_id for record in batch.records]
        position = batch.position
    async with core_factory() as another:
        seen += await names(watch(another, user, after_id=position), 1200 - len(seen))
    assert seen == [f"req_{number:04d}" for number in range(1200)]


async def test_a_watch_sees_what_it_asks_for(core: Core):
    admin = await core.admin()
    watching = watch(core, admin, model="large", provider="other", status_code=500, project="bot")
    await anext(watching)
    asked: dict[str, Any] = {"model": "large", "provider": "other", "status_code": 500, "project": "bot"}
    different: dict[str, Any] = {"model": "x", "provider": "x", "status_code": 404, "project": "x"}
    others = [usage_record(name, **asked | {name: different[name]}) for name in asked]
    await insert(core, *others, usage_record("this one", **asked))
    assert await names(watching, 1) == ["this one"]


async def test_a_watch_ends_with_its_credential(core: Core):
    user = await core.user()
    watching = watch(core, user)
    await anext(watching)
    await core.account.Logout(LogoutRequest(), metadata=user.metadata)
    with refused("UNAUTHENTICATED"):
        async with asyncio.timeout(PATIENCE):
            await anext(watching)


@on_sqlite
async def test_a_user_has_only_so_many_watches(core: Core, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(usage_watch, "MOST_OF_USER", 2)
    user, other = await core.user(), await core.user("other")
    running = [core.usage.WatchUsage(WatchUsageRequest(), metadata=user.metadata) for _ in range(2)]
    for each in running:
        await each.read()
    with refused("RATE_LIMITED"):
        await anext(watch(core, user))
    await anext(watch(core, other))


@on_sqlite
async def test_what_is_not_to_be_seen_is_not_watched(core: Core):
    user, other = await core.user(), await core.user("other")
    with refused("NOT_FOUND"):
        await anext(watch(core, user, user_id=other.id))


async def allowed() -> Principal:
    return Principal(1, "user", 1, "session", frozenset(), None)


@on_sqlite
async def test_a_place_is_free_again_when_a_watch_ends(flaky_database: FlakyDatabase, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(usage_watch, "MOST", 1)
    watches = UsageWatch(flaky_database)
    for _ in range(3):
        watching = watches.follow(allowed, Selection(), None)
        await anext(watching)
        with pytest.raises(RateLimited):
            await anext(watches.follow(allowed, Selection(), None))
        await watching.aclose()


@on_sqlite
async def test_a_watch_waits_an_outage_out(flaky_database: FlakyDatabase):
    looked = asyncio.Event()

    async def sleep(_: float) -> None:
        looked.set()
        await asyncio.sleep(0)

    watching = UsageWatch(flaky_database, sleep).follow(allowed, Selection(), None)
    await anext(watching)
    async with flaky_database.write() as connection:
        await usage.insert_records(connection, flaky_database, [usage_record("a", user_id=1)])
    flaky_database.down = True
    following = asyncio.ensure_future(anext(watching))
    async with asyncio.timeout(PATIENCE):
        await looked.wait()
        flaky_database.down = False
        batch = await following
    assert [row.request_id for row in batch.records] == ["a"]
    await watching.aclose()
