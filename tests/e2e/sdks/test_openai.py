"""OpenAI's client: chat completions, responses, embeddings."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.e2e.matrix.callers.caller import PARAMETERS
from tests.e2e.matrix.stage import Stage
from tests.e2e.matrix.test_matrix import PNG, RESULTS
from tests.e2e.sdks.conftest import FILLED_IN, Weather
from tests.support.wires import script

pytestmark = [pytest.mark.sdks, pytest.mark.asyncio(loop_scope="package")]
TOOL: Any = {"type": "function", "function": {"name": script.WEATHER, "parameters": PARAMETERS}}


@pytest_asyncio.fixture(loop_scope="package")
async def client(stage: Stage) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{stage.site.url}/v1", api_key=stage.key, max_retries=0) as client:
        yield client


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def chat(client: Any, model: str, messages: Any, **fields: Any) -> Any:
    fields = {"max_completion_tokens": 4000, **fields}
    answer: Any = await client.chat.completions.create(model=model, messages=messages, **fields)
    return answer


async def test_it_chats(client: Any, model: str):
    answer = await chat(client, model, user(script.HELLO))
    assert answer.choices[0].message.content == script.TEXT
    assert answer.usage.total_tokens == 130


async def test_it_streams(client: Any, model: str):
    wish: Any = {"model": model, "messages": user(script.HELLO), "max_completion_tokens": 4000}
    async with client.chat.completions.stream(**wish) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == script.TEXT


async def test_it_uses_tools(client: Any, model: str):
    said: Any = user(script.TOOL)
    message = (await chat(client, model, said, tools=[TOOL])).choices[0].message
    said += [message, *_results(message)]
    again = await chat(client, model, said, tools=[TOOL])
    assert again.choices[0].message.content == script.brought(RESULTS)


def _results(message: Any) -> list[Any]:
    results = zip(message.tool_calls, RESULTS.values(), strict=True)
    return [{"role": "tool", "tool_call_id": call.id, "content": text} for call, text in results]


async def test_it_fills_in_forms(client: Any, model: str):
    wish: Any = {"model": model, "messages": user(script.FORM), "max_completion_tokens": 4000}
    answer = await client.chat.completions.parse(**wish, response_format=Weather)
    assert answer.choices[0].message.parsed == FILLED_IN


async def test_it_shows_images(client: Any, model: str):
    content = [{"type": "text", "text": script.SEE}, {"type": "image_url", "image_url": {"url": data_url()}}]
    answer = await chat(client, model, [{"role": "user", "content": content}])
    assert script.seen(PNG) in answer.choices[0].message.content


async def test_its_errors_are_of_their_class(client: Any, model: str):
    with pytest.raises(openai.RateLimitError, match=script.MESSAGE):
        await chat(client, model, user(script.fail_with(429)))


async def test_responses_are_made_and_filled_in(client: Any, model: str):
    wish: Any = {"model": model, "max_output_tokens": 4000, "store": False}
    plain: Any = await client.responses.create(**wish, input=script.HELLO)
    assert plain.output_text == script.TEXT
    parsed = await client.responses.parse(**wish, input=script.FORM, text_format=Weather)
    assert parsed.output_parsed == FILLED_IN


async def test_responses_stream(client: Any, model: str):
    wish: Any = {"model": model, "max_output_tokens": 4000, "store": False}
    async with client.responses.stream(**wish, input=script.HELLO) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_response()
    assert final.output_text == script.TEXT


async def test_responses_go_on_from_earlier_ones(client: Any, model: str):
    tool: Any = {"type": "function", "name": script.WEATHER, "parameters": PARAMETERS, "strict": False}
    wish: Any = {"model": model, "max_output_tokens": 4000, "tools": [tool]}
    first: Any = await client.responses.create(**wish, input=script.TOOL)
    calls = [item for item in first.output if item.type == "function_call"]
    outputs: Any = [
        {"type": "function_call_output", "call_id": call.call_id, "output": text}
        for call, text in zip(calls, RESULTS.values(), strict=True)
    ]
    second: Any = await client.responses.create(**wish, input=outputs, previous_response_id=first.id)
    assert second.output_text == script.brought(RESULTS)


def data_url() -> str:
    """The image."""
    return f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
