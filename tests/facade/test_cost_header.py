"""`x-llmrouter-cost-usd`: on every answer that comes whole, where the price of the model is known."""

from typing import Any

import pytest

from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL, Answer, chat, error
from tests.support.router import CHAT, Router

pytestmark = on_sqlite

HEADER = "x-llmrouter-cost-usd"
PRICED = "upstream/gpt-4o-mini"
MESSAGES = [{"role": "user", "content": "Hi"}]
USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}


async def cost_of(router: Router, path: str, body: dict[str, Any]) -> str | None:
    async with router.post(path, body) as answer:
        await answer.read()
        return answer.headers.get(HEADER)


async def test_an_answer_tells_its_cost_as_the_record_does(router: Router):
    router.upstream.always(chat(usage=USAGE))
    router.upstream.models = [MODEL, "gpt-4o-mini", "text-embedding-3-small"]
    await router.inference.core.deps.catalog.refresh(1)
    told = await cost_of(router, CHAT, {"model": PRICED, "messages": MESSAGES})
    record = await router.record()
    assert told is not None
    assert record.cost_nanousd
    assert float(told) * 1e9 == record.cost_nanousd


async def test_texts_and_vectors_tell_it_too(router: Router):
    router.upstream.models = [MODEL, "gpt-3.5-turbo-instruct", "text-embedding-3-small"]
    await router.inference.core.deps.catalog.refresh(1)
    completion = await cost_of(router, "/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi"})
    assert completion is not None
    embedding = await cost_of(router, "/v1/embeddings", {"model": "text-embedding-3-small", "input": "Hi"})
    assert embedding is not None


@pytest.mark.parametrize("answer", [error(400), error(422), error(429), error(500)], ids=["400", "422", "429", "500"])
async def test_a_providers_refusal_cost_nothing(router: Router, answer: Answer):
    router.upstream.models = [MODEL, "gpt-4o-mini"]
    await router.inference.core.deps.catalog.refresh(1)
    router.upstream.always(answer)
    assert await cost_of(router, CHAT, {"model": PRICED, "messages": MESSAGES}) == "0"
    assert (await router.record()).cost_nanousd == 0


@pytest.mark.parametrize("answer", [chat(), error(400), error(429)], ids=["200", "400", "429"])
async def test_where_no_price_is_known_there_is_no_cost(router: Router, answer: Answer):
    router.upstream.always(answer)
    assert await cost_of(router, CHAT, {"model": MODEL, "messages": MESSAGES}) is None
    assert (await router.record()).cost_nanousd is None


async def test_what_runs_on_ones_own_machine_costs_nothing(router: Router):
    assert await cost_of(router, CHAT, {"model": "echo/echo", "messages": MESSAGES}) == "0"


async def test_a_stream_can_not_tell_it_in_its_head(router: Router):
    assert await cost_of(router, CHAT, {"model": "echo/echo", "messages": MESSAGES, "stream": True}) is None
