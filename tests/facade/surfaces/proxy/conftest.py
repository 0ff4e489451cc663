"""Both kinds of provider behind one router, and both official clients in front of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import anthropic
import openai
import pytest

from core.store import providers
from tests.support.anthropic_upstream import KEY, AnthropicUpstream
from tests.support.router import Router


@dataclass
class Proxy:
    """The router, with a provider of Anthropic's wire called `claude` beside the one of OpenAI's."""

    router: Router
    upstream: AnthropicUpstream
    claude: anthropic.AsyncAnthropic
    gpt: openai.AsyncOpenAI

    def anthropic_client(self, mount: str) -> anthropic.AsyncAnthropic:
        """Anthropic's client at another mount, "" for the root."""
        return self.claude.with_options(base_url=f"{self.router.site.url}{mount}")

    async def chat_only(self) -> None:
        """Registers OpenAI's fake as `plain` too, of a type that knows chats and no Responses API."""
        deps = self.router.inference.core.deps
        async with deps.database.write() as connection:
            await providers.add(
                connection,
                name="plain",
                type="openai-compatible",
                base_url=self.router.upstream.base_url,
                api_key=None,
                enabled=True,
                source="api",
                now=deps.clock.now(),
            )
        await deps.catalog.load()
        await deps.catalog.refresh_due()


async def declare(router: Router, upstream: AnthropicUpstream, name: str = "claude") -> None:
    """Registers a provider of Anthropic's wire."""
    deps = router.inference.core.deps
    async with deps.database.write() as connection:
        await providers.add(
            connection,
            name=name,
            type="anthropic",
            base_url=upstream.base_url,
            api_key=deps.cipher.encrypt(KEY),
            enabled=True,
            source="api",
            now=deps.clock.now(),
        )
    await deps.catalog.load()
    await deps.catalog.refresh_due()


@pytest.fixture
async def proxy(router: Router, anthropic_upstream: AnthropicUpstream) -> AsyncIterator[Proxy]:
    await declare(router, anthropic_upstream)
    url = f"{router.site.url}/proxy"
    async with (
        anthropic.AsyncAnthropic(base_url=f"{url}/anthropic", api_key=router.key, max_retries=0, timeout=20) as claude,
        openai.AsyncOpenAI(base_url=f"{url}/openai/v1", api_key=router.key, max_retries=0, timeout=20) as gpt,
    ):
        yield Proxy(router, anthropic_upstream, claude, gpt)
