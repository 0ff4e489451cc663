"""Providers of Google's wire and of OpenAI's behind one router, and Google's API in front of it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from core.store import providers
from tests.support.gemini_upstream import GeminiUpstream, serve_gemini
from tests.support.openai_upstream import OpenAIUpstream
from tests.support.router import Router

KEY = "the-key-of-google"


@dataclass(slots=True)
class Google:
    """The router, with a provider `google` of Google's wire beside `upstream`, which is of OpenAI's."""

    router: Router
    upstream: GeminiUpstream

    @property
    def openai(self) -> OpenAIUpstream:
        return self.router.upstream

    @asynccontextmanager
    async def get(self, path: str, **headers: str) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Asks with the key, as Google's clients send it."""
        sent = {"x-goog-api-key": self.router.key, **headers}
        async with self.router.session.get(f"{self.router.site.url}{path}", headers=sent) as answer:
            yield answer

    @asynccontextmanager
    async def post(
        self, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The same; headers: in place of the key."""
        sent = {"x-goog-api-key": self.router.key} if headers is None else headers
        async with self.router.session.post(f"{self.router.site.url}{path}", json=body, headers=sent) as answer:
            yield answer

    async def answered(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        async with self.post(path, body) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def google(router: Router) -> AsyncIterator[Google]:
    deps = router.inference.core.deps
    async with serve_gemini() as upstream:
        async with deps.database.write() as connection:
            await providers.add(
                connection,
                name="google",
                type="gemini",
                base_url=upstream.base_url.removesuffix("/v1") + "/v1beta",
                api_key=deps.cipher.encrypt(KEY),
                enabled=True,
                source="api",
                now=deps.clock.now(),
            )
        await deps.catalog.load()
        await deps.catalog.refresh_due()
        yield Google(router, upstream)
