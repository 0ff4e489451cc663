"""What requests of Anthropic's wire cost, and where they fall back to."""

import pytest

from tests.facade.surfaces.proxy.conftest import Proxy, declare
from tests.support import anthropic_upstream as claude
from tests.support.anthropic_upstream import MODEL, AnthropicUpstream, serve_anthropic
from tests.support.database import on_sqlite
from tests.support.openai_upstream import sse

pytestmark = on_sqlite

BODY = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello!"}]}
CACHED = BODY | {"system": [{"type": "text", "text": "…", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}

# Dollars for a million tokens of this model: fresh, read from the cache, written for 5 minutes, for an hour, made.
COST = 12 * 3_000 + 2000 * 300 + 200 * 3_750 + 100 * 6_000 + 9 * 15_000  # nano-dollars


@pytest.mark.parametrize("streamed", [False, True])
async def test_each_kind_of_token_has_its_own_price(proxy: Proxy, streamed: bool):
    async with proxy.router.post("/proxy/anthropic/v1/messages", CACHED | {"stream": streamed}) as answer:
        await answer.read()
        assert streamed or answer.headers["x-llmrouter-cost-usd"] == "0.002121"
    record = await proxy.router.record()
    assert record.cost_nanousd == COST == 2_121_000
    assert record.price_source.endswith("anthropic/claude-sonnet-4-6")


async def test_to_count_tokens_costs_nothing(proxy: Proxy):
    await proxy.router.answer("/v1/messages/count_tokens", BODY)
    assert (await proxy.router.record()).cost_nanousd == 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_overloaded_provider_is_made_good_by_the_next(proxy: Proxy, streamed: bool):
    async with serve_anthropic() as second:
        await declare(proxy.router, second, name="second")
        overloaded = sse([claude.error_event()]) if streamed else claude.error("overloaded_error")
        proxy.upstream.always(overloaded)
        status, body = await proxy.router.answer("/v1/messages", BODY | {"stream": streamed})
    assert status == 200
    assert b"Hel" in body
    record = await proxy.router.record()
    assert (record.provider, record.attempts, record.status_code) == ("second", 2, 200)


async def test_a_provider_of_another_wire_is_not_asked(proxy: Proxy):
    proxy.router.upstream.models = [MODEL]
    deps = proxy.router.inference.core.deps
    for candidate in deps.catalog.candidates("upstream/gpt-test"):
        await deps.catalog.refresh(candidate.upstream.target.id)
    assert [place.upstream.target.name for place in deps.catalog.candidates(MODEL)] == ["upstream", "claude"]
    status, _ = await proxy.router.answer("/v1/messages", BODY)
    assert (status, proxy.router.upstream.requests) == (200, [])


async def test_a_list_of_models_is_read_page_by_page(proxy: Proxy, anthropic_upstream: AnthropicUpstream):
    anthropic_upstream.models = [f"claude-{number}" for number in range(7)]
    anthropic_upstream.page_size = 3
    catalog = proxy.router.inference.core.deps.catalog
    (candidate,) = catalog.candidates(MODEL)
    await catalog.refresh(candidate.upstream.target.id)
    assert [f"claude-{number}" in catalog.models() for number in range(7)] == [True] * 7
    assert anthropic_upstream.pulls == 1 + 3
