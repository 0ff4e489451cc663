"""The pipeline between real providers and the journal, with a clock and pauses that the test owns.

async def test_…(stage: Stage):
    first, second = await stage.provider("first"), await stage.provider("second")
    first.script(error(503))
    answer = await stage.answer("m")
    assert stage.pauses == []
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.auth import NOBODY
from core.bootstrap import upstreams
from core.dialects.openai import chat as openai_chat
from core.ledger import journal as journals
from core.ledger.budgets import Budgets
from core.ledger.limits import Limits
from core.ledger.local_counters import LocalCounters
from core.ledger.prices import Prices
from core.ledger.shipper import Shipper
from core.metrics import Metrics
from core.providers.session import Session
from core.routing.active import ActiveCalls
from core.routing.budgeting import Budgeting
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.routing.limiting import Limiter
from core.routing.lookup import Route, RouteTarget
from core.routing.reply import Answer, Ask
from core.routing.run import Pipeline
from core.routing.settlement import Settlement
from core.routing.stream import Streamed
from core.secrets import Cipher
from core.settings import Settings
from core.store import providers, usage
from core.store.balances import Holder
from core.store.database import Database
from core.store.usage import Selection, UsageRow
from tests.support.clock import FakeClock, FakeIds
from tests.support.core import SECRET_KEY
from tests.support.openai_upstream import OpenAIUpstream, serve_upstream

MODEL = "m"


@dataclass
class Stage:
    """A pipeline and what is around it."""

    database: Database
    clock: FakeClock
    health: Health
    active: ActiveCalls
    catalog: Catalog
    pipeline: Pipeline
    shipper: Shipper
    cipher: Cipher
    stack: AsyncExitStack
    prices: Prices
    budgets: Budgets
    limits: Limits
    pauses: list[float] = field(default_factory=list[float])  # between two rounds, in seconds
    ids: FakeIds = field(default_factory=FakeIds)

    async def provider(self, name: str, *models: str, **columns: Any) -> OpenAIUpstream:
        """A provider that runs, with these models, or with `m`."""
        upstream = await self.stack.enter_async_context(serve_upstream())
        upstream.models = list(models) or [MODEL]
        await self.declare(name, base_url=upstream.base_url, **columns)
        return upstream

    async def declare(self, name: str, **columns: Any) -> int:
        """A provider that the router knows, whether it runs or not."""
        values: dict[str, Any] = {"type": "openai-compatible", "enabled": True, "source": "api"}
        values |= {"api_key": self.cipher.encrypt(f"sk-of-{name}"), **columns}
        async with self.database.write() as connection:
            row = await providers.add(connection, name=name, now=self.clock.now(), **values)
        await self.catalog.load()
        await self.catalog.refresh_due()
        return row.id

    def route(self, alias: str, *targets: str) -> None:
        """Makes this the only route."""
        self.catalog.set_routes([Route(alias, tuple(map(RouteTarget, targets)))])

    async def run(self, model: str = MODEL, *, timeout: float = 0.0, **fields: Any) -> Answer | Streamed:
        """Sends a chat completion through the pipeline."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
        return await self.run_body(json.dumps(body).encode(), timeout=timeout)

    async def run_body(self, body: bytes, *, timeout: float = 0.0) -> Answer | Streamed:
        """The same for a body as it is written."""
        ask = Ask(self.ids("req"), openai_chat.CHAT, "openai", NOBODY, body, timeout=timeout)
        return await self.pipeline.run(ask)

    async def answer(self, model: str = MODEL, **fields: Any) -> Answer:
        """Sends a request whose answer comes whole."""
        reply = await self.run(model, **fields)
        assert isinstance(reply, Answer)
        return reply

    async def stream(self, model: str = MODEL, **fields: Any) -> Streamed:
        """Sends a request whose answer comes as a stream."""
        reply = await self.run(model, stream=True, **fields)
        assert isinstance(reply, Streamed)
        return reply

    async def records(self) -> list[UsageRow]:
        """The usage records so far, the oldest first."""
        while await self.shipper.ship():
            pass
        async with self.database.read() as connection:
            found = await usage.page(connection, Selection(), before_id=None, limit=1000)
        return list(reversed(found))

    async def record(self) -> UsageRow:
        """The one record that there is."""
        (record,) = await self.records()
        return record


async def rest_of(streamed: Streamed) -> bytes:
    """A whole stream, from its first block on."""
    return streamed.first + b"".join([block async for block in streamed.blocks()])


@pytest.fixture
async def stage(database: Database, tmp_path: Path) -> AsyncIterator[Stage]:
    settings = Settings(data_dir=tmp_path / "core", secret_key=SECRET_KEY)
    clock, cipher, metrics = FakeClock(), Cipher(SECRET_KEY), Metrics()
    health, active = Health(clock), ActiveCalls(clock)
    journal = journals.take(settings.journal_dir, 0, limit=settings.journal_limit)
    prices = Prices(clock)
    settlement = Settlement(journal, prices, metrics, clock)
    budgets = Budgets(database, Holder(name=journal.id, life=journal.segment), clock)
    limits, counters = Limits(database), LocalCounters(settings.limits_dir, 0, clock)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    async with AsyncExitStack() as stack:
        stack.callback(journal.release)
        stack.push_async_callback(counters.close)
        session = await stack.enter_async_context(Session())
        catalog = Catalog(database, clock, health, upstreams(settings, cipher, session, clock, FakeIds()))
        pipeline = Pipeline(
            catalog=catalog,
            health=health,
            active=active,
            settlement=settlement,
            limiter=Limiter(limits, counters),
            budgeting=Budgeting(budgets, prices, settlement),
            metrics=metrics,
            clock=clock,
            timeout=settings.request_timeout,
            sleep=sleep,
        )
        shipper = Shipper(journal, database, clock)
        yield Stage(
            database, clock, health, active, catalog, pipeline, shipper, cipher, stack, prices, budgets, limits, pauses
        )
        assert len(active) == 0, "a call is still thought to run"
        assert metrics.in_flight == 0
