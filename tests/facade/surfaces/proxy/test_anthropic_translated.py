"""Anthropic's official client in front of a model of OpenAI's wire, and OpenAI's in front of Claude."""

import json

import anthropic
import pytest
from anthropic.types import MessageParam, ToolParam

from core.routing.lookup import Route, RouteTarget
from tests.facade.surfaces.proxy.conftest import Proxy
from tests.support import openai_upstream as gpt
from tests.support.anthropic_upstream import MODEL as CLAUDE
from tests.support.anthropic_upstream import TEXTS, error
from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL, OpenAIUpstream

pytestmark = on_sqlite

MESSAGES: list[MessageParam] = [{"role": "user", "content": "Hello!"}]
WEATHER: ToolParam = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
_CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Graz"}'}}


async def test_a_message_is_answered_by_a_model_of_openais_wire(proxy: Proxy, openai_upstream: OpenAIUpstream):
    answer = await proxy.claude.messages.create(model=MODEL, max_tokens=100, messages=MESSAGES, system="Be short.")
    assert [block.to_dict() for block in answer.content] == [{"type": "text", "text": "Hello there."}]
    assert (answer.role, answer.stop_reason) == ("assistant", "end_turn")
    assert openai_upstream.requests[-1].json["messages"][0]["role"] in ("system", "developer")
    record = await proxy.router.record()
    assert (record.operation, record.model, record.token_source) == ("messages", MODEL, "provider")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (record.input_tokens, record.output_tokens)


async def test_so_is_a_stream(proxy: Proxy, openai_upstream: OpenAIUpstream):
    openai_upstream.always(gpt.stream())
    async with proxy.claude.messages.stream(model=MODEL, max_tokens=100, messages=MESSAGES) as stream:
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert texts == ["Hel", "lo", " there."]
    assert final.stop_reason == "end_turn"
    record = await proxy.router.record()
    assert (final.usage.input_tokens, final.usage.output_tokens) == (record.input_tokens, record.output_tokens)
    assert record.token_source == "provider"


async def test_tools_are_called_across_the_wires(proxy: Proxy, openai_upstream: OpenAIUpstream):
    message = {"role": "assistant", "content": None, "tool_calls": [_CALL]}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    openai_upstream.always(gpt.whole(json.dumps({**gpt.chat_body(), "choices": choices}).encode()))
    answer = await proxy.claude.messages.create(model=MODEL, max_tokens=100, messages=MESSAGES, tools=[WEATHER])
    assert answer.stop_reason == "tool_use"
    assert [block.to_dict() for block in answer.content] == [
        {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Graz"}}
    ]


async def test_a_prompt_is_counted_without_asking_a_provider_that_can_not(
    proxy: Proxy, openai_upstream: OpenAIUpstream
):
    asked = len(openai_upstream.requests)
    short = await proxy.claude.messages.count_tokens(model=MODEL, messages=MESSAGES)
    longer = await proxy.claude.messages.count_tokens(
        model=MODEL, messages=MESSAGES, system="Be short.", tools=[WEATHER]
    )
    assert 0 < short.input_tokens < longer.input_tokens < 100
    assert len(openai_upstream.requests) == asked
    record = (await proxy.router.records(2))[-1]
    assert (record.operation, record.status_code, record.outcome) == ("count_tokens", 200, "answered")
    assert (record.input_tokens, record.output_tokens, record.attempts) == (0, 0, 0)


async def test_the_providers_errors_are_told_in_anthropics_words(proxy: Proxy, openai_upstream: OpenAIUpstream):
    openai_upstream.always(gpt.error(400, "too long"))
    with pytest.raises(anthropic.BadRequestError) as caught:
        await proxy.claude.messages.create(model=MODEL, max_tokens=100, messages=MESSAGES)
    assert caught.value.body == {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}


async def test_what_the_provider_can_not_do_is_refused_or_left_out_by_the_callers_leave(proxy: Proxy):
    search = {"type": "web_search_20250305", "name": "web_search"}
    with pytest.raises(anthropic.BadRequestError, match=r"tools\[0\] is not supported"):
        await proxy.claude.messages.create(
            model=MODEL, max_tokens=100, messages=MESSAGES, extra_body={"tools": [search]}
        )
    raw = await proxy.claude.messages.with_raw_response.create(
        model=MODEL,
        max_tokens=100,
        messages=MESSAGES,
        extra_body={"tools": [search]},
        extra_headers={"x-llmrouter-drop-unsupported": "true"},
    )
    assert raw.headers["x-llmrouter-dropped"] == "tools[0]"


async def test_claude_answers_openais_client(proxy: Proxy):
    answer = await proxy.gpt.chat.completions.create(model=CLAUDE, messages=[{"role": "user", "content": "Hello!"}])
    assert answer.choices[0].message.content == "".join(TEXTS)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (12, 9)
    assert proxy.upstream.requests[-1].json["max_tokens"] > 0


async def test_and_streams_to_it(proxy: Proxy):
    stream = await proxy.gpt.chat.completions.create(
        model=CLAUDE,
        messages=[{"role": "user", "content": "Hello!"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "".join(TEXTS)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 9


async def test_a_provider_that_can_not_do_all_of_a_request_leaves_it_to_the_next_of_the_route(
    proxy: Proxy, openai_upstream: OpenAIUpstream
):
    catalog = proxy.router.inference.core.deps.catalog
    catalog.set_routes([Route("any", (RouteTarget(MODEL), RouteTarget(CLAUDE)))])
    asked = len(openai_upstream.requests)
    answer = await proxy.claude.messages.create(model="any", max_tokens=100, messages=MESSAGES, extra_body={"top_k": 5})
    assert answer.model == CLAUDE
    assert len(openai_upstream.requests) == asked


async def test_a_provider_that_failed_counts_for_more_than_one_that_could_not_be_asked(
    proxy: Proxy, openai_upstream: OpenAIUpstream
):
    catalog = proxy.router.inference.core.deps.catalog
    catalog.set_routes([Route("any", (RouteTarget(CLAUDE), RouteTarget(MODEL)))])
    proxy.upstream.always(error("overloaded_error"))
    with pytest.raises(anthropic.APIStatusError) as caught:
        await proxy.claude.messages.create(model="any", max_tokens=100, messages=MESSAGES, extra_body={"top_k": 5})
    assert caught.value.status_code == 529
    assert len(proxy.upstream.requests) == 2  # and the one that is only busy was asked again
