"""Budgets, and requests whose cost nobody can tell before they are answered."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.auth import NOBODY
from core.dialects.passthrough import endpoints
from core.errors import BudgetExceeded, Unpriced
from core.routing.reply import Answer, Ask
from core.routing.stream import Streamed
from core.store import balances
from tests.core.routing.conftest import Stage, rest_of
from tests.support.openai_upstream import OpenAIUpstream, sse, whole
from tests.support.till import add_budget

DEPLOYMENT = ("deployment", "")
DOLLAR = 1_000_000_000
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
PICTURE: dict[str, Any] = {"data": [], "usage": {"input_tokens": 10, "output_tokens": 1000}}
PICTURE_COST = 10 * 5_000 + 1000 * 40_000
TRUSTED = replace(NOBODY, allow_unpriced=True)


async def ready(stage: Stage, limit: int, *, hard: bool = True) -> OpenAIUpstream:
    """A provider whose prices are published, and a budget of the deployment."""
    await add_budget(stage.database, limit, scope=DEPLOYMENT, hard=hard)
    return await stage.provider(
        "first", "gpt-image-1", "tts-1", "gpt-4o-mini-tts", "omni-moderation-latest", type="openai"
    )


async def ask(stage: Stage, operation: str, who: Any = NOBODY, **fields: Any) -> Answer | Streamed:
    body = json.dumps(fields).encode()
    return await stage.pipeline.run(Ask(stage.ids("req"), operation, "openai", who, body))


async def settled(stage: Stage) -> int:
    await stage.records()
    async with stage.database.read() as connection:
        found = await balances.find(connection, 1, JANUARY)
    return 0 if found is None else found.settled_nanousd


async def picture(stage: Stage, who: Any = NOBODY) -> Answer | Streamed:
    return await ask(stage, endpoints.IMAGE, who, model="gpt-image-1", prompt="a cat")


async def test_a_picture_is_refused_under_a_cap_for_nobody_knows_what_it_will_cost(stage: Stage):
    upstream = await ready(stage, DOLLAR)
    with pytest.raises(Unpriced, match="not known before"):
        await picture(stage)
    assert upstream.requests == []
    record = await stage.record()
    assert (record.status_code, record.error_reason, record.cost_nanousd) == (403, "UNPRICED", None)


async def test_who_may_is_let_and_what_it_cost_is_counted(stage: Stage):
    upstream = await ready(stage, DOLLAR)
    upstream.script(whole(json.dumps(PICTURE).encode()))
    await picture(stage, TRUSTED)
    assert await settled(stage) == PICTURE_COST
    assert (await stage.record()).cost_nanousd == PICTURE_COST


async def test_who_may_is_refused_all_the_same_once_the_budget_is_used_up(stage: Stage):
    upstream = await ready(stage, PICTURE_COST)
    upstream.always(whole(json.dumps(PICTURE).encode()))
    await picture(stage, TRUSTED)
    assert await settled(stage) == PICTURE_COST
    with pytest.raises(BudgetExceeded):
        await picture(stage, TRUSTED)
    assert len(upstream.requests) == 1


async def test_a_budget_that_only_watches_sees_what_it_cost(stage: Stage):
    upstream = await ready(stage, DOLLAR, hard=False)
    upstream.script(whole(json.dumps(PICTURE).encode()))
    await picture(stage)
    assert await settled(stage) == PICTURE_COST


async def test_a_speech_paid_by_its_characters_is_held_and_settled(stage: Stage):
    upstream = await ready(stage, DOLLAR)
    upstream.script(sse([b"sound"], content_type="audio/mpeg"))
    speech = await ask(stage, endpoints.SPEECH, model="tts-1", input="x" * 1000)
    assert isinstance(speech, Streamed)
    assert await rest_of(speech) == b"sound"
    assert await settled(stage) == 1000 * 15_000


async def test_a_speech_too_long_for_what_is_left_is_refused(stage: Stage):
    upstream = await ready(stage, 1000 * 15_000)
    with pytest.raises(BudgetExceeded):
        await ask(stage, endpoints.SPEECH, model="tts-1", input="x" * 1001)
    assert upstream.requests == []


async def test_a_speech_paid_by_its_sound_is_refused_under_a_cap(stage: Stage):
    await ready(stage, DOLLAR)
    with pytest.raises(Unpriced):
        await ask(stage, endpoints.SPEECH, model="gpt-4o-mini-tts", input="Hi")


async def test_what_is_free_is_let_through_every_cap(stage: Stage):
    upstream = await ready(stage, 1)
    upstream.script(whole(b'{"results": []}'))
    await ask(stage, endpoints.MODERATION, input="Hi")
    local = await stage.provider("local", "reranker", type="vllm")
    local.script(whole(b'{"results": []}'))
    await ask(stage, endpoints.RERANK, model="reranker", query="q", documents=["d"])
    assert [record.cost_nanousd for record in await stage.records()] == [0, 0]
