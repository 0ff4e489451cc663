"""A facade for tests: the real HTTP server on a real socket, in front of a core.

    async def test_…(site: Site):
        response = await site.client.get("/health")
        admin = await site.client_of(await site.core.admin())

`site_factory` starts one with other settings, or in front of another core.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from facade.app import Facade
from facade.credentials import SESSION_COOKIE
from facade.settings import FacadeSettings
from tests.support.core import Core, Person
from tests.support.plain_http import PLAIN

LOCALHOST = "127.0.0.1"


def facade_settings(**overrides: Any) -> FacadeSettings:
    """Settings of a facade for tests: a port that the system chooses, and no core unless one is named."""
    fields: dict[str, Any] = {
        "host": LOCALHOST,
        "port": 0,
        "core_targets": (f"{LOCALHOST}:1",),
        "internal_token": "",
        "public_url": "http://llmrouter.test",
        "drain_timeout": 5.0,
    }
    return FacadeSettings(**(fields | overrides))


@dataclass(slots=True)
class Site:
    """A running facade and ways to call it."""

    facade: Facade
    core: Core
    client: httpx.AsyncClient  # nobody
    stack: AsyncExitStack

    @property
    def url(self) -> str:
        return f"http://{LOCALHOST}:{self.facade.port}"

    async def client_of(self, person: Person) -> httpx.AsyncClient:
        """A client with the person's session cookie, as a browser has it."""
        return await self.open_client(headers={"Cookie": f"{SESSION_COOKIE}={person.token}"})

    async def open_client(self, **options: Any) -> httpx.AsyncClient:
        """A client of its own connections."""
        client = httpx.AsyncClient(base_url=self.url, **PLAIN, timeout=10, **options)
        return await self.stack.enter_async_context(client)

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A bare connection, for what no client library says; it has ten seconds."""
        reader, writer = await asyncio.open_connection(LOCALHOST, self.facade.port)
        try:
            async with asyncio.timeout(10):
                yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def one_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next answer on a bare connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(head.split()[1]), await reader.readexactly(lengths[0] if lengths else 0)


@asynccontextmanager
async def serve_facade(core: Core, **overrides: Any) -> AsyncGenerator[Site]:
    """Starts a facade in front of a core; overrides: fields of its settings."""
    its_core = {"core_targets": (core.target,), "internal_token": core.internal_token}
    facade = Facade(facade_settings(**(its_core | overrides)), now=lambda: core.clock.now().timestamp())
    await facade.start()
    try:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=f"http://{LOCALHOST}:{facade.port}", **PLAIN, timeout=10)
            )
            yield Site(facade, core, client, stack)
    finally:
        await facade.stop()


SiteFactory = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def site_factory(core: Core) -> SiteFactory:
    """Starts facades in front of the test's core: `async with site_factory(cors_origins=(…,)) as site`."""

    def start(**overrides: Any) -> AbstractAsyncContextManager[Site]:
        return serve_facade(core, **overrides)

    return start


@pytest.fixture
async def site(site_factory: SiteFactory) -> AsyncIterator[Site]:
    """A facade with the settings' defaults."""
    async with site_factory() as site:
        yield site
