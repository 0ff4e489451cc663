"""Budgets in the pipeline: what is held, what the provider is asked for, and what a refusal and a cut look like."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.dialects.tokens import Tokens
from core.errors import BudgetExceeded, Unpriced
from core.ledger.prices import Override, Price, Rate
from core.store import balances
from core.store.balances import Balance
from tests.core.routing.conftest import Stage, rest_of
from tests.support.openai_upstream import OpenAIUpstream, chat, error, sse, stream
from tests.support.till import add_budget

DEPLOYMENT = ("deployment", "")
DOLLAR = 1_000_000_000
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def price(stage: Stage, **outputs: int) -> None:
    """A dollar for a million tokens of input; of output by provider, ten for all where none is named."""
    stage.prices.set_overrides(
        [
            Override(provider, "*", Price(source="test", input=Rate(DOLLAR), output=Rate(output)))
            for provider, output in (outputs or {"*": 10 * DOLLAR}).items()
        ]
    )


async def balance(stage: Stage) -> Balance:
    await stage.records()
    async with stage.database.read() as connection:
        found = await balances.find(connection, 1, JANUARY)
    assert found is not None
    return found


async def ready(stage: Stage, limit: int) -> OpenAIUpstream:
    """A priced provider, and a hard budget of the deployment."""
    price(stage)
    await add_budget(stage.database, limit, scope=DEPLOYMENT)
    return await stage.provider("first")


async def test_an_answer_is_settled_at_its_cost(stage: Stage):
    upstream = await ready(stage, DOLLAR)
    upstream.script(chat(usage=USAGE))
    answer = await stage.answer(max_tokens=100)
    assert answer.cost_nanousd == 10_000 + 50_000
    assert (await balance(stage)).settled_nanousd == 60_000
    request = await upstream.received()
    assert request.json["max_tokens"] == 100


async def test_a_request_that_names_no_maximum_asks_for_what_its_hold_pays_for(stage: Stage):
    upstream = await ready(stage, 2_000_000)  # 200 tokens of output, and less
    upstream.script(chat(usage=USAGE))
    await stage.answer()
    asked = (await upstream.received()).json["max_tokens"]
    assert 100 < asked < 200
    worst = Price(source="", input=Rate(DOLLAR), output=Rate(10 * DOLLAR)).cost(Tokens(input=10, output=asked))
    assert worst <= 2_000_000


async def test_a_request_that_names_too_much_is_refused_and_asks_nobody(stage: Stage):
    upstream = await ready(stage, 2_000_000)
    with pytest.raises(BudgetExceeded) as refused:
        await stage.answer(max_tokens=300)
    assert refused.value.scope_kind == "deployment"
    assert upstream.requests == []
    record = await stage.record()
    assert (record.status_code, record.error_reason, record.provider, record.attempts) == (
        429,
        "BUDGET_EXCEEDED",
        "",
        0,
    )


async def test_a_failed_request_costs_nothing(stage: Stage):
    upstream = await ready(stage, 2_000_000)
    upstream.always(error(400))
    assert (await stage.answer(max_tokens=100)).status == 400
    assert (await balance(stage)).settled_nanousd == 0
    upstream.always(chat(usage=USAGE))
    await stage.answer(max_tokens=150)  # all of it is there


async def test_a_model_without_a_price_is_refused_under_a_cap(stage: Stage):
    await add_budget(stage.database, DOLLAR, scope=DEPLOYMENT)
    upstream = await stage.provider("first")
    with pytest.raises(Unpriced):
        await stage.answer()
    assert upstream.requests == []
    assert (await stage.record()).status_code == 403


async def test_a_model_without_a_price_is_called_where_the_budget_only_watches(stage: Stage):
    await add_budget(stage.database, DOLLAR, scope=DEPLOYMENT, hard=False)
    await stage.provider("first")
    assert (await stage.answer()).status == 200


async def test_a_dearer_provider_is_asked_only_where_the_budget_pays_for_it(stage: Stage):
    price(stage, first=10 * DOLLAR, second=1000 * DOLLAR)
    await add_budget(stage.database, 10_000_000, scope=DEPLOYMENT)
    first, second = await stage.provider("first"), await stage.provider("second")
    first.always(error(503))
    assert (await stage.answer(max_tokens=100)).status == 503
    assert first.requests
    assert second.requests == []


async def test_a_cheaper_provider_is_asked_where_the_first_is_too_dear(stage: Stage):
    price(stage, first=1000 * DOLLAR, second=10 * DOLLAR)
    await add_budget(stage.database, 10_000_000, scope=DEPLOYMENT)
    first, second = await stage.provider("first"), await stage.provider("second")
    second.always(chat(usage=USAGE))
    assert (await stage.answer(max_tokens=100)).status == 200
    assert (first.requests, len(second.requests)) == ([], 1)
    assert (await balance(stage)).settled_nanousd == 60_000


async def test_a_stream_that_passes_its_hold_is_ended_with_an_error(stage: Stage):
    upstream = await ready(stage, DOLLAR)
    words = [f"word{number} " for number in range(5000)]
    upstream.script(stream(words, usage=None))
    streamed = await stage.stream(max_tokens=500)
    with pytest.raises(BudgetExceeded, match="ended"):
        await rest_of(streamed)
    record = await stage.record()
    assert (record.status_code, record.outcome) == (429, "failed")
    settled = (await balance(stage)).settled_nanousd
    assert record.cost_nanousd == settled
    assert 500 * 10_000 < settled < 2000 * 10_000  # what had come in one piece by then, and not all of it


async def test_a_stream_that_keeps_to_its_maximum_comes_whole(stage: Stage):
    upstream = await ready(stage, DOLLAR)
    upstream.script(stream(["word "] * 500, usage=USAGE))
    assert (await rest_of(await stage.stream(max_tokens=500))).endswith(b"data: [DONE]\n\n")
    assert (await stage.record()).outcome == "answered"


async def test_what_costs_nothing_is_never_refused(stage: Stage):
    await add_budget(stage.database, 0, scope=DEPLOYMENT)
    stage.prices.set_overrides([Override("*", "*", Price(source="free", input=Rate(0), output=Rate(0)))])
    await stage.provider("first")
    assert (await stage.answer()).status == 200


@pytest.mark.parametrize("name", ["max_completion_tokens", "num_predict", "max_output_tokens", "n_predict"])
async def test_a_maximum_under_a_name_that_not_all_know_is_told_under_one_that_the_provider_knows(
    stage: Stage, name: str
):
    upstream = await ready(stage, 2_000_000)
    upstream.script(chat(usage=USAGE))
    fields: dict[str, Any] = {name: 100}
    await stage.answer(**fields)
    sent = (await upstream.received()).json
    assert (sent["max_tokens"], sent[name]) == (100, 100)


async def test_of_two_maxima_the_larger_is_held(stage: Stage):
    await ready(stage, 2_000_000)
    with pytest.raises(BudgetExceeded):
        await stage.answer(max_tokens=1, num_predict=300)


async def test_a_maximum_of_nothing_is_none(stage: Stage):
    upstream = await ready(stage, 2_000_000)
    upstream.script(chat(usage=USAGE))
    await stage.answer(max_tokens=0)
    assert 100 < (await upstream.received()).json["max_tokens"] < 200


@pytest.mark.parametrize(
    "part",
    [
        b'{"type": "file", "file": {"file_id": "file-1"}}',
        b'{"type": "im\\u0061ge_url", "im\\u0061ge_url": {"url": "\\u0068ttps://x/y.png"}}',
    ],
)
async def test_what_lies_elsewhere_is_held_too_however_it_is_written(stage: Stage, part: bytes):
    upstream = await ready(stage, 30_000_000)  # of input alone 30,000 tokens
    body = b'{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [%b]}]}' % part
    with pytest.raises(BudgetExceeded):
        await stage.run_body(body)
    assert upstream.requests == []


async def test_usage_that_is_reported_before_the_end_is_not_the_whole(stage: Stage):
    upstream = await ready(stage, DOLLAR)
    early = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    said = [{"index": 0, "delta": {"content": "one two three four five six seven eight"}}]
    end: list[Any] = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    events: list[dict[str, Any]] = [{"choices": said, "usage": early}, {"choices": said}, {"choices": end}]
    data = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    upstream.script(sse([data, b"data: [DONE]\n\n"]))
    await rest_of(await stage.stream(max_tokens=100))
    record = await stage.record()
    assert record.input_tokens == 10
    assert record.output_tokens > 10
    assert record.token_source == "counted"
