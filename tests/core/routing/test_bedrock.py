"""Callers of other wires in front of Amazon Bedrock: who asks is shown, and what is said there and back."""

import json
from typing import Any

import pytest

from core.auth import NOBODY
from core.dialects.anthropic.messages import MESSAGES
from core.routing.reply import Answer, Ask
from core.routing.stream import Streamed
from core.store import model_entries
from tests.core.routing.conftest import Stage, rest_of
from tests.support import bedrock_upstream as bedrock
from tests.support.bedrock_upstream import (
    ACCESS_KEY,
    API_KEY,
    MODEL,
    PROFILE,
    SECRET,
    SIGNATURE,
    TOKEN,
    BedrockUpstream,
    serve_bedrock,
)
from tests.support.openai_upstream import sse, whole

SIGNED = f"{ACCESS_KEY}:{SECRET}"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", bedrock.REGION)


async def provider(stage: Stage, api_key: str = API_KEY, *, session_token: str | None = None) -> BedrockUpstream:
    upstream = await stage.stack.enter_async_context(serve_bedrock())
    upstream.session_token = session_token
    await stage.declare(
        "aws", type="bedrock", base_url=upstream.base_url, api_key=stage.cipher.encrypt(api_key) if api_key else None
    )
    return upstream


def chunks(data: bytes) -> list[dict[str, Any]]:
    found = [line.removeprefix(b"data: ") for line in data.split(b"\n\n") if line.startswith(b"data: {")]
    return [json.loads(line) for line in found]


@pytest.mark.parametrize(("api_key", "session_token"), [(API_KEY, None), (SIGNED, None), (f"{SIGNED}:{TOKEN}", TOKEN)])
async def test_a_chat_is_answered_whoever_asks_in_each_way(stage: Stage, api_key: str, session_token: str | None):
    upstream = await provider(stage, api_key, session_token=session_token)
    answer = await stage.answer(MODEL, max_completion_tokens=50, temperature=0.5)
    said = json.loads(answer.body)
    assert said["object"] == "chat.completion"
    assert said["choices"][0]["message"]["content"] == "Hello there."
    assert said["usage"]["prompt_tokens"] == 12
    (request,) = upstream.requests
    assert request.path == "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    assert request.json == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
        "inferenceConfig": {"maxTokens": 50, "temperature": 0.5},
    }


async def test_a_name_that_is_an_arn_is_signed_as_it_is_sent(stage: Stage):
    upstream = await provider(stage, SIGNED)
    streamed = await stage.stream(PROFILE)
    await rest_of(streamed)
    assert upstream.requests[0].path.endswith("application-inference-profile%2Fa1b2c3d4e5f6/converse-stream")


async def test_whoever_this_machine_is_may_ask(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    await provider(stage, "", session_token=TOKEN)
    assert (await stage.answer(MODEL)).status == 200


async def test_a_signature_by_another_secret_is_refused_in_the_providers_words(stage: Stage):
    upstream = await stage.stack.enter_async_context(serve_bedrock())
    upstream.listing = whole(b'{"inferenceProfileSummaries": []}')
    key = stage.cipher.encrypt(f"{ACCESS_KEY}:another")
    id_ = await stage.declare("aws", type="bedrock", base_url=upstream.base_url, api_key=key)
    async with stage.database.write() as connection:
        await model_entries.add(connection, id_, MODEL, stage.clock.now())
    await stage.catalog.load()
    answer = await stage.answer(f"aws/{MODEL}")
    assert answer.status == 403
    assert "signature" in json.loads(answer.body)["error"]["message"]


async def test_a_stream_is_put_into_the_callers_wire(stage: Stage):
    await provider(stage, SIGNED)
    streamed = await stage.stream(MODEL, stream_options={"include_usage": True})
    data = await rest_of(streamed)
    assert data.endswith(b"data: [DONE]\n\n")
    found = chunks(data)
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in found if chunk["choices"]) == (
        "Hello there."
    )
    assert found[-1]["usage"]["completion_tokens"] == 9
    record = await stage.record()
    assert (record.status_code, record.input_tokens, record.output_tokens) == (200, 12, 9)


async def test_a_tool_is_called_through_a_stream(stage: Stage):
    await provider(stage)
    choice = {"type": "function", "function": {"name": "weather"}}
    found = chunks(await rest_of(await stage.stream(MODEL, tools=[WEATHER], tool_choice=choice)))
    calls = [call for chunk in found for call in chunk["choices"][0]["delta"].get("tool_calls") or ()]
    assert calls[0]["function"]["name"] == "weather"
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"city": "Graz"}
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_form_goes_to_the_model_that_knows_it(stage: Stage):
    upstream = await provider(stage)
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    form = {"name": "city", "schema": schema}
    await stage.answer(MODEL, response_format={"type": "json_schema", "json_schema": form})
    asked = upstream.requests[0].json["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert asked["name"] == "city"
    assert json.loads(asked["schema"]) == schema | {"additionalProperties": False}


async def test_any_json_is_the_answer_of_a_tool_that_nobody_sees(stage: Stage):
    upstream = await provider(stage)
    answer = await stage.answer(MODEL, response_format={"type": "json_object"})
    (choice,) = json.loads(answer.body)["choices"]
    assert json.loads(choice["message"]["content"]) == {"city": "Graz"}
    assert choice["finish_reason"] == "stop"
    assert "tool" in upstream.requests[0].json["toolConfig"]["toolChoice"]


async def anthropic(stage: Stage, **fields: Any) -> Answer | Streamed:
    body = {"model": MODEL, "max_tokens": 4000, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return await stage.pipeline.run(Ask("req_1", MESSAGES, "anthropic", NOBODY, json.dumps(body).encode()))


async def test_thoughts_come_to_an_anthropic_client_and_go_back(stage: Stage):
    upstream = await provider(stage)
    thinking = {"type": "enabled", "budget_tokens": 2048}
    reply = await anthropic(stage, thinking=thinking)
    assert isinstance(reply, Answer)
    said = json.loads(reply.body)["content"]
    assert [block["type"] for block in said] == ["thinking", "text"]
    assert said[0]["thinking"] == "Let me think."
    again = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": said},
        {"role": "user", "content": "?"},
    ]
    reply = await anthropic(stage, thinking=thinking, messages=again)
    assert upstream.requests[0].json["additionalModelRequestFields"]["thinking"] == thinking
    back = upstream.requests[1].json["messages"][1]["content"][0]
    assert back == {"reasoningContent": {"reasoningText": {"text": "Let me think.", "signature": SIGNATURE}}}


async def test_the_cache_is_marked_and_accounted_for(stage: Stage):
    upstream = await provider(stage)
    mark = {"type": "ephemeral", "ttl": "1h"}
    await anthropic(stage, system=[{"type": "text", "text": "Long.", "cache_control": mark}])
    assert upstream.requests[0].json["system"] == [{"text": "Long."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    record = await stage.record()
    assert (record.input_tokens, record.cached_input_tokens, record.cache_write_tokens) == (2312, 2000, 300)


@pytest.mark.parametrize(
    ("name", "status"),
    [("throttlingException", 429), ("modelStreamErrorException", 502), ("serviceUnavailableException", 503)],
)
async def test_a_stream_that_begins_with_an_exception_has_its_status(stage: Stage, name: str, status: int):
    upstream = await provider(stage)
    failed = sse([bedrock.exception(name)], content_type="application/vnd.amazon.eventstream")
    upstream.always(failed)
    reply = await stage.run(MODEL, stream=True)
    assert isinstance(reply, Answer)
    assert reply.status == status
    assert json.loads(reply.body)["error"]["message"] == "the provider's own words"


async def test_an_exception_in_the_middle_ends_the_callers_stream_with_an_error(stage: Stage):
    upstream = await provider(stage)
    upstream.always(bedrock.stream(bedrock.text("Hel"), last=bedrock.exception("internalServerException")))
    data = await rest_of(await stage.stream(MODEL))
    assert b"the provider's own words" in data
    assert b"[DONE]" not in data


async def test_all_that_can_be_called_is_listed_page_by_page(stage: Stage):
    upstream = await provider(stage, SIGNED)
    assert upstream.pulls == 3
    names = set(stage.catalog.models())
    assert {"openai.gpt-oss-120b-1:0", MODEL, PROFILE} <= names
    assert not {"amazon.titan-image", "anthropic.claude-opus-4-6-v1"} & names
