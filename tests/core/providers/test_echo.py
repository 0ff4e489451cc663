"""The provider that repeats what it is told."""

import json
from typing import Any

import pytest

from core.dialects.openai.chat import CHAT
from core.ids import new_id
from core.providers.echo import EchoUpstream
from core.providers.upstream import Target
from tests.support.clock import FakeClock


async def ask(text: str, **fields: Any) -> dict[str, Any]:
    """What it answers to one message."""
    target = Target(
        id=1,
        name="echo",
        type="echo",
        base_url="",
        api_key="",
        connect_timeout=1.0,
        first_byte_timeout=1.0,
        idle_timeout=1.0,
    )
    body = {"model": "echo", "messages": [{"role": "user", "content": text}], **fields}
    reply = await EchoUpstream(target, FakeClock(), new_id, 0.0).send(CHAT, json.dumps(body).encode())
    assert reply.status == 200
    return json.loads(await reply.read())


@pytest.mark.parametrize(
    ("fields", "said", "reason"),
    [
        ({}, "one two three", "stop"),
        ({"max_tokens": 3}, "one two three", "stop"),
        ({"max_tokens": 2}, "one two", "length"),
        ({"max_completion_tokens": 1, "max_tokens": 2}, "one", "length"),
        ({"max_tokens": 0}, "", "length"),
    ],
)
async def test_it_repeats_as_much_as_it_may(fields: dict[str, Any], said: str, reason: str):
    (choice,) = (await ask("one two three", **fields))["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (said, reason)


async def test_what_says_nothing_has_an_answer_too():
    assert (await ask("   "))["choices"][0]["message"]["content"] == "(nothing to echo)"


async def test_it_says_no_more_than_any_model_would():
    answer = await ask("word " * 200_000, max_tokens=200_000)
    assert answer["usage"]["completion_tokens"] == 65_536
    assert answer["choices"][0]["finish_reason"] == "length"
