"""A core for tests: the real gRPC server with its gate, on a database of the test's own.

    async def test_…(core: Core):
        admin = await core.admin()
        await core.account.GetAccount(GetAccountRequest(), metadata=admin.metadata)

`core_factory` builds one with other settings or parts, for tests that need them.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
import pytest

from core.access_tokens import AccessTokens
from core.auth import ALL_SCOPES, Authenticator, hash_secret
from core.change_poller import ChangePoller
from core.clock import Clock
from core.deps import Deps
from core.ids import random_text
from core.ledger import journal as journals
from core.ledger.limits import Limits
from core.ledger.prices import Prices
from core.metrics import Metrics
from core.passwords import Argon2Hasher
from core.routing.active import ActiveCalls
from core.routing.batches import Batches
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.routing.objects import Objects
from core.routing.responses import Responses
from core.routing.run import Pipeline
from core.routing.settlement import Settlement
from core.rpc.server import build_server
from core.secrets import Cipher, internal_token
from core.settings import Settings
from core.store import credentials, users
from core.store.database import Database
from llmrouter.v1 import (
    account_pb2_grpc,
    admin_pb2_grpc,
    conversation_pb2_grpc,
    router_pb2_grpc,
    usage_pb2_grpc,
    workspace_pb2_grpc,
)
from tests.support.clock import FakeClock, FakeIds
from tests.support.upstreams import Shelf

Metadata = tuple[tuple[str, str], ...]

SECRET_KEY = "a secret key for tests alone"
PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True)
class Person:
    """A user who is signed in."""

    id: int
    email: str
    token: str = field(repr=False)

    @property
    def metadata(self) -> Metadata:
        """What to call an RPC with."""
        return (("authorization", f"Bearer {self.token}"),)


@dataclass(slots=True)
class Core:
    """A running core and ways to call it."""

    deps: Deps
    clock: FakeClock
    target: str  # of the gRPC server
    channel: grpc.aio.Channel
    internal_token: str
    poller: ChangePoller
    account: "account_pb2_grpc.AccountServiceAsyncStub"
    administration: "admin_pb2_grpc.AdminServiceAsyncStub"
    router: "router_pb2_grpc.RouterServiceAsyncStub"
    usage: "usage_pb2_grpc.UsageServiceAsyncStub"
    conversations: "conversation_pb2_grpc.ConversationServiceAsyncStub"
    workspace: "workspace_pb2_grpc.WorkspaceServiceAsyncStub"

    @property
    def as_facade(self) -> Metadata:
        """What our own facade adds to each call."""
        return (("x-llmrouter-internal", self.internal_token),)

    async def hear(self) -> None:
        """Hears of what other cores on the same database changed, as each does four times a second."""
        await self.poller.look()

    async def user(self, name: str = "user", *, role: str = "user", password: str = PASSWORD) -> Person:
        """Makes a user `{name}@example.com`, signed in."""
        email = f"{name}@example.com"
        now = self.deps.clock.now()
        password_hash = await self.deps.hasher.hash(password)
        async with self.deps.database.write() as connection:
            user = await users.add(
                connection, email=email, username=email, password_hash=password_hash, role=role, now=now
            )
        token, _ = await self.credential(user.id, kind="session")
        return Person(user.id, email, token)

    async def admin(self, name: str = "admin") -> Person:
        """Makes an administrator, signed in."""
        return await self.user(name, role="admin")

    async def credential(self, user_id: int, *, kind: str = "api_key", scopes: str = ALL_SCOPES) -> tuple[str, int]:
        """Makes a credential that does not end by itself; its secret and its number."""
        secret = f"{'ses' if kind == 'session' else 'sk'}_{random_text(43)}"
        async with self.deps.database.write() as connection:
            made = await credentials.add(
                connection,
                kind=kind,
                secret_hash=hash_secret(secret),
                prefix=secret[:12],
                user_id=user_id,
                scopes=scopes,
                now=self.deps.clock.now(),
                name="made for a test",
            )
        return secret, made.id


def build_deps(database: Database, settings: Settings, clock: FakeClock, **overrides: Any) -> Deps:
    """The parts of a core; overrides: fields of Deps that the test brings itself."""
    tokens = AccessTokens(SECRET_KEY)
    parts: dict[str, Any] = {
        "settings": settings,
        "clock": clock,
        "new_id": FakeIds(),
        "database": database,
        "authenticator": Authenticator(database, clock, tokens),
        "access_tokens": tokens,
        "cipher": Cipher(SECRET_KEY),
        "hasher": cheap_hasher(),
        "catalog": Catalog(database, clock, Health(clock), Shelf().make),
        "limits": Limits(database),
        "metrics": Metrics(),
    }
    parts |= overrides
    parts.setdefault("responses", build_responses(database, settings, clock))
    if "pipeline" not in parts:
        parts["pipeline"] = build_pipeline(parts["catalog"], parts["metrics"], settings, clock)
    parts.setdefault("objects", Objects(database, clock, parts["catalog"]))
    parts.setdefault("batches", Batches(database, clock, parts["objects"], parts["pipeline"]))
    return Deps(**parts)


def build_responses(database: Database, settings: Settings, clock: Clock) -> Responses:
    """What keeps responses; nothing writes them to the database by itself."""
    return Responses(database, clock, FakeIds(), days=settings.responses_keep, largest=settings.max_body, alone=True)


def build_pipeline(catalog: Catalog, metrics: Metrics, settings: Settings, clock: FakeClock) -> Pipeline:
    """The pipeline of a core, with a journal of its own that nothing ships."""
    journal = journals.take(settings.journal_dir, 0, limit=settings.journal_limit)
    return Pipeline(
        catalog=catalog,
        health=Health(clock),
        active=ActiveCalls(clock),
        settlement=Settlement(journal, Prices(clock), metrics, clock),
        metrics=metrics,
        clock=clock,
        timeout=settings.request_timeout,
    )


def cheap_hasher() -> Argon2Hasher:
    """argon2 as weak as it gets: a tenth of a millisecond."""
    return Argon2Hasher(time_cost=1, memory_kib=8, parallelism=1)


def open_channel(target: str) -> grpc.aio.Channel:
    """A channel that goes straight to its target, whatever proxy the environment names."""
    return grpc.aio.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)])


@asynccontextmanager
async def serve(deps: Deps, clock: FakeClock) -> AsyncGenerator[Core]:
    """Starts the gRPC server of a core."""
    token = internal_token(SECRET_KEY)
    server = build_server(deps, token)[0]
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        async with open_channel(target) as channel:
            yield Core(
                deps=deps,
                clock=clock,
                target=target,
                channel=channel,
                internal_token=token,
                poller=await _poller(deps),
                account=account_pb2_grpc.AccountServiceStub(channel),
                administration=admin_pb2_grpc.AdminServiceStub(channel),
                router=router_pb2_grpc.RouterServiceStub(channel),
                usage=usage_pb2_grpc.UsageServiceStub(channel),
                conversations=conversation_pb2_grpc.ConversationServiceStub(channel),
                workspace=workspace_pb2_grpc.WorkspaceServiceStub(channel),
            )
    finally:
        await server.stop(grace=None)


async def _poller(deps: Deps) -> ChangePoller:
    catalog = deps.catalog
    poller = ChangePoller(
        deps.database,
        deps.clock,
        deps.authenticator,
        catalog.provider_changed,
        catalog.load,
        reloads={"limit": deps.limits.load},
    )
    await poller.look()
    return poller


CoreFactory = Callable[..., AbstractAsyncContextManager[Core]]


@pytest.fixture
def core_factory(database: Database, tmp_path_factory: pytest.TempPathFactory) -> CoreFactory:
    """Starts cores on the test's database: `async with core_factory(settings=…, hasher=…) as core`.

    Several at a time are several replicas of one service.
    """

    @asynccontextmanager
    async def start(settings: Settings | None = None, **overrides: Any) -> AsyncGenerator[Core]:
        parts: dict[str, Any] = {"clock": FakeClock(), "database": database, **overrides}
        on, clock = parts.pop("database"), parts.pop("clock")
        settings = settings or Settings(data_dir=tmp_path_factory.mktemp("core"), secret_key=SECRET_KEY)
        async with serve(build_deps(on, settings, clock, **parts), clock) as core:
            yield core

    return start


@pytest.fixture
async def core(core_factory: CoreFactory) -> AsyncIterator[Core]:
    """A core with the settings' defaults."""
    async with core_factory() as core:
        yield core
