"""Providers and model entries in the database."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from core.store import model_entries, providers
from core.store.database import Database, violated
from core.store.providers import ProviderRow
from tests.support.clock import FakeClock

NOW = FakeClock().now()


async def add(database: Database, name: str, **columns: Any) -> ProviderRow:
    given: dict[str, Any] = {
        "type": "openai",
        "base_url": "https://a.internal/v1",
        "enabled": True,
        "source": "api",
        "now": NOW,
    }
    async with database.write() as connection:
        return await providers.add(connection, name=name, **(given | columns))


async def test_a_provider_comes_back_as_it_went_in(database: Database):
    made = await add(database, "main", api_key=b"\x00sealed\xff", connect_ms=1, first_byte_ms=2, idle_ms=3)
    assert (made.name, made.type, made.base_url, made.source) == ("main", "openai", "https://a.internal/v1", "api")
    assert (made.api_key, made.enabled) == (b"\x00sealed\xff", True)
    assert (made.connect_ms, made.first_byte_ms, made.idle_ms) == (1, 2, 3)
    assert (made.created_at, made.updated_at) == (NOW, NOW)
    async with database.read() as connection:
        assert await providers.get(connection, made.id) == made
        assert await providers.lock(connection, made.id) == made
        assert await providers.get_by_name(connection, "main") == made
        assert await providers.get_by_name(connection, "Main") is None
        assert await providers.get(connection, made.id + 1) is None
        assert await providers.lock(connection, made.id + 1) is None


async def test_no_key_is_shown_by_accident(database: Database):
    assert "sealed" not in repr(await add(database, "main", api_key=b"sealed"))


async def test_providers_are_listed_in_the_order_of_their_numbers(database: Database):
    rows = [await add(database, name) for name in ("c", "a", "b")]
    async with database.read() as connection:
        assert await providers.all_rows(connection) == rows
        assert await providers.page(connection, after_id=0, limit=2) == rows[:2]
        assert await providers.page(connection, after_id=rows[1].id, limit=2) == rows[2:]


async def test_a_taken_name_breaks_the_rule_of_names(database: Database):
    await add(database, "main")
    other = await add(database, "other")
    with pytest.raises(IntegrityError) as added:
        await add(database, "main")
    assert violated(added.value, "providers.name")
    with pytest.raises(IntegrityError) as changed:
        async with database.write() as connection:
            await providers.change(connection, other.id, {"name": "main"}, NOW)
    assert violated(changed.value, "providers.name")


async def test_a_change_leaves_what_it_does_not_name(database: Database):
    made, other = await add(database, "main", api_key=b"sealed"), await add(database, "other")
    later = NOW + timedelta(hours=1)
    async with database.write() as connection:
        changed = await providers.change(connection, made.id, {"enabled": False, "idle_ms": 9}, later)
        touched = await providers.change(connection, made.id, {}, later)
        assert await providers.change(connection, other.id + 1, {"enabled": False}, later) is None
        assert await providers.get(connection, other.id) == other
    assert changed is not None
    assert touched == changed
    assert (changed.enabled, changed.idle_ms, changed.api_key, changed.name) == (False, 9, b"sealed", "main")
    assert (changed.created_at, changed.updated_at) == (NOW, later)


async def test_a_removed_provider_takes_its_entries_along_and_its_number_is_not_given_again(database: Database):
    made = await add(database, "main")
    async with database.write() as connection:
        await model_entries.add(connection, made.id, "m", NOW)
        assert await providers.remove(connection, made.id)
        assert not await providers.remove(connection, made.id)
        assert await model_entries.all_rows(connection) == []
    assert (await add(database, "main")).id > made.id


async def test_entries_belong_to_their_provider(database: Database):
    first, second = await add(database, "first"), await add(database, "second")
    async with database.write() as connection:
        b = await model_entries.add(connection, first.id, "b", NOW)
        a = await model_entries.add(connection, first.id, "a", NOW)
        same = await model_entries.add(connection, second.id, "a", NOW)
    assert (b.provider_id, b.name, b.created_at, b.updated_at) == (first.id, "b", NOW, NOW)
    async with database.read() as connection:
        assert await model_entries.all_rows(connection) == [b, a, same]
        assert await model_entries.of_provider(connection, first.id) == [b, a]
        assert await model_entries.of_provider(connection, second.id + 1) == []
        assert await model_entries.of_providers(connection, [first.id, second.id]) == {
            first.id: [b, a],
            second.id: [same],
        }
        assert await model_entries.names_of(connection, first.id) == ["b", "a"]
    async with database.write() as connection:
        assert not await model_entries.remove(connection, a.id, second.id)
        assert await model_entries.remove(connection, a.id, first.id)
        assert await model_entries.names_of(connection, first.id) == ["b"]


async def test_an_entry_needs_a_provider_and_a_name_of_its_own(database: Database):
    made = await add(database, "main")
    async with database.write() as connection:
        await model_entries.add(connection, made.id, "m", NOW)
    for provider_id, name in ((made.id, "m"), (made.id + 1, "other")):
        with pytest.raises(IntegrityError):
            async with database.write() as connection:
                await model_entries.add(connection, provider_id, name, NOW)
