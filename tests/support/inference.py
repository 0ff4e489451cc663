"""Inference through a core's gRPC server, from a caller over real sockets to a provider on another.

    async def test_…(inference: Inference, openai_upstream: OpenAIUpstream):
        await inference.router.CompleteChat(…, metadata=inference.metadata)
        record = await inference.record()

The providers are `upstream` (tests/support/openai_upstream.py) and the built-in `echo`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from core.bootstrap import upstreams
from core.clock import Clock
from core.ledger import journal as journals
from core.ledger.limits import Limits
from core.ledger.local_counters import LocalCounters
from core.ledger.prices import Prices
from core.ledger.shipper import Shipper
from core.metrics import Metrics
from core.providers.session import Session
from core.routing.active import ActiveCalls
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.routing.limiting import Limiter
from core.routing.revocation import Revocation
from core.routing.run import Pipeline
from core.routing.settlement import Settlement
from core.secrets import Cipher
from core.settings import Settings
from core.store import providers, usage
from core.store.database import Database
from core.store.usage import Selection, UsageRow
from tests.support.clock import FakeClock, FakeIds
from tests.support.core import SECRET_KEY, Core, Metadata, Person, build_deps, build_responses, serve
from tests.support.openai_upstream import OpenAIUpstream

if TYPE_CHECKING:
    from llmrouter.v1 import router_pb2_grpc

PROVIDER_KEY = "sk-the-key-of-the-upstream"


@dataclass(slots=True)
class Inference:
    """A core that can answer, and somebody who asks it."""

    core: Core
    person: Person
    active: ActiveCalls
    revocation: Revocation
    shipper: Shipper

    @property
    def router(self) -> "router_pb2_grpc.RouterServiceAsyncStub":
        return self.core.router

    @property
    def metadata(self) -> Metadata:
        return self.person.metadata

    async def records(self) -> list[UsageRow]:
        """The usage records so far, the oldest first."""
        while await self.shipper.ship():
            pass
        async with self.core.deps.database.read() as connection:
            found = await usage.page(connection, Selection(), before_id=None, limit=1000)
        return list(reversed(found))

    async def record(self) -> UsageRow:
        """The one record that there is."""
        (record,) = await self.records()
        return record


InferenceFactory = Callable[..., AbstractAsyncContextManager[Inference]]


@asynccontextmanager
async def serve_inference(
    database: Database, data_dir: Path, upstream_url: str, the_clock: Clock | None = None, **fields: Any
) -> AsyncGenerator[Inference]:
    """Starts one. upstream_url: where the provider `upstream` is; the_clock: a fake one unless it is another;

    fields: of the settings.
    """
    clock: Any = the_clock or FakeClock()
    chosen: dict[str, Any] = {"echo": True, "echo_tokens_per_second": 0.0, **fields}
    settings = Settings(data_dir=data_dir, secret_key=SECRET_KEY, **chosen)
    cipher, ids, health, active, metrics = (
        Cipher(SECRET_KEY),
        FakeIds(),
        Health(clock),
        ActiveCalls(clock),
        Metrics(),
    )
    journal = journals.take(settings.journal_dir, 0, limit=settings.journal_limit)
    async with Session() as session:
        catalog = Catalog(database, clock, health, upstreams(settings, cipher, session, clock, ids))
        await _add_providers(database, clock, cipher, upstream_url)
        await catalog.load()
        await catalog.refresh_due()
        limits = Limits(database)
        counters = LocalCounters(settings.limits_dir, 0, clock)
        responses = build_responses(database, settings, clock)
        pipeline = Pipeline(
            responses=responses,
            catalog=catalog,
            health=health,
            active=active,
            settlement=Settlement(journal, Prices(clock), metrics, clock),
            metrics=metrics,
            clock=clock,
            timeout=settings.request_timeout,
            limiter=Limiter(limits, counters),
        )
        parts = {
            "cipher": cipher,
            "new_id": ids,
            "catalog": catalog,
            "metrics": metrics,
            "pipeline": pipeline,
            "responses": responses,
            "limits": limits,
        }
        async with serve(build_deps(database, settings, clock, **parts), clock) as core:
            revocation = Revocation(active, database, clock)
            core.deps.authenticator.on_change = revocation.changed
            yield Inference(core, await core.admin(), active, revocation, Shipper(journal, database, clock))
    await counters.close()
    journal.release()


@pytest.fixture
def inference_factory(database: Database, openai_upstream: OpenAIUpstream, tmp_path: Path) -> InferenceFactory:
    """Starts one with another clock or other settings: `async with inference_factory(clock=…) as inference`."""

    def start(clock: Clock | None = None, **fields: Any) -> AbstractAsyncContextManager[Inference]:
        return serve_inference(database, tmp_path / "core", openai_upstream.base_url, clock, **fields)

    return start


async def _add_providers(database: Database, clock: Clock, cipher: Cipher, base_url: str) -> None:
    key = cipher.encrypt(PROVIDER_KEY)
    async with database.write() as connection:
        for name, kind, address, api_key in (("upstream", "openai", base_url, key), ("echo", "echo", "", None)):
            await providers.add(
                connection,
                name=name,
                type=kind,
                base_url=address,
                api_key=api_key,
                enabled=True,
                source="api",
                now=clock.now(),
            )


@pytest.fixture
async def inference(inference_factory: InferenceFactory) -> AsyncIterator[Inference]:
    """One with the settings' defaults, but for an echo that does not pause."""
    async with inference_factory() as inference:
        yield inference
