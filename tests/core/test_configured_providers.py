"""Providers that the configuration file declares, brought into the database."""

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from core.config.providers import DeclaredProvider
from core.configured_providers import bring_in_line
from core.deps import Deps
from core.secrets import Cipher
from core.settings import Settings
from core.store import changes, model_entries, providers
from core.store.database import Database
from core.store.providers import ProviderRow
from tests.support.clock import FakeClock
from tests.support.core import build_deps
from tests.support.database import on_sqlite


def provider(name: str = "main", **fields: Any) -> DeclaredProvider:
    chosen: dict[str, Any] = {"type": "openai", "base_url": f"http://{name}/v1", "api_key": f"sk-{name}"}
    return DeclaredProvider(name=name, **(chosen | fields))


class Stand:
    """The parts of a core and its database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.clock = FakeClock()
        self._folder = folder
        self.own = self.deps("own", database)

    def deps(self, name: str, database: Database) -> Deps:
        return build_deps(database, Settings(data_dir=self._folder / name), self.clock)

    async def declare(self, *declared: DeclaredProvider) -> list[int]:
        """Brings these in line; returns the numbers of the providers that were noted as changed."""
        self.clock.advance(1)
        async with self.database.read() as connection:
            before = await changes.last_id(connection)
        await bring_in_line(self.own, declared)
        async with self.database.read() as connection:
            return [change.object_id for change in await changes.since(connection, before)]

    async def rows(self) -> dict[str, ProviderRow]:
        async with self.database.read() as connection:
            return {row.name: row for row in await providers.all_rows(connection)}

    async def entries(self, provider_id: int) -> list[str]:
        async with self.database.read() as connection:
            return list(await model_entries.names_of(connection, provider_id))

    async def add(self, name: str, source: str) -> ProviderRow:
        """A provider that somebody else made."""
        async with self.database.write() as connection:
            return await providers.add(
                connection,
                name=name,
                type="openai",
                base_url="http://theirs/v1",
                api_key=self.own.cipher.encrypt("sk-theirs"),
                enabled=True,
                source=source,
                now=self.clock.now(),
            )

    def key(self, row: ProviderRow) -> str:
        return self.own.cipher.decrypt(row.api_key) if row.api_key else ""


@pytest.fixture
def stand(database: Database, tmp_path: Path) -> Stand:
    return Stand(database, tmp_path)


async def test_what_is_declared_is_made_in_the_files_order(stand: Stand) -> None:
    noted = await stand.declare(
        provider("b", enabled=False, connect_ms=1, first_byte_ms=2, idle_ms=3, models=("y", "x")),
        provider("a", api_key=""),
    )
    rows = await stand.rows()
    assert list(rows) == ["b", "a"]
    first = rows["b"]
    assert (first.type, first.base_url, first.enabled, first.source) == ("openai", "http://b/v1", False, "config")
    assert (first.connect_ms, first.first_byte_ms, first.idle_ms) == (1, 2, 3)
    assert stand.key(first) == "sk-b"
    assert rows["a"].api_key is None
    assert await stand.entries(first.id) == ["y", "x"]
    assert noted == [first.id, rows["a"].id]


async def test_the_same_file_again_changes_nothing(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    declared = provider(models=("x",))
    await stand.declare(declared)
    before = await stand.rows()
    with caplog.at_level(logging.INFO):
        assert await stand.declare(declared) == []
    assert await stand.rows() == before
    assert caplog.messages == []


async def test_a_change_in_the_file_is_made_and_nothing_else(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    await stand.declare(provider("a", models=("x", "y")), provider("b"))
    before = await stand.rows()
    with caplog.at_level(logging.INFO):
        noted = await stand.declare(provider("a", api_key="sk-new", idle_ms=9, models=("y", "z")), provider("b"))
    after = await stand.rows()
    assert (stand.key(after["a"]), after["a"].idle_ms, after["a"].id) == ("sk-new", 9, before["a"].id)
    assert after["b"] == before["b"]
    assert await stand.entries(before["a"].id) == ["y", "z"]
    assert noted == [before["a"].id]
    assert caplog.messages == ["provider 'a' was changed by the file: api_key, idle_ms"]


@on_sqlite
async def test_a_key_that_is_not_in_the_file_any_more_is_forgotten(stand: Stand) -> None:
    await stand.declare(provider())
    assert len(await stand.declare(provider(api_key=""))) == 1
    assert (await stand.rows())["main"].api_key is None


@on_sqlite
async def test_other_models_alone_are_a_change(stand: Stand) -> None:
    await stand.declare(provider(models=("x",)))
    row = (await stand.rows())["main"]
    assert await stand.declare(provider(models=())) == [row.id]
    assert await stand.entries(row.id) == []
    assert await stand.declare(provider(models=("z",))) == [row.id]
    assert await stand.entries(row.id) == ["z"]


@on_sqlite
async def test_what_the_api_changed_is_brought_back(stand: Stand) -> None:
    await stand.declare(provider(models=("x",)))
    row = (await stand.rows())["main"]
    async with stand.database.write() as connection:
        await providers.change(connection, row.id, {"base_url": "http://elsewhere", "enabled": False}, row.created_at)
        await model_entries.add(connection, row.id, "by-hand", row.created_at)
    assert await stand.declare(provider(models=("x",))) == [row.id]
    after = (await stand.rows())["main"]
    assert (after.base_url, after.enabled) == ("http://main/v1", True)
    assert await stand.entries(row.id) == ["x"]


@on_sqlite
async def test_a_key_that_nobody_can_read_any_more_is_replaced(stand: Stand) -> None:
    await stand.declare(provider())
    row = (await stand.rows())["main"]
    async with stand.database.write() as connection:
        lost = Cipher("a secret key that nobody has").encrypt("sk-main")
        await providers.change(connection, row.id, {"api_key": lost}, row.created_at)
    await stand.declare(provider())
    assert stand.key((await stand.rows())["main"]) == "sk-main"


async def test_what_vanished_from_the_file_is_disabled_and_comes_back(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    await stand.declare(provider("a", models=("x",)), provider("b"))
    before = await stand.rows()
    assert await stand.declare(provider("b")) == [before["a"].id]
    gone = (await stand.rows())["a"]
    assert (gone.enabled, gone.source, stand.key(gone)) == (False, "config", "sk-a")
    assert "provider 'a' is not in the file any more and was disabled" in caplog.messages
    assert await stand.declare(provider("b")) == []

    assert await stand.declare(provider("a", models=("x",)), provider("b")) == [before["a"].id]
    back = (await stand.rows())["a"]
    assert (back.id, back.enabled) == (before["a"].id, True)


async def test_what_others_made_is_left_alone_with_a_warning(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    theirs = await stand.add("main", "api")
    builtin = await stand.add("echo", "builtin")
    unnamed = await stand.add("unnamed", "api")
    assert await stand.declare(provider("main", models=("x",)), provider("echo")) == []
    assert list((await stand.rows()).values()) == [theirs, builtin, unnamed]
    assert await stand.entries(theirs.id) == []
    assert caplog.messages == [
        "provider 'main' has the source 'api' and is left alone",
        "provider 'echo' has the source 'builtin' and is left alone",
    ]


@on_sqlite
async def test_what_the_environment_declared_is_taken_over(stand: Stand) -> None:
    theirs = await stand.add("main", "environment")
    assert await stand.declare(provider("main")) == [theirs.id]
    row = (await stand.rows())["main"]
    assert (row.source, row.base_url, stand.key(row)) == ("config", "http://main/v1", "sk-main")


async def test_all_are_brought_in_line_or_none(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    await stand.declare(provider("a"))
    before = await stand.rows()
    add = model_entries.add

    async def fail(connection: Any, provider_id: int, name: str, now: datetime) -> Any:
        if name == "bad":
            raise RuntimeError("the last straw")
        return await add(connection, provider_id, name, now)

    monkeypatch.setattr(model_entries, "add", fail)
    with pytest.raises(RuntimeError):
        await stand.declare(provider("a", api_key="sk-other"), provider("b"), provider("c", models=("good", "bad")))
    assert await stand.rows() == before


async def test_processes_that_start_at_once_make_one_of_each(stand: Stand, database_url: str) -> None:
    declared = [provider(name, models=("x", "y")) for name in "abc"]
    others = [Database(database_url) for _ in range(3)]
    try:
        every = [stand.own, *(stand.deps(str(number), other) for number, other in enumerate(others))]
        orders = [declared, declared[::-1]] * 2
        await asyncio.gather(*(bring_in_line(each, order) for each, order in zip(every, orders, strict=True)))
    finally:
        for each in others:
            await each.close()
    rows = await stand.rows()
    assert sorted(rows) == ["a", "b", "c"]
    for row in rows.values():
        assert sorted(await stand.entries(row.id)) == ["x", "y"]
