"""kill -9 in the middle of everything: each request that was sent has one usage record, and no client is lied to.

clients ─200─► facade ─► core ─► provider (tests/support/openai_upstream.py, held back by a gate)
                 ✂        ✂
"""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa

from core.store.usage import UsageRow
from tests.support.database import Postgres, on_postgres, on_sqlite
from tests.support.openai_upstream import Gate, OpenAIUpstream, stream
from tests.support.router import CHAT
from tests.support.service import Service, StartService

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

MODEL = "under-fire"
WORDS = ("one ", "two ", "three ", "four ", "five ")
REQUESTS = 200

# What a client may hear instead of its answer.
_CLEAR = ("interrupted", "not available", "stopping")


@dataclass
class Outcome:
    """What a client had of its request."""

    name: str
    status: int = 0  # 0: the connection broke
    body: bytes = b""
    streamed: bool = False

    @property
    def whole(self) -> bool:
        if self.status != 200:
            return False
        return self.body.endswith(b"data: [DONE]\n\n") if self.streamed else b'"usage"' in self.body

    @property
    def clear(self) -> bool:
        """Whether it was told that its answer failed, and not only left with a part of it."""
        text = self.body.decode()
        if self.status == 200:
            return "[DONE]" not in text and '"error"' in text and any(word in text for word in _CLEAR)
        return self.status == 503 and any(word in text for word in _CLEAR)


@dataclass
class Fire:
    """Many clients at once."""

    service: Service
    session: aiohttp.ClientSession
    upstream: OpenAIUpstream
    sent: list[str] = field(default_factory=list[str])

    def shoot(self, count: int) -> list["asyncio.Task[Outcome]"]:
        """Sends so many requests, every other one for a stream."""
        names = [f"shot-{number}" for number in range(len(self.sent), len(self.sent) + count)]
        self.sent += names
        return [asyncio.create_task(self._one(name, streamed=number % 2 == 0)) for number, name in enumerate(names)]

    async def _one(self, name: str, *, streamed: bool) -> Outcome:
        outcome = Outcome(name, streamed=streamed)
        body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": name}], "stream": streamed}
        headers = {"Authorization": f"Bearer {self.service.key}", "X-Request-Id": name}
        with suppress(aiohttp.ClientError):
            async with self.session.post(self.service.base_url + CHAT, json=body, headers=headers) as answer:
                outcome.status = answer.status
                async for data in answer.content.iter_any():
                    outcome.body += data
        return outcome

    async def under_way(self, count: int) -> None:
        """Waits until so many requests have reached the provider."""
        async with asyncio.timeout(20):
            while len(self.upstream.requests) < count:
                await asyncio.sleep(0.01)

    async def records(self) -> list[UsageRow]:
        """The records of what was sent: one each."""
        found = await self.service.records_when(lambda found: len(_named(found)) >= len(self.sent))
        assert _named(found) == Counter(self.sent)
        return [row for row in found if row.request_id.startswith("shot-")]

    async def goes_on(self) -> None:
        """Waits until the service answers again, as often as it takes its provider's models to be known."""
        async with asyncio.timeout(20):
            while not (await self.shoot(1)[0]).whole:
                await asyncio.sleep(0.05)


def _named(rows: Sequence[UsageRow]) -> Counter[str]:
    """How often each shot is in the accounts."""
    return Counter(row.request_id.partition(".")[0] for row in rows if row.request_id.startswith("shot-"))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


async def ready_to_fire(service: Service, session: aiohttp.ClientSession, upstream: OpenAIUpstream) -> Fire:
    """The service with a provider that holds its answers back until `gate` opens."""
    upstream.models = [MODEL]
    await service.add_provider(upstream.base_url)
    return Fire(service, session, upstream)


async def half_done(fire: Fire, gate: Gate) -> list["asyncio.Task[Outcome]"]:
    """Requests of which some are answered, some are being streamed and some still wait for the head."""
    shots = fire.shoot(REQUESTS)
    await fire.under_way(REQUESTS)
    gate.let(REQUESTS)
    async with asyncio.timeout(20):
        while sum(shot.done() for shot in shots) < REQUESTS // 10:
            await asyncio.sleep(0.01)
            gate.let(REQUESTS // 20)
        while not any(b"\nP" in path.read_bytes() for path in fire.service.data_dir.glob("journal/*/*.log")):
            await asyncio.sleep(0.01)  # until it is noted how far they are, which is once a second
    return shots


def assert_honest(outcomes: Sequence[Outcome]) -> None:
    dishonest = [outcome for outcome in outcomes if not outcome.whole and not outcome.clear]
    assert not dishonest, dishonest[:3]


@pytest.mark.parametrize("supervised", [False, True], ids=["alone", "supervised"])
async def test_the_core_is_killed_under_load(
    start_service: StartService,
    database_url: str,
    session: aiohttp.ClientSession,
    openai_upstream: OpenAIUpstream,
    supervised: bool,
):
    service = start_service(supervised=supervised, database_url=database_url)
    fire = await ready_to_fire(service, session, openai_upstream)
    gate = Gate()
    openai_upstream.always(stream(WORDS, gate=gate))
    shots = await half_done(fire, gate)
    service.kill_core()
    shots += fire.shoot(20)  # while nobody is there
    await asyncio.sleep(0.1)
    if not supervised:
        service.start_part("core")
    gate.open()
    await asyncio.to_thread(service.wait_ready)
    outcomes = await asyncio.gather(*shots)
    assert_honest(outcomes)
    await fire.goes_on()
    records = await fire.records()
    answered = {outcome.name for outcome in outcomes if outcome.whole}
    by_name = {row.request_id.partition(".")[0]: row for row in records}
    assert all(by_name[name].outcome == "answered" for name in answered)
    lost = [row for row in records if row.outcome == "lost"]
    assert len(lost) >= REQUESTS // 4
    assert any(row.streamed and row.output_tokens and row.token_source == "estimated" for row in lost)


@on_sqlite
async def test_the_facade_is_killed_under_load(
    start_service: StartService, database_url: str, session: aiohttp.ClientSession, openai_upstream: OpenAIUpstream
):
    service = start_service(database_url=database_url)
    fire = await ready_to_fire(service, session, openai_upstream)
    gate = Gate()
    openai_upstream.always(stream(WORDS, gate=gate))
    shots = await half_done(fire, gate)
    service.kill_facade()
    outcomes = await asyncio.gather(*shots)
    async with asyncio.timeout(20):
        while (
            openai_upstream.hang_ups + sum(request.answered.is_set() for request in openai_upstream.requests) < REQUESTS
        ):
            await asyncio.sleep(0.01)  # every provider's work was ended
    service.start_part("facade")
    await asyncio.to_thread(service.wait_ready)
    gate.open()
    await fire.goes_on()
    records = {row.request_id.partition(".")[0]: row for row in await fire.records()}
    assert {row.outcome for row in records.values()} == {"answered", "hung_up"}
    assert all(records[outcome.name].outcome == "answered" for outcome in outcomes if outcome.whole)
    assert sum(row.outcome == "hung_up" for row in records.values()) >= REQUESTS // 4


@on_postgres
async def test_the_core_is_killed_while_postgresql_is_away(
    start_service: StartService,
    database_url: str,
    postgres: Postgres,
    session: aiohttp.ClientSession,
    openai_upstream: OpenAIUpstream,
):
    service = start_service(supervised=True, database_url=database_url)
    fire = await ready_to_fire(service, session, openai_upstream)
    openai_upstream.always(stream(WORDS))
    assert all(outcome.whole for outcome in await asyncio.gather(*fire.shoot(20)))
    await postgres.cut(database_url)
    assert all(outcome.whole for outcome in await asyncio.gather(*fire.shoot(50)))  # clients notice nothing
    gate = Gate()
    openai_upstream.always(stream(WORDS, gate=gate))
    before = len(openai_upstream.requests)
    shots = fire.shoot(50)
    await fire.under_way(before + 50)
    service.kill_core()
    assert_honest(await asyncio.gather(*shots))
    gate.open()
    await postgres.mend(database_url)
    await asyncio.to_thread(service.wait_ready)
    await fire.goes_on()
    outcomes = Counter(row.outcome for row in await fire.records())
    assert outcomes["lost"] >= 50
    assert outcomes["answered"] >= 71


@on_sqlite
async def test_the_core_is_killed_while_sqlite_is_locked(
    start_service: StartService, database_url: str, session: aiohttp.ClientSession, openai_upstream: OpenAIUpstream
):
    service = start_service(database_url=database_url)
    fire = await ready_to_fire(service, session, openai_upstream)
    openai_upstream.always(stream(WORDS))
    assert all(outcome.whole for outcome in await asyncio.gather(*fire.shoot(20)))
    lock = sqlite3.connect(sa.make_url(database_url).database or "", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    assert all(outcome.whole for outcome in await asyncio.gather(*fire.shoot(50)))
    gate = Gate()
    openai_upstream.always(stream(WORDS, gate=gate))
    before = len(openai_upstream.requests)
    shots = fire.shoot(50)
    await fire.under_way(before + 50)
    service.kill_core()
    assert_honest(await asyncio.gather(*shots))
    lock.close()
    gate.open()
    service.start_part("core")
    await asyncio.to_thread(service.wait_ready)
    await fire.goes_on()
    outcomes = Counter(row.outcome for row in await fire.records())
    assert outcomes["lost"] >= 50
    assert outcomes["answered"] >= 71


@on_sqlite
async def test_a_service_that_is_stopped_under_load_loses_nothing(
    start_service: StartService, database_url: str, session: aiohttp.ClientSession, openai_upstream: OpenAIUpstream
):
    service = start_service(supervised=True, database_url=database_url, environ={"LLMROUTER_DRAIN_TIMEOUT": "1"})
    fire = await ready_to_fire(service, session, openai_upstream)
    gate = Gate()
    openai_upstream.always(stream(WORDS, gate=gate))
    shots = await half_done(fire, gate)
    await asyncio.to_thread(service.stop)
    outcomes = {outcome.name: outcome for outcome in await asyncio.gather(*shots)}
    records = {row.request_id.partition(".")[0]: row for row in await fire.records()}
    assert {row.outcome for row in records.values()} == {"answered", "hung_up"}
    assert all(records[name].outcome == "answered" for name, outcome in outcomes.items() if outcome.whole)


def test_an_outcome_is_whole_or_clear_or_neither():
    said = json.dumps({"error": {"message": "the service was interrupted while it answered; try again"}}).encode()
    assert Outcome("", 200, b"data: {}\n\ndata: [DONE]\n\n", streamed=True).whole
    assert Outcome("", 200, b"data: {}\n\ndata: " + said + b"\n\n", streamed=True).clear
    assert Outcome("", 503, said).clear
    for neither in (Outcome("", 200, b"data: {}\n\n", streamed=True), Outcome(""), Outcome("", 200, b'{"id":')):
        assert not neither.whole
        assert not neither.clear
