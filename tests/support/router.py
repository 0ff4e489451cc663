"""The whole way of a request within the test's own process: HTTP client, facade, relay, core, provider.

    async def test_…(router: Router):
        async with router.chat(stream=True) as answer:
            …
        record = await router.record()

Everything in it can be looked at and stopped at any point; the whole service as processes is
tests/support/service.py. Time stands still until a test moves it (`router.pass_time`).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from core.store.usage import UsageRow
from facade.relay import Link
from tests.support.facade import Site, serve_facade
from tests.support.inference import Inference, InferenceFactory
from tests.support.openai_upstream import MODEL, PATIENCE, OpenAIUpstream

CHAT = "/v1/chat/completions"


@dataclass(slots=True)
class Router:
    """A running facade and core, a provider, and a client with a key."""

    inference: Inference
    site: Site
    upstream: OpenAIUpstream
    session: aiohttp.ClientSession
    key: str = field(repr=False)
    key_id: int = 0

    @asynccontextmanager
    async def post(self, path: str, body: Any, **options: Any) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Sends a request with the key; body: bytes, a form, or what becomes JSON; options: of aiohttp."""
        data = body if isinstance(body, bytes | aiohttp.FormData) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        async with self.session.post(f"{self.site.url}{path}", data=data, headers=headers, **options) as answer:
            yield answer

    def chat(self, *, text: str = "Hi", **fields: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Asks for a chat completion."""
        messages = [{"role": "user", "content": text}]
        return self.post(CHAT, {"model": MODEL, "messages": messages, **fields})

    async def answer(self, path: str = CHAT, body: Any = None, **fields: Any) -> tuple[int, bytes]:
        """Status and body of an answer."""
        if body is None:
            body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **fields}
        async with self.post(path, body) as answer:
            return answer.status, await answer.read()

    async def records(self, count: int) -> list[UsageRow]:
        """The records, the oldest first, as soon as there are so many; there must not be more."""
        await until(lambda: not len(self.inference.active))
        found = await self.inference.records()
        for _ in range(200):
            if len(found) >= count:
                break
            await asyncio.sleep(0.01)
            found = await self.inference.records()
        assert len(found) == count, found
        return found

    async def record(self) -> UsageRow:
        """The one record that there is."""
        return (await self.records(1))[0]

    def pass_time(self, seconds: float) -> None:
        """Moves the clock, and ends the calls whose time is up then."""
        self.inference.active.sweep()
        self.inference.core.clock.advance(seconds)
        self.inference.active.sweep()

    @property
    def link(self) -> Link:
        """The facade's link to the core."""
        return self.site.facade.relay.links[0]


async def until(true: Callable[[], bool]) -> None:
    """Returns when something has become true. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.002)


RouterFactory = Callable[..., AbstractAsyncContextManager[Router]]


@pytest.fixture
def router_factory(inference_factory: InferenceFactory, openai_upstream: OpenAIUpstream) -> RouterFactory:
    """Starts one with other settings of the core: `async with router_factory(journal_limit=…) as router`."""

    @asynccontextmanager
    async def start(**fields: Any) -> AsyncGenerator[Router]:
        async with inference_factory(**fields) as inference:
            key, key_id = await inference.core.credential(inference.person.id)
            async with (
                serve_facade(inference.core) as site,
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
            ):
                await until(lambda: site.facade.relay.ready)
                yield Router(inference, site, openai_upstream, session, key, key_id)

    return start


@pytest.fixture
async def router(router_factory: RouterFactory) -> AsyncIterator[Router]:
    """One with the settings' defaults."""
    async with router_factory() as router:
        yield router
