"""Providers that the environment declares: made once, and then like any other."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from core.declared_providers import declare_providers
from core.deps import Deps
from core.secrets import Cipher
from core.settings import Settings, SettingsError
from core.store import changes, providers
from core.store.database import Database
from core.store.providers import ProviderRow
from tests.support.clock import FakeClock
from tests.support.core import build_deps
from tests.support.database import on_sqlite


class Stand:
    """The parts of a core, with an environment that a test chooses each time."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._starts = 0

    def deps(self, environ: Mapping[str, str], *, echo: bool = False, database: Database | None = None) -> Deps:
        self._starts += 1
        settings = Settings(data_dir=self._folder / str(self._starts), echo=echo, environ=environ)
        return build_deps(database or self._database, settings, FakeClock())

    async def start(self, environ: Mapping[str, str], *, echo: bool = False, tells: bool = True) -> None:
        await declare_providers(self.deps(environ, echo=echo), tells=tells)

    async def rows(self) -> list[ProviderRow]:
        async with self._database.read() as connection:
            return list(await providers.all_rows(connection))

    async def row(self) -> ProviderRow:
        (row,) = await self.rows()
        return row

    def key(self, row: ProviderRow) -> str:
        assert row.api_key is not None
        return self.deps({}).cipher.decrypt(row.api_key)


@pytest.fixture
def stand(database: Database, tmp_path: Path) -> Stand:
    return Stand(database, tmp_path)


async def test_what_is_declared_is_made_and_noted_for_other_processes(stand: Stand, database: Database) -> None:
    await stand.start({"OPENAI_API_KEY": "sk-1", "OLLAMA_BASE_URL": "http://gpu:11434"}, echo=True)
    rows = {row.name: row for row in await stand.rows()}
    assert {name: (row.type, row.source, row.enabled) for name, row in rows.items()} == {
        "openai": ("openai", "environment", True),
        "ollama": ("ollama", "environment", True),
        "echo": ("echo", "builtin", True),
    }
    assert stand.key(rows["openai"]) == "sk-1"
    assert (rows["ollama"].base_url, rows["ollama"].api_key) == ("http://gpu:11434/v1", None)
    async with database.read() as connection:
        noted = await changes.since(connection, 0)
    assert {(change.kind, change.object_id) for change in noted} == {("provider", row.id) for row in rows.values()}


@on_sqlite
async def test_a_second_start_changes_nothing(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    await stand.start({"OPENAI_API_KEY": "sk-1"}, echo=True)
    before = await stand.rows()
    with caplog.at_level(logging.INFO):
        await stand.start({"OPENAI_API_KEY": "sk-1"}, echo=True)
    assert await stand.rows() == before
    assert caplog.messages == []


@on_sqlite
async def test_another_key_in_the_environment_is_told_and_not_taken(
    stand: Stand, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await stand.start({"OPENAI_API_KEY": "sk-1"})
    row = await stand.row()
    async with database.write() as connection:  # as the API does it
        by_api = stand.deps({}).cipher.encrypt("sk-by-api")
        await providers.change(connection, row.id, {"api_key": by_api, "enabled": False}, FakeClock().now())
    environ = {"OPENAI_API_KEY": "sk-2", "OPENAI_BASE_URL": "http://elsewhere/v1"}
    await stand.start(environ, tells=False)
    assert "keeps the key" not in caplog.text  # of several workers one tells it
    await stand.start(environ)
    after = await stand.row()
    assert (stand.key(after), after.base_url, after.enabled) == ("sk-by-api", row.base_url, False)
    assert "provider 'openai' keeps the key it has" in caplog.text
    assert "sk-" not in caplog.text


@on_sqlite
async def test_a_provider_of_another_origin_is_left_alone_in_silence(
    stand: Stand, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with database.write() as connection:
        made = await providers.add(
            connection,
            name="openai",
            type="vllm",
            base_url="http://mine/v1",
            enabled=True,
            source="api",
            now=FakeClock().now(),
        )
    await stand.start({"OPENAI_API_KEY": "sk-1"})
    assert await stand.row() == made
    assert caplog.messages == []


@on_sqlite
async def test_a_key_that_cannot_be_read_any_more_is_left_to_the_catalog(stand: Stand, database: Database) -> None:
    await stand.start({"OPENAI_API_KEY": "sk-1"})
    row = await stand.row()
    async with database.write() as connection:
        lost = Cipher("a secret key that nobody has").encrypt("sk-1")
        await providers.change(connection, row.id, {"api_key": lost}, FakeClock().now())
    await stand.start({"OPENAI_API_KEY": "sk-1"})
    assert (await stand.row()).api_key == lost


async def test_processes_that_start_at_once_make_one_of_each(
    stand: Stand, database: Database, database_url: str
) -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": "gsk_1", "MISTRAL_API_KEY": "1"}
    others = [Database(database_url) for _ in range(3)]
    try:
        every = [stand.deps(environ, echo=True, database=each) for each in (database, *others)]
        await asyncio.gather(*map(declare_providers, every))
    finally:
        for each in others:
            await each.close()
    assert sorted(row.name for row in await stand.rows()) == ["echo", "groq", "mistral", "openai"]


@on_sqlite
async def test_echo_stays_declared_while_it_is_switched_off(stand: Stand) -> None:
    await stand.start({}, echo=True)
    row = await stand.row()
    await stand.start({})
    await stand.start({}, echo=True)
    assert await stand.row() == row


@on_sqlite
async def test_an_address_that_cannot_be_used_ends_the_start_and_makes_nothing(stand: Stand) -> None:
    with pytest.raises(SettingsError, match="OPENAI_BASE_URL"):
        await stand.start({"GROQ_API_KEY": "gsk_1", "OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "nowhere"}, echo=True)
    assert await stand.rows() == []
