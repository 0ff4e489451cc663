"""Anthropic's client: messages."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
import pytest_asyncio

from tests.e2e.matrix.callers.caller import PARAMETERS
from tests.e2e.matrix.stage import Stage
from tests.e2e.matrix.test_matrix import PNG, RESULTS
from tests.e2e.sdks.conftest import FILLED_IN, Weather
from tests.support.wires import script

pytestmark = [pytest.mark.sdks, pytest.mark.asyncio(loop_scope="package")]
TOOL: Any = {"name": script.WEATHER, "input_schema": PARAMETERS}


@pytest_asyncio.fixture(loop_scope="package")
async def client(stage: Stage) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=stage.site.url, api_key=stage.key, max_retries=0) as client:
        yield client


def wish(model: str, *messages: Any, **fields: Any) -> Any:
    return {"model": model, "max_tokens": 4000, "messages": list(messages), **fields}


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


async def test_it_chats(client: Any, model: str):
    message: Any = await client.messages.create(**wish(model, user(script.HELLO)))
    assert text_of(message) == script.TEXT


async def test_it_streams(client: Any, model: str):
    async with client.messages.stream(**wish(model, user(script.HELLO))) as stream:
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert "".join(texts) == text_of(final) == script.TEXT
    assert final.usage.output_tokens == 30


async def test_it_uses_tools(client: Any, model: str):
    asked = user(script.TOOL)
    async with client.messages.stream(**wish(model, asked, tools=[TOOL])) as stream:
        first = await stream.get_final_message()
    calls = [block for block in first.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": text}
        for call, text in zip(calls, RESULTS.values(), strict=True)
    ]
    said = {"role": "assistant", "content": first.content}
    second: Any = await client.messages.create(**wish(model, asked, said, user(results), tools=[TOOL]))
    assert text_of(second) == script.brought(RESULTS)


async def test_it_fills_in_forms(client: Any, model: str):
    message = await client.messages.parse(**wish(model, user(script.FORM)), output_format=Weather)
    assert message.parsed_output == FILLED_IN


async def test_it_shows_images(client: Any, model: str):
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    content = [{"type": "text", "text": script.SEE}, {"type": "image", "source": source}]
    message: Any = await client.messages.create(**wish(model, user(content)))
    assert script.seen(PNG) in text_of(message)


async def test_thoughts_go_back_to_who_had_them(client: Any, model: str):
    thinking = {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}
    asked = user(script.THINK)
    first: Any = await client.messages.create(**wish(model, asked, thinking=thinking))
    said: Any = {"role": "assistant", "content": first.content}
    second: Any = await client.messages.create(**wish(model, asked, said, user(script.GO_ON), thinking=thinking))
    assert text_of(second) == (script.FORGOTTEN if model.startswith("openai/") else script.REMEMBERED)


async def test_its_errors_are_of_their_class(client: Any, model: str):
    with pytest.raises(anthropic.RateLimitError, match=script.MESSAGE):
        await client.messages.create(**wish(model, user(script.fail_with(429))))
