"""The configuration file in force: at the start, at a reload, and while it is wrong."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from core.bootstrap import Service, build
from core.config.problems import ConfigurationError
from core.configuration import RouteWatch
from core.dialects.tokens import Tokens
from core.errors import DatabaseError
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.routing.lookup import Route, RouteTarget
from core.settings import Settings, SettingsError
from core.store import providers
from core.store.database import Database
from core.store.providers import ProviderRow
from tests.support.clock import FakeClock
from tests.support.core import SECRET_KEY, cheap_hasher
from tests.support.database import on_sqlite
from tests.support.openai_upstream import OpenAIUpstream
from tests.support.upstreams import Shelf

FILE = """
providers:
  - {{name: main, type: openai-compatible, base_url: "{url}", api_key: "${{KEY}}"}}
routes:
  - {{alias: fast, targets: [main/m]}}
prices:
  - {{model: m, input: 2, output: 0}}
"""
OTHER = """
providers:
  - {{name: other, type: openai-compatible, base_url: "{url}"}}
routes:
  - {{alias: slow, targets: [other/m]}}
prices:
  - {{model: m, input: 3, output: 0}}
"""


class Stand:
    """A file, and the core processes that read it."""

    def __init__(self, url: str, folder: Path, database_url: str) -> None:
        self.path = folder / "llmrouter.yaml"
        self.url = url
        self.environ: Mapping[str, str] = {"KEY": "sk-1"}
        self._folder = folder
        self._database_url = database_url
        self._running: list[Service] = []

    def write(self, text: str) -> None:
        self.path.write_text(text.format(url=self.url))

    async def start(self, worker: int = 0, *, named: bool = True, restarted: bool = False) -> Service:
        """Builds a core process that serves nobody."""
        settings = Settings(
            data_dir=self._folder / "data",
            database_url=self._database_url,
            secret_key=SECRET_KEY,
            config_file=self.path if named else None,
            environ=self.environ,
        )
        service = await build(settings, worker=worker, hasher=cheap_hasher(), restarted=restarted)
        self._running.append(service)
        await service.deps.catalog.refresh_due()
        return service

    async def stop(self) -> None:
        """Stops whatever runs."""
        while self._running:
            await self._running.pop().stop(0)

    async def rows(self, service: Service) -> dict[str, ProviderRow]:
        async with service.deps.database.read() as connection:
            return {row.name: row for row in await providers.all_rows(connection)}


def places(service: Service, model: str) -> list[str]:
    return [place.upstream.target.name for place in service.deps.catalog.candidates(model)]


def cost_of_a_million(service: Service) -> int | None:
    """Nano-dollars of a million tokens of `m`."""
    prices = service._prices  # pyright: ignore[reportPrivateUsage] - what a request costs, without making one
    return prices.cost("main", "openai-compatible", "m", Tokens(input=1_000_000))[0]


@pytest.fixture
async def stand(database_url: str, tmp_path: Path, openai_upstream: OpenAIUpstream) -> AsyncIterator[Stand]:
    openai_upstream.models = ["m"]
    stand = Stand(openai_upstream.base_url, tmp_path, database_url)
    yield stand
    await stand.stop()


async def test_the_file_is_in_force_from_the_start(stand: Stand) -> None:
    stand.write(FILE)
    service = await stand.start()
    assert (await stand.rows(service))["main"].source == "config"
    assert places(service, "fast") == places(service, "m") == ["main"]
    assert service.deps.catalog.candidates("fast")[0].upstream.target.api_key == "sk-1"
    assert cost_of_a_million(service) == 2 * 10**9


@on_sqlite
async def test_without_a_file_everything_stays_as_it_is(stand: Stand) -> None:
    stand.write(FILE)
    await stand.start()
    await stand.stop()
    service = await stand.start(named=False)
    await service.reload()
    assert (await stand.rows(service))["main"].enabled
    assert places(service, "m") == ["main"]
    assert places(service, "fast") == []
    assert cost_of_a_million(service) is None


@on_sqlite
async def test_a_bad_file_ends_the_start_and_leaves_no_trace(stand: Stand) -> None:
    stand.write("providers: [{{name: a, type: openai}}]\nrouts: []")
    with pytest.raises(SettingsError, match='line 2, column 1: routs: unknown key; did you mean "routes"'):
        await stand.start()
    stand.path.unlink()
    with pytest.raises(ConfigurationError, match="No such file"):
        await stand.start()
    stand.write("")
    assert await stand.rows(await stand.start()) == {}


@on_sqlite
async def test_a_process_that_starts_again_goes_on_with_the_last_good_file(
    stand: Stand, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stand.write("routs: []")
    with pytest.raises(SettingsError):
        await stand.start(restarted=True)  # there never was a good one
    stand.write(FILE)
    await stand.start()
    await stand.stop()
    stand.write("routs: []")
    with pytest.raises(SettingsError):
        await stand.start()  # a start is a start
    service = await stand.start(restarted=True)
    assert places(service, "fast") == ["main"]
    assert cost_of_a_million(service) == 2 * 10**9
    assert "going on with the last good configuration" in caplog.text
    copy = tmp_path / "data" / "last-good.yaml"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "sk-1" not in copy.read_text()

    stand.write(OTHER)
    await service.reload()  # becomes the last good one
    await stand.stop()
    stand.path.unlink()
    service = await stand.start(restarted=True)
    assert (places(service, "slow"), places(service, "fast")) == (["other"], [])


async def test_a_reload_puts_the_new_file_in_force(stand: Stand) -> None:
    stand.write(FILE)
    service = await stand.start()
    stand.write(OTHER)
    await service.reload()
    rows = await stand.rows(service)
    assert {name: row.enabled for name, row in rows.items()} == {"main": False, "other": True}
    assert cost_of_a_million(service) == 3 * 10**9
    await service.deps.catalog.load()  # as the poller of changes has it done
    await service.deps.catalog.refresh_due()
    assert (places(service, "slow"), places(service, "fast"), places(service, "m")) == (["other"], [], ["other"])


async def test_a_bad_file_at_a_reload_changes_nothing_and_is_told_in_one_line(stand: Stand) -> None:
    stand.write(FILE)
    service = await stand.start()
    before = await stand.rows(service)
    for text in (OTHER + "nonsense: 1\n", OTHER.replace("[other/m]", "[]"), "routes: [", OTHER + "x: ${{NOPE}}"):
        stand.write(text)
        with pytest.raises(SettingsError) as caught:
            await service.reload()
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(f"{stand.path} can't be used: line ")
    stand.path.unlink()
    with pytest.raises(SettingsError, match="No such file"):
        await service.reload()
    assert await stand.rows(service) == before
    assert (places(service, "fast"), places(service, "slow")) == (["main"], [])
    assert cost_of_a_million(service) == 2 * 10**9


@on_sqlite
async def test_a_database_that_is_away_at_a_reload_changes_nothing(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.write(FILE)
    service = await stand.start()
    stand.write(OTHER)

    def refuse(self: Database) -> None:
        raise DatabaseError

    monkeypatch.setattr(Database, "write", refuse)
    with pytest.raises(DatabaseError):
        await service.reload()
    monkeypatch.undo()
    assert (places(service, "fast"), cost_of_a_million(service)) == (["main"], 2 * 10**9)
    await service.reload()
    assert cost_of_a_million(service) == 3 * 10**9


async def test_every_process_reads_routes_and_prices_and_only_the_first_declares(stand: Stand) -> None:
    stand.write(FILE)
    first = await stand.start()
    second = await stand.start(1)
    assert (places(second, "fast"), cost_of_a_million(second)) == (["main"], 2 * 10**9)
    stand.write(OTHER)
    await second.reload()
    assert "other" not in await stand.rows(second)
    assert (places(second, "fast"), cost_of_a_million(second)) == ([], 3 * 10**9)
    await first.reload()
    assert "other" in await stand.rows(second)


@on_sqlite
async def test_the_file_wins_over_the_environment_and_the_api_over_the_file(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    stand.environ = {"KEY": "sk-1", "OPENAI_API_KEY": "sk-env"}
    stand.write("")
    service = await stand.start()
    assert (await stand.rows(service))["openai"].source == "environment"
    stand.write('providers: [{{name: openai, type: openai, base_url: "{url}"}}, {{name: mine, type: openai}}]')
    async with service.deps.database.write() as connection:
        await providers.add(
            connection,
            name="mine",
            type="vllm",
            base_url="http://mine",
            enabled=True,
            source="api",
            now=service.deps.clock.now(),
        )
    await service.reload()
    rows = await stand.rows(service)
    assert (rows["openai"].source, rows["openai"].base_url) == ("config", stand.url)
    assert (rows["mine"].source, rows["mine"].type) == ("api", "vllm")
    assert "provider 'mine' has the source 'api' and is left alone" in caplog.text
    await stand.stop()
    assert (await stand.rows(await stand.start()))["openai"].source == "config"


@on_sqlite
async def test_routes_that_lead_nowhere_are_told_once_until_that_changes(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    catalog = Catalog(database, clock, Health(clock), Shelf().make)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 4:
            raise asyncio.CancelledError

    catalog.set_routes([Route("fast", (RouteTarget("m"), RouteTarget("x", "nobody")))])
    watch = RouteWatch(catalog, sleep)
    with caplog.at_level(logging.INFO), pytest.raises(asyncio.CancelledError):
        await watch.run()
    assert slept[0] > slept[1]
    assert caplog.messages == [
        "route 'fast', target 'm': no enabled provider has this model",
        "route 'fast', target 'nobody/x': there is no such provider",
    ]
    caplog.clear()
    catalog.set_routes([Route("fast", (RouteTarget("m"),))])
    with caplog.at_level(logging.INFO):
        watch.look()
    assert caplog.messages == ["no longer so: route 'fast', target 'nobody/x': there is no such provider"]
