"""The built-in provider on Anthropic's wire, as the newcomer meets it."""

import anthropic
import pytest
from anthropic.types import MessageParam

from tests.facade.surfaces.proxy.conftest import Proxy
from tests.support.database import on_sqlite

pytestmark = on_sqlite

MESSAGES: list[MessageParam] = [{"role": "user", "content": [{"type": "text", "text": "Hello, router"}]}]


async def test_it_says_what_was_said(proxy: Proxy):
    client = proxy.anthropic_client("")
    whole = await client.messages.create(model="echo", max_tokens=100, messages=MESSAGES)
    assert whole.content[0].to_dict()["text"] == "Hello, router"
    async with client.messages.stream(model="echo", max_tokens=100, messages=MESSAGES) as stream:
        streamed = await stream.get_final_message()
    assert streamed.content[0].to_dict()["text"] == "Hello, router"
    assert streamed.usage.output_tokens == whole.usage.output_tokens == 2
    counted = await client.messages.count_tokens(model="echo", messages=MESSAGES)
    assert counted.input_tokens == whole.usage.input_tokens
    assert {record.cost_nanousd for record in await proxy.router.records(3)} == {0}


async def test_it_keeps_to_its_limit_and_calls_the_tool_that_it_must(proxy: Proxy):
    client = proxy.anthropic_client("")
    cut = await client.messages.create(model="echo", max_tokens=1, messages=MESSAGES)
    assert (cut.content[0].to_dict()["text"], cut.stop_reason) == ("Hello,", "max_tokens")
    for choice in ({"type": "any"}, {"type": "tool", "name": "weather"}):
        async with client.messages.stream(
            model="echo",
            max_tokens=9,
            messages=MESSAGES,
            tools=[{"name": "weather", "input_schema": {"type": "object"}}],
            tool_choice=choice,  # pyright: ignore[reportArgumentType] - one of its types
        ) as stream:
            called = await stream.get_final_message()
        assert (called.stop_reason, called.content[0].to_dict()["name"]) == ("tool_use", "weather")


async def test_it_refuses_what_is_no_request(proxy: Proxy):
    with pytest.raises(anthropic.BadRequestError, match="at least one message"):
        await proxy.anthropic_client("").messages.create(model="echo", max_tokens=9, messages=[])
    status, body = await proxy.router.answer("/v1/messages", {"model": "echo", "messages": MESSAGES})
    assert status == 400
    assert b"max_tokens" in body
