"""The service with a provider of every wire behind it: core and facade in this process, all over real sockets.

async with serve_stage(…) as stage:
    got = await stage.send(caller, wish)
    heard = caller.hear(got.body)
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from core.store import model_entries, providers
from core.store.database import Database
from core.store.usage import UsageRow
from tests.e2e.matrix.callers.caller import Caller, Wish
from tests.support.facade import Site, serve_facade
from tests.support.google_tokens import serve_google_tokens
from tests.support.inference import Inference, serve_inference
from tests.support.openai_upstream import listening
from tests.support.router import until
from tests.support.wires import anthropic, bedrock, gemini, ollama, openai, responses
from tests.support.wires.fake import KEY, WireFake

DROP: Final = {"x-llmrouter-drop-unsupported": "true"}
AZURE_MODEL: Final = openai.MODEL


@dataclass(frozen=True, slots=True)
class Row:
    """A provider: how it is registered, and what its fake tells of its usage."""

    fake: type[WireFake]
    type: str
    model: str
    path: str = ""  # behind the fake's origin
    wire: str = ""  # whose addressing it is; "" for a wire of its own


WIRES: Final[Mapping[str, Row]] = {
    "openai": Row(openai.CompatibleFake, "openai-compatible", openai.MODEL, "/v1"),
    "responses": Row(responses.ResponsesFake, "perplexity", responses.MODEL, "/v1"),
    "anthropic": Row(anthropic.AnthropicFake, "anthropic", anthropic.MODEL, "/v1"),
    "gemini": Row(gemini.GeminiFake, "gemini", gemini.MODEL, "/v1beta"),
    "bedrock": Row(bedrock.BedrockFake, "bedrock", bedrock.MODEL),
    "ollama": Row(ollama.OllamaFake, "ollama-cloud", ollama.MODEL, "/v1"),
}
ADDRESSES: Final[Mapping[str, Row]] = {
    "openai.com": Row(openai.OpenAIFake, "openai", openai.MODEL, "/v1", "openai"),
    "azure": Row(openai.AzureFake, "azure", openai.MODEL, "/openai/v1", "openai"),
    "azure-old": Row(
        openai.AzureDeploymentFake, "azure", openai.MODEL, "/openai/deployments?api-version=2024-10-21", "openai"
    ),
    "vertex": Row(gemini.GeminiAtVertexFake, "vertex", gemini.MODEL, "/v1/projects/p/locations/eu", "gemini"),
    "vertex-claude": Row(
        anthropic.AnthropicAtVertexFake,
        "vertex-anthropic",
        anthropic.MODEL,
        "/v1/projects/p/locations/eu",
        "anthropic",
    ),
}
ROWS: Final = {**WIRES, **ADDRESSES}


@dataclass(frozen=True, slots=True)
class Got:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Stage:
    """Make it with `serve_stage`."""

    inference: Inference
    site: Site
    session: aiohttp.ClientSession
    key: str = field(repr=False)
    fakes: Mapping[str, WireFake]
    _settled: int = 0

    async def send(self, caller: Caller, wish: Wish, headers: Mapping[str, str] | None = None) -> Got:
        """Sends a request as a caller of that dialect does."""
        return await self.post(caller.address(wish), caller.body(wish), headers)

    async def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Got:
        """Sends a body over HTTP."""
        shown = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        async with self.session.post(f"{self.site.url}{path}", data=json.dumps(body), headers=shown) as answer:
            return Got(
                answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()
            )

    async def record(self) -> UsageRow:
        """The usage record of the last request."""
        await until(lambda: not len(self.inference.active))
        return (await self.inference.records())[-1]

    def complaints(self) -> list[str]:
        """What the fakes complained of since the last time."""
        found = [f"{name}: {each}" for name, fake in self.fakes.items() for each in fake.complaints]
        for fake in self.fakes.values():
            fake.complaints.clear()
        return found


@asynccontextmanager
async def serve_stage(database: Database, data_dir: Path) -> AsyncGenerator[Stage]:
    """Starts everything. database: an empty one that is migrated."""
    async with AsyncExitStack() as stack:
        fakes = {name: await stack.enter_async_context(listening(row.fake())) for name, row in ROWS.items()}
        google = await stack.enter_async_context(serve_google_tokens())
        url = f"{fakes['openai'].origin}/v1"
        inference = await stack.enter_async_context(serve_inference(database, data_dir, url))
        key, _ = await inference.core.credential(inference.person.id)
        await _register(inference, fakes, google.key)
        site = await stack.enter_async_context(serve_facade(inference.core))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await until(lambda: site.facade.relay.ready)
        yield Stage(inference, site, session, key, fakes)


async def _register(inference: Inference, fakes: Mapping[str, WireFake], google_key: str) -> None:
    deps = inference.core.deps
    now = deps.clock.now()
    async with deps.database.write() as connection:
        for name, row in ROWS.items():
            made = await providers.add(
                connection,
                name=name,
                type=row.type,
                base_url=f"{fakes[name].origin}{row.path}",
                api_key=deps.cipher.encrypt(google_key if row.type.startswith("vertex") else KEY),
                enabled=True,
                source="api",
                now=now,
            )
            await model_entries.add(connection, made.id, row.model, now)
    await deps.catalog.load()
