"""OpenAI's official client through /proxy/openai."""

from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.facade.surfaces.proxy.conftest import Proxy
from tests.support.anthropic_upstream import MODEL as CLAUDE
from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL, Gate, chat, error, stream
from tests.support.router import until

pytestmark = on_sqlite

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello!"}]
WEATHER: ChatCompletionToolParam = {"type": "function", "function": {"name": "weather"}}


async def test_a_chat_is_answered_and_accounted_for(proxy: Proxy):
    answer = await proxy.gpt.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answer.choices[0].message.content == "Hello there."
    record = await proxy.router.record()
    assert (record.surface, record.operation, record.provider) == ("proxy_openai", "chat_completion", "upstream")
    assert (record.input_tokens, record.output_tokens, record.token_source) == (11, 7, "provider")


async def test_a_stream_is_answered_and_accounted_for(proxy: Proxy):
    chunks = await proxy.gpt.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
    assert text == "Hello there."
    record = await proxy.router.record()
    assert (record.outcome, record.input_tokens, record.output_tokens) == ("answered", 11, 7)


async def test_a_tool_is_called(proxy: Proxy):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Graz"}'}}
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    proxy.router.upstream.script(chat(choices=[choice]))
    answer = await proxy.gpt.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[WEATHER])
    assert answer.choices[0].message.tool_calls is not None
    assert answer.choices[0].message.tool_calls[0].to_dict() == call


async def test_texts_are_completed_and_embedded(proxy: Proxy):
    assert (await proxy.gpt.completions.create(model=MODEL, prompt="Hi")).choices[0].text == "Hello there."
    assert (await proxy.gpt.embeddings.create(model=MODEL, input="Hi")).data[0].embedding == [0.25, -0.5]


async def test_models_are_listed(proxy: Proxy):
    assert MODEL in [model.id async for model in proxy.gpt.models.list()]
    assert (await proxy.gpt.models.retrieve(MODEL)).id == MODEL


@pytest.mark.parametrize(
    ("status", "raised"),
    [(400, openai.BadRequestError), (401, openai.AuthenticationError), (429, openai.RateLimitError)],
)
async def test_the_providers_errors_raise_the_clients_own_exceptions(
    proxy: Proxy, status: int, raised: type[openai.APIStatusError]
):
    proxy.router.upstream.always(error(status, retry_after="100"))
    with pytest.raises(raised, match="the provider's own words"):
        await proxy.gpt.chat.completions.create(model=MODEL, messages=MESSAGES)


async def test_the_routers_own_errors_are_the_documents_and_the_clients_in_one(proxy: Proxy):
    with pytest.raises(openai.AuthenticationError) as wrong_key:
        await proxy.gpt.with_options(api_key="sk_wrong").chat.completions.create(model=MODEL, messages=MESSAGES)
    body: Any = wrong_key.value.response.json()
    assert body["detail"] == body["error"]["message"] == "unauthorized"
    with pytest.raises(openai.BadRequestError) as unknown:
        await proxy.gpt.chat.completions.create(model="nobody-has-it", messages=MESSAGES)
    assert unknown.value.code == "model_not_found"


async def test_what_is_not_there_is_told_in_both_shapes(proxy: Proxy):
    for path, kind in (("/proxy/openai/v1/nothing", "not_found"), ("/proxy/anthropic/v1/nothing", "not_found_error")):
        status, body = await proxy.router.answer(path, {})
        assert status == 404
        assert b'"detail":' in body
        assert kind.encode() in body


async def test_a_model_of_the_other_wire_is_asked_on_that(proxy: Proxy):
    """Anthropic itself has an endpoint of OpenAI's wire, which leaves out what it does not know."""
    answer = await proxy.gpt.chat.completions.create(model=CLAUDE, messages=MESSAGES)
    assert answer.choices[0].message.content
    request = await proxy.upstream.received()
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"].startswith("sk-ant-")
    assert "authorization" not in request.headers


async def test_a_client_that_goes_away_ends_the_providers_work(proxy: Proxy):
    gate = Gate(passes=2)
    proxy.router.upstream.always(stream(gate=gate))
    chunks = await proxy.gpt.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    async for chunk in chunks:
        assert chunk.choices
        break
    await chunks.close()
    await until(lambda: proxy.router.upstream.hang_ups == 1)
    assert (await proxy.router.record()).outcome == "hung_up"
