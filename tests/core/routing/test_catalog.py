"""What is known of the providers' models, while providers come, go and fail."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.bootstrap import upstreams
from core.errors import NotFound, RefreshFailed
from core.ids import new_id
from core.providers.session import Session
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.routing.lookup import Route, RouteTarget
from core.secrets import Cipher
from core.settings import Settings
from core.store import model_entries, model_lists, providers
from core.store.database import Database
from core.store.providers import ProviderChange, ProviderRow
from tests.support.clock import FakeClock
from tests.support.core import SECRET_KEY
from tests.support.database import FlakyDatabase, on_sqlite
from tests.support.openai_upstream import MODEL, Answer, OpenAIUpstream, error, redirect, refuse, whole
from tests.support.upstreams import FakeUpstream, Shelf

pytestmark = on_sqlite


class Moody(FakeUpstream):
    """A provider that takes as long to tell its models as the test wants, or fails in a way nobody foresaw."""

    def __init__(self, row: ProviderRow, shelf: "MoodyShelf") -> None:
        super().__init__(row, shelf)
        self._gate = shelf.gates.get(row.name)
        self._broken = shelf.broken

    async def models(self) -> list[str]:
        if self.target.name in self._broken:
            self._broken.discard(self.target.name)
            raise KeyError("a fault")
        found = await super().models()
        if self._gate is not None:
            await self._gate.wait()
        return found


class MoodyShelf(Shelf):
    def __init__(self) -> None:
        super().__init__()
        self.gates: dict[str, asyncio.Event] = {}
        self.broken: set[str] = set()

    def make(self, row: ProviderRow) -> FakeUpstream:
        return Moody(row, self)


@dataclass
class Stand:
    """A catalog and what it reads from."""

    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    shelf: MoodyShelf = field(default_factory=MoodyShelf)
    ticks: "asyncio.Queue[None]" = field(default_factory=lambda: asyncio.Queue[None]())

    def __post_init__(self) -> None:
        self.health = Health(self.clock)
        self.catalog = Catalog(self.database, self.clock, self.health, self.shelf.make, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        await self.ticks.get()

    async def add(self, name: str, *models: str, listed: bool = True, **columns: Any) -> int:
        """A provider that has these models; listed: and says so."""
        if listed:
            self.shelf.models[name] = list(models)
        values: dict[str, Any] = {"type": "openai", "base_url": f"http://{name}", "enabled": True, "source": "api"}
        async with self.database.write() as connection:
            row = await providers.add(connection, name=name, **(values | columns), now=self.clock.now())
        return row.id

    async def change(self, provider_id: int, **values: Any) -> None:
        self.clock.advance(1)
        wanted: ProviderChange = values  # pyright: ignore[reportAssignmentType] - the test names columns
        async with self.database.write() as connection:
            await providers.change(connection, provider_id, wanted, self.clock.now())

    def places(self, model: str) -> Sequence[str]:
        return [place.upstream.target.name for place in self.catalog.candidates(model)]


@pytest.fixture
def stand(database: Database) -> Stand:
    return Stand(database)


async def until(true: Any) -> None:
    """Lets other tasks run until something is so."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


async def test_models_are_those_of_all_enabled_providers_the_first_made_first(stand: Stand) -> None:
    await stand.add("a", "m", "n")
    await stand.add("b", "m")
    await stand.add("off", "m", "x", enabled=False)
    await stand.catalog.load()
    assert stand.catalog.models() == {}
    await stand.catalog.refresh_due()
    assert stand.places("m") == ["a", "b"]
    assert set(stand.catalog.models()) == {"m", "n"}
    assert stand.shelf.pulls == ["a", "b"]


async def test_models_added_by_hand_are_offered_beside_those_listed_and_before_any_pull(stand: Stand) -> None:
    number = await stand.add("a", "m")
    async with stand.database.write() as connection:
        await model_entries.add(connection, number, "by-hand", stand.clock.now())
        await model_entries.add(connection, number, "m", stand.clock.now())
    await stand.catalog.load()
    assert set(stand.catalog.models()) == {"by-hand", "m"}
    await stand.catalog.refresh_due()
    assert stand.places("by-hand") == stand.places("m") == ["a"]


async def test_a_dead_provider_is_waited_for_by_nobody_and_asked_again_less_and_less_often(stand: Stand) -> None:
    dead = await stand.add("dead", listed=False)
    await stand.add("good", "m")
    await stand.catalog.load()
    await stand.catalog.refresh_due()
    assert stand.places("m") == ["good"]
    assert stand.catalog.runtime(dead).error == "nobody answers there"
    asked: list[int] = []
    for second in range(1, 64):
        stand.clock.advance(1)
        before = len(stand.shelf.pulls)
        await stand.catalog.refresh_due()
        asked += [second] * (len(stand.shelf.pulls) - before)
    assert asked == [2, 6, 14, 30, 62]


async def test_a_list_that_was_good_stays_while_the_provider_is_dead(stand: Stand) -> None:
    number = await stand.add("a", "m")
    await stand.catalog.load()
    await stand.catalog.refresh_due()
    first = stand.catalog.runtime(number)
    del stand.shelf.models["a"]
    stand.clock.advance(601)
    await stand.catalog.refresh_due()
    after = stand.catalog.runtime(number)
    assert (after.models, after.error, after.refreshed_at) == (("m",), "nobody answers there", first.refreshed_at)
    assert stand.places("m") == ["a"]
    with pytest.raises(RefreshFailed, match="nobody answers there"):
        await stand.catalog.refresh(number)

    stand.shelf.models["a"] = ["n"]
    await stand.catalog.refresh(number)
    assert stand.catalog.runtime(number).error == ""
    assert set(stand.catalog.models()) == {"n"}


async def test_a_restart_goes_by_the_last_good_list_while_the_provider_is_dead(stand: Stand) -> None:
    number, moved = await stand.add("a", "m"), await stand.add("moved", "x")
    await stand.catalog.load()
    await stand.catalog.refresh_due()
    pulled_at = stand.catalog.runtime(number).refreshed_at
    stand.shelf.models.clear()
    stand.clock.advance(60)
    await stand.change(moved, base_url="http://elsewhere")

    after = Stand(stand.database, stand.clock, stand.shelf)
    await after.catalog.load()
    assert (after.places("m"), after.places("x")) == (["a"], [])
    assert "not heard since the start" in after.catalog.runtime(number).error
    assert after.catalog.runtime(number).refreshed_at == pulled_at
    await after.catalog.refresh_due()
    assert after.places("m") == ["a"]
    assert after.catalog.runtime(number).error == "nobody answers there"
    assert after.catalog.runtime(moved).models == ()

    stand.shelf.models["a"] = ["n"]
    await after.catalog.refresh(number)
    assert (after.catalog.runtime(number).error, set(after.catalog.models())) == ("", {"n"})
    third = Stand(stand.database, stand.clock, stand.shelf)
    await third.catalog.load()
    assert set(third.catalog.models()) == {"n"}


async def test_a_model_that_is_new_since_the_last_start_is_waited_for(stand: Stand) -> None:
    await stand.add("a", "m")
    await stand.catalog.load()
    await stand.catalog.refresh_due()
    stand.shelf.models["a"] = ["m", "new"]
    after = Stand(stand.database, stand.clock, stand.shelf)
    await after.catalog.load()
    asked = asyncio.create_task(after.catalog.candidates_soon("new"))
    await asyncio.sleep(0)
    await after.catalog.refresh_due()
    assert [place.model for place in await asked] == ["new"]


async def test_an_unchanged_list_is_written_once_a_day(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await stand.add("a", "m")
    await stand.catalog.load()
    written: list[object] = []
    keep = model_lists.keep

    async def watched(*arguments: Any) -> None:
        written.append(arguments)
        await keep(*arguments)

    monkeypatch.setattr(model_lists, "keep", watched)
    for _ in range(3):
        await stand.catalog.refresh(number)
        stand.clock.advance(600)
    assert len(written) == 1
    stand.clock.advance(24 * 3600)
    await stand.catalog.refresh(number)
    assert len(written) == 2


async def test_a_list_that_the_database_does_not_take_is_good_nevertheless(
    flaky_database: FlakyDatabase,
) -> None:
    stand = Stand(flaky_database)
    number = await stand.add("a", "m")
    await stand.catalog.load()
    flaky_database.down = True
    await stand.catalog.refresh_due()
    assert stand.places("m") == ["a"]
    flaky_database.down = False
    await stand.catalog.refresh(number)
    after = Stand(flaky_database, stand.clock)
    await after.catalog.load()
    assert after.places("m") == ["a"]


async def test_a_list_is_pulled_again_every_ten_minutes(stand: Stand) -> None:
    await stand.add("a", "m")
    await stand.catalog.load()
    await stand.catalog.refresh_due()
    stand.clock.advance(599)
    await stand.catalog.refresh_due()
    assert stand.shelf.pulls == ["a"]
    stand.shelf.models["a"] = ["m", "new"]
    stand.clock.advance(2)
    await stand.catalog.refresh_due()
    assert stand.places("new") == ["a"]


async def test_a_change_shows_at_once(stand: Stand) -> None:
    number = await stand.add("a", "m")
    await stand.catalog.load()
    await stand.catalog.refresh_due()
    stand.health.failed(number, 60.0)

    await stand.change(number, enabled=False)
    await stand.catalog.provider_changed(number)
    assert stand.catalog.models() == {}
    assert stand.catalog.runtime(number).models == ()
    assert stand.health.all_well()

    await stand.change(number, enabled=True)
    await stand.catalog.provider_changed(number)
    assert stand.places("m") == ["a"]

    stand.shelf.models["b"] = ["m"]
    await stand.change(number, name="b")
    await stand.catalog.provider_changed(number)
    assert (stand.places("m"), stand.places("b/m"), stand.places("a/m")) == (["b"], ["b"], [])

    async with stand.database.write() as connection:
        await providers.remove(connection, number)
    await stand.catalog.provider_changed(number)
    assert stand.catalog.models() == {}
    with pytest.raises(NotFound):
        await stand.catalog.refresh(number)


async def test_another_address_forgets_the_models_and_another_key_keeps_them(stand: Stand) -> None:
    number = await stand.add("a", "m")
    await stand.catalog.load()
    await stand.catalog.refresh_due()
    del stand.shelf.models["a"]
    await stand.change(number, api_key=b"another")
    await stand.catalog.provider_changed(number)
    assert stand.places("m") == ["a"]
    await stand.change(number, base_url="http://elsewhere")
    await stand.catalog.provider_changed(number)
    assert stand.places("m") == []


async def test_reading_everything_anew_loses_no_pull_that_is_on_its_way(stand: Stand) -> None:
    gate = stand.shelf.gates["slow"] = asyncio.Event()
    await stand.add("slow", "m")
    await stand.catalog.load()
    pulling = asyncio.create_task(stand.catalog.refresh_due())
    await until(lambda: stand.shelf.pulls)
    await stand.catalog.load()
    gate.set()
    await pulling
    assert stand.places("m") == ["slow"]
    await stand.catalog.refresh_due()
    assert stand.shelf.pulls == ["slow"]


async def test_a_provider_that_hangs_keeps_no_other_waiting(stand: Stand) -> None:
    stand.shelf.gates["hanging"] = asyncio.Event()
    await stand.add("hanging", "h")
    await stand.catalog.load()
    keeping = asyncio.create_task(stand.catalog.keep_fresh())
    await until(lambda: stand.shelf.pulls == ["hanging"])
    await stand.add("good", "m")
    await stand.catalog.load()
    stand.ticks.put_nowait(None)
    await until(lambda: stand.places("m") == ["good"])
    keeping.cancel()
    await asyncio.wait([keeping])
    assert keeping.cancelled()


async def test_a_fault_of_ours_does_not_end_the_refreshing(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    stand.shelf.broken.add("a")
    number = await stand.add("a", "m")
    await stand.catalog.load()
    keeping = asyncio.create_task(stand.catalog.keep_fresh())
    await until(lambda: stand.catalog.runtime(number).error)
    assert "a fault while the models of provider 'a' were pulled" in caplog.text
    stand.clock.advance(3)
    stand.ticks.put_nowait(None)
    await until(lambda: stand.places("m"))
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_routes_follow_the_providers_and_are_replaced_whole(stand: Stand) -> None:
    await stand.add("a", "m")
    await stand.add("b", "m", "n")
    stand.catalog.set_routes([Route("r", (RouteTarget("b/n"), RouteTarget("m")))])
    assert stand.places("r") == []
    await stand.catalog.load()
    await stand.catalog.refresh_due()
    assert stand.places("r") == ["b", "a", "b"]
    assert stand.catalog.is_alias("r")
    assert stand.catalog.doubts() == []
    stand.catalog.set_routes([Route("s", (RouteTarget("absent"),))])
    assert (stand.places("r"), stand.places("s")) == ([], [])
    assert len(stand.catalog.doubts()) == 1


@dataclass
class Wired:
    """A catalog whose providers are called over HTTP, as the service makes them."""

    database: Database
    clock: FakeClock
    cipher: Cipher
    session: Any

    def catalog(self, *, echo: bool = False) -> Catalog:
        make = upstreams(Settings(echo=echo), self.cipher, self.session, self.clock, new_id)
        return Catalog(self.database, self.clock, Health(self.clock), make)

    async def add(self, name: str, **columns: Any) -> int:
        values: dict[str, Any] = {"type": "openai", "base_url": "", "enabled": True, "source": "api"}
        async with self.database.write() as connection:
            row = await providers.add(connection, name=name, **(values | columns), now=self.clock.now())
        return row.id


@pytest.fixture
async def wired(database: Database) -> AsyncIterator[Wired]:
    async with Session() as session:
        yield Wired(database, FakeClock(), Cipher(SECRET_KEY), session)


async def test_models_are_pulled_over_http(wired: Wired, openai_upstream: OpenAIUpstream) -> None:
    openai_upstream.models = ["m", "team/m"]
    await wired.add("dead", base_url="http://127.0.0.1:1/v1")
    await wired.add("a", base_url=openai_upstream.base_url)
    catalog = wired.catalog()
    await catalog.load()
    await catalog.refresh_due()
    assert set(catalog.models()) == {"m", "team/m"}
    assert catalog.runtime(1).error == "the provider could not be reached: the connection was refused"


@pytest.mark.parametrize(
    ("listing", "says"),
    [
        (error(500), "the provider answered 500 when asked for its models"),
        (error(401, "bad key sk-1"), "the provider answered 401 when asked for its models"),
        (redirect("http://127.0.0.1:1/"), "the provider answered 302 when asked for its models"),
        (whole(b"<html>", content_type="text/html"), "not what the OpenAI API describes"),
        (whole(b""), "not what the OpenAI API describes"),
        (whole(b'{"error": {"message": "overloaded"}}'), "not what the OpenAI API describes"),
        (whole(b'{"data": {"id": "m"}}'), "not what the OpenAI API describes"),
        (whole(b'{"data": [{"id": 7}]}'), "not what the OpenAI API describes"),
        (whole(b'{"data": [', missing=10), "the connection broke off"),
        (refuse(), "the connection broke off"),
    ],
)
async def test_what_is_no_list_of_models_empties_none(
    wired: Wired, openai_upstream: OpenAIUpstream, listing: Answer, says: str
) -> None:
    number = await wired.add("a", base_url=openai_upstream.base_url)
    catalog = wired.catalog()
    await catalog.load()
    await catalog.refresh_due()
    openai_upstream.listing = listing
    with pytest.raises(RefreshFailed, match=says):
        await catalog.refresh(number)
    assert set(catalog.models()) == {MODEL}


@pytest.mark.parametrize(
    ("listing", "models"),
    [
        (b'{"object": "list", "data": []}', set[str]()),
        (b"[]", set[str]()),
        (b'[{"id": "x"}, {"name": "y"}, {"id": ""}, {"id": "x"}]', {"x", "y"}),
        (b'{"models": [{"name": "z"}]}', {"z"}),
        (b'{"data": [{"id": "' + b"n" * 301 + b'"}, {"id": "w", "more": {}}]}', {"w"}),
    ],
)
async def test_lists_of_models_come_in_several_shapes(
    wired: Wired, openai_upstream: OpenAIUpstream, listing: bytes, models: set[str]
) -> None:
    openai_upstream.listing = whole(listing)
    await wired.add("a", base_url=openai_upstream.base_url)
    catalog = wired.catalog()
    await catalog.load()
    await catalog.refresh_due()
    assert set(catalog.models()) == models


@pytest.mark.parametrize("status", [401, 404])
async def test_a_vendor_that_documents_no_list_of_models_may_have_none(
    wired: Wired, openai_upstream: OpenAIUpstream, status: int
) -> None:
    openai_upstream.listing = error(status)
    number = await wired.add("command", type="cohere", base_url=openai_upstream.base_url)
    catalog = wired.catalog()
    await catalog.load()
    await catalog.refresh(number)
    assert catalog.runtime(number).error == ""
    assert [candidate.model for candidate in catalog.candidates("command/command-a")] == ["command-a"]


async def test_a_vendor_without_a_list_of_models_can_still_be_out_of_reach(
    wired: Wired, openai_upstream: OpenAIUpstream
) -> None:
    openai_upstream.listing = error(500)
    number = await wired.add("command", type="cohere", base_url=openai_upstream.base_url)
    catalog = wired.catalog()
    await catalog.load()
    with pytest.raises(RefreshFailed, match="answered 500"):
        await catalog.refresh(number)


async def test_a_key_that_cannot_be_read_takes_its_provider_out_and_is_told_once(
    wired: Wired, caplog: pytest.LogCaptureFixture
) -> None:
    await wired.add("lost", base_url="http://127.0.0.1:1/v1", api_key=Cipher("another secret key").encrypt("sk-1"))
    catalog = wired.catalog()
    with caplog.at_level(logging.ERROR):
        await catalog.load()
        await catalog.load()
    (said,) = caplog.messages
    assert said.startswith("provider 'lost' can't be used: its key was encrypted with another secret key")
    assert catalog.candidates("lost/m") == ()


async def test_who_asks_for_the_models_of_a_provider_that_cannot_be_used_hears_why(wired: Wired) -> None:
    lost = await wired.add(
        "lost", base_url="http://127.0.0.1:1/v1", api_key=Cipher("another secret key").encrypt("sk-1")
    )
    catalog = wired.catalog()
    await catalog.load()
    assert "another secret key" in catalog.runtime(lost).error
    with pytest.raises(RefreshFailed, match="another secret key"):
        await catalog.refresh(lost)


async def test_echo_is_offered_while_it_is_switched_on_and_never_else(wired: Wired) -> None:
    await wired.add("echo", type="echo", source="builtin")
    for on in (True, False, True):
        catalog = wired.catalog(echo=on)
        await catalog.load()
        await catalog.refresh_due()
        assert set(catalog.models()) == ({"echo", "echo-embedding"} if on else set())
        assert [len(catalog.candidates(name)) for name in ("echo", "echo/echo")] == ([1, 1] if on else [0, 0])


async def test_a_service_that_has_just_started_waits_for_a_models_provider_to_be_heard(stand: Stand) -> None:
    await stand.add("quick", "n")
    await stand.add("slow", "m")
    gate = stand.shelf.gates["slow"] = asyncio.Event()
    await stand.catalog.load()
    asking = asyncio.create_task(stand.catalog.candidates_soon("m"))
    pulling = asyncio.create_task(stand.catalog.refresh_due())
    await until(lambda: stand.places("n"))
    assert not asking.done()
    gate.set()
    assert [place.upstream.target.name for place in await asking] == ["slow"]
    await pulling


async def test_nobody_waits_for_a_model_once_every_provider_was_heard_or_failed(stand: Stand) -> None:
    assert await stand.catalog.candidates_soon("m") == ()
    await stand.add("dead", listed=False)
    await stand.catalog.load()
    asking = asyncio.create_task(stand.catalog.candidates_soon("m"))
    await stand.catalog.refresh_due()
    assert await asking == ()


async def test_a_provider_that_is_silent_at_the_start_is_not_waited_for_long(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.routing.catalog._FIRST_WORDS", 0.01)
    await stand.add("silent", "m")
    await stand.catalog.load()
    assert await stand.catalog.candidates_soon("m") == ()
