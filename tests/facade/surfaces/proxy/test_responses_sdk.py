"""OpenAI's official client asking for responses, of providers that speak another API and of one that speaks it."""

import json
from typing import Any

import openai
import pytest
from openai.types.responses import FunctionToolParam

from core.store import responses as store
from llmrouter.v1 import admin_pb2
from tests.facade.surfaces.proxy.conftest import Proxy
from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL, chat, error, stream, whole

pytestmark = on_sqlite

ECHO = "echo"
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
OUTPUT: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAA"},
    {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi!", "annotations": []}],
    },
]
USAGE = {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 123,
}
RESPONSE: dict[str, Any] = {
    "id": "resp_of_provider",
    "object": "response",
    "created_at": 1_700_000_000,
    "status": "completed",
    "model": MODEL,
    "output": OUTPUT,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "tool_choice": "auto",
    "tools": [],
    "usage": USAGE,
    "x_unknown": 1.0,
}


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


async def test_a_response_of_a_provider_that_knows_only_chats(proxy: Proxy):
    answer = await proxy.gpt.responses.create(model=ECHO, input="Hello, router!", instructions="Be kind.")
    assert "Hello, router!" in answer.output_text
    assert (answer.status, answer.object, answer.instructions) == ("completed", "response", "Be kind.")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
    record = await proxy.router.record()
    assert (record.operation, record.provider, record.status_code) == ("responses", "echo", 200)


async def test_a_stream_has_the_events_of_the_api_in_their_order(proxy: Proxy):
    events = [
        event async for event in await proxy.gpt.responses.create(model=ECHO, input="Hello, router!", stream=True)
    ]
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert last.response.output_text == said != ""
    assert last.response.usage is not None
    async with proxy.gpt.responses.stream(model=ECHO, input="Hello, router!") as stream:
        assert (await stream.get_final_response()).output_text == said


async def test_a_tool_is_called_and_its_result_goes_back(proxy: Proxy):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Graz"}'}}
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    await proxy.chat_only()
    proxy.router.upstream.script(chat(choices=[choice]), chat("Sunny."))
    asked = await proxy.gpt.responses.create(model="plain/gpt-test", input="Weather?", tools=[WEATHER])
    item = asked.output[0]
    assert item.type == "function_call"
    assert (item.call_id, item.name, item.arguments) == ("call_1", "weather", '{"city":"Graz"}')
    await proxy.router.upstream.received()
    told = await proxy.gpt.responses.create(
        model="plain/gpt-test",
        previous_response_id=asked.id,
        input=[{"type": "function_call_output", "call_id": "call_1", "output": "sun"}],
        tools=[WEATHER],
    )
    assert told.output_text == "Sunny."
    assert told.previous_response_id == asked.id
    sent = (await proxy.router.upstream.received()).json["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == "call_1"


async def test_a_conversation_goes_on_from_its_responses(proxy: Proxy):
    await proxy.chat_only()
    proxy.router.upstream.script(chat("One."), chat("Two."), chat("Three."))
    first = await proxy.gpt.responses.create(model="plain/gpt-test", input="1", instructions="Only this once.")
    second = await proxy.gpt.responses.create(model="plain/gpt-test", input="2", previous_response_id=first.id)
    await proxy.router.inference.core.deps.responses.write()  # the rest is in the database
    await proxy.gpt.responses.create(model="plain/gpt-test", input="3", previous_response_id=second.id, store=False)
    for _ in range(2):
        await proxy.router.upstream.received()
    sent = (await proxy.router.upstream.received()).json["messages"]
    assert [message["content"] for message in sent] == ["1", "One.", "2", "Two.", "3"]


async def test_a_stream_can_be_gone_on_from_as_soon_as_it_is_over(proxy: Proxy):
    events = [event async for event in await proxy.gpt.responses.create(model=ECHO, input="Hello!", stream=True)]
    last = events[-1]
    assert last.type == "response.completed"
    again = await proxy.gpt.responses.create(model=ECHO, input="And?", previous_response_id=last.response.id)
    assert again.previous_response_id == last.response.id


async def test_a_response_is_got_listed_and_deleted(proxy: Proxy):
    made = await proxy.gpt.responses.create(
        model=ECHO, input=[{"role": "user", "content": "Hi"}, {"role": "user", "content": "?"}]
    )
    for _ in range(2):
        got = await proxy.gpt.responses.retrieve(made.id)
        assert got.model_dump() == made.model_dump()
        items = await proxy.gpt.responses.input_items.list(made.id, order="asc", limit=1)
        assert items.has_more
        assert [item.to_dict()["content"] for item in items.data] == [[{"type": "input_text", "text": "Hi"}]]
        rest = await proxy.gpt.responses.input_items.list(made.id, order="asc", after=items.data[0].id or "")
        assert [item.to_dict()["content"] for item in rest.data] == [[{"type": "input_text", "text": "?"}]]
        await proxy.router.inference.core.deps.responses.write()
    await proxy.gpt.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        await proxy.gpt.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="there is no response"):
        await proxy.gpt.responses.create(model=ECHO, input="?", previous_response_id=made.id)


async def test_other_peoples_responses_are_not_there(proxy: Proxy):
    made = await proxy.gpt.responses.create(model=ECHO, input="Hi")
    core = proxy.router.inference.core
    key, _ = await core.credential((await core.user("other")).id)
    client = proxy.gpt.with_options(api_key=key)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(made.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.delete(made.id)
    with pytest.raises(openai.BadRequestError):
        await client.responses.create(model=ECHO, input="?", previous_response_id=made.id)


async def test_what_shall_not_be_stored_touches_no_database(proxy: Proxy):
    deps = proxy.router.inference.core.deps
    made = await proxy.gpt.responses.create(model=ECHO, input="Hi", store=False)
    assert made.to_dict()["store"] is False
    await deps.responses.write()
    async with deps.database.read() as connection:
        assert await store.find(connection, 1, made.id) is None
    with pytest.raises(openai.NotFoundError):
        await proxy.gpt.responses.retrieve(made.id)


async def test_a_provider_that_speaks_the_api_gets_the_bytes_and_its_answer_comes_as_it_is(proxy: Proxy):
    proxy.router.upstream.always(whole(json.dumps(RESPONSE).encode()))
    body = b'{ "model":"gpt-test","input":"Hi",  "x":1.0,"reasoning":{"effort":"low"}}'
    status, answer = await proxy.router.answer("/v1/responses", body)
    assert (status, answer) == (200, json.dumps(RESPONSE).encode())
    request = await proxy.router.upstream.received()
    assert (request.path, request.body) == ("/v1/responses", body)
    record = await proxy.router.record()
    assert (record.input_tokens, record.output_tokens, record.cached_input_tokens) == (36, 87, 8)
    assert (record.reasoning_tokens, record.token_source) == (64, "provider")


async def test_such_a_provider_is_told_the_whole_conversation_and_no_id(proxy: Proxy):
    proxy.router.upstream.always(whole(json.dumps(RESPONSE).encode()))
    first = await proxy.gpt.responses.create(model=MODEL, input="Hi")
    again = await proxy.gpt.responses.create(model=MODEL, input="And?", previous_response_id=first.id)
    assert again.previous_response_id == first.id
    await proxy.router.upstream.received()
    sent = (await proxy.router.upstream.received()).json
    assert "previous_response_id" not in sent
    assert [item["type"] for item in sent["input"]] == ["message", "reasoning", "message", "message"]
    assert sent["input"][1]["encrypted_content"] == "gAAAA"
    assert all("id" not in item for item in sent["input"] if item["type"] == "message")


async def test_a_stream_of_such_a_provider_passes_and_is_kept(proxy: Proxy):
    data = sse(
        {"type": "response.created", "sequence_number": 0, "response": RESPONSE | {"output": [], "usage": None}},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "msg_1", "delta": "Hi!"},
        {"type": "response.completed", "sequence_number": 2, "response": RESPONSE},
    )
    proxy.router.upstream.always(whole(data, content_type="text/event-stream"))
    body = {"model": MODEL, "input": "Hi", "stream": True}
    assert await proxy.router.answer("/v1/responses", body) == (200, data)
    record = await proxy.router.record()
    assert (record.outcome, record.input_tokens, record.output_tokens) == ("answered", 36, 87)
    got = await proxy.gpt.responses.retrieve("resp_of_provider")
    assert got.output_text == "Hi!"


async def test_an_item_that_was_stored_can_be_referred_to(proxy: Proxy):
    await proxy.chat_only()
    proxy.router.upstream.script(chat("One."), chat("Two."))
    first = await proxy.gpt.responses.create(model="plain/gpt-test", input="1")
    item = first.output[0].id or ""
    await proxy.gpt.responses.create(
        model="plain/gpt-test",
        input=[
            {"role": "user", "content": "1"},
            {"type": "item_reference", "id": item},
            {"role": "user", "content": [{"type": "input_text", "text": "2"}]},
        ],
    )
    await proxy.router.upstream.received()
    sent = (await proxy.router.upstream.received()).json["messages"]
    assert [message["content"] for message in sent] == ["1", "One.", "2"]
    with pytest.raises(openai.BadRequestError, match="there is no item"):
        await proxy.gpt.responses.create(model=ECHO, input=[{"type": "item_reference", "id": "msg_of_nobody"}])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"input": [{"type": "message", "role": "user", "content": [{"type": "input_pipe"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "tool", "content": "?"}]}, "input[0].role"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
async def test_what_can_not_be_done_is_refused_by_its_name(proxy: Proxy, fields: dict[str, Any], field: str):
    asked: dict[str, Any] = {"model": ECHO, "input": "Hi", **fields}
    with pytest.raises(openai.BadRequestError) as refused:
        await proxy.gpt.responses.create(**asked)
    assert refused.value.param == field


async def test_what_can_not_be_done_is_left_out_where_the_caller_allows_it(proxy: Proxy):
    answer = await proxy.gpt.responses.with_raw_response.create(
        model=ECHO,
        input="Hi",
        tools=[{"type": "web_search"}],
        extra_headers={"x-llmrouter-drop-unsupported": "true"},
    )
    assert answer.headers["x-llmrouter-dropped"] == "tools[0]"


async def test_a_providers_error_raises_the_clients_own_exception(proxy: Proxy):
    await proxy.chat_only()
    proxy.router.upstream.always(error(429, retry_after="100"))
    with pytest.raises(openai.RateLimitError, match="the provider's own words"):
        await proxy.gpt.responses.create(model="plain/gpt-test", input="Hi")


@pytest.mark.parametrize("mount", ["/v1", "/api/v1", "/proxy/openai/v1"])
async def test_a_stream_that_breaks_off_ends_with_the_error_event_of_the_api(proxy: Proxy, mount: str):
    data = sse(
        {"type": "response.created", "sequence_number": 0, "response": RESPONSE | {"output": [], "usage": None}},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "msg_1", "delta": "Hi!"},
    )
    proxy.router.upstream.always(whole(data, content_type="text/event-stream"))
    status, answer = await proxy.router.answer(f"{mount}/responses", {"model": MODEL, "input": "Hi", "stream": True})
    assert status == 200
    name, told = answer.removeprefix(data).strip().split(b"\n")
    assert name == b"event: error"
    error = json.loads(told.removeprefix(b"data: "))
    assert (error["type"], error["code"], error["param"]) == ("error", "stream_interrupted", None)
    record = await proxy.router.record()
    assert (record.outcome, record.token_source) == ("failed", "counted")


async def test_a_broken_stream_of_a_provider_that_knows_only_chats_is_not_kept(proxy: Proxy):
    await proxy.chat_only()
    proxy.router.upstream.always(stream(["Hel", "lo"], cut_after=2))
    events = await proxy.gpt.responses.create(model="plain/gpt-test", input="Hi", stream=True)
    found = [event async for event in events]
    assert found[-1].type == "error"
    assert found[0].type == "response.created"
    with pytest.raises(openai.NotFoundError):
        await proxy.gpt.responses.retrieve(found[0].response.id)


async def test_a_cap_on_output_goes_to_a_provider_that_speaks_the_api(proxy: Proxy):
    proxy.router.upstream.always(whole(json.dumps(RESPONSE).encode()))
    inference = proxy.router.inference
    made = await inference.core.administration.CreateVirtualKey(
        admin_pb2.CreateVirtualKeyRequest(name="a", user_email=inference.person.email, max_output_tokens=99),
        metadata=inference.metadata,
    )
    client = proxy.gpt.with_options(api_key=made.value)
    await client.responses.create(model=MODEL, input="Hi")
    assert (await proxy.router.upstream.received()).json["max_output_tokens"] == 99
    with pytest.raises(openai.BadRequestError, match="allows 99"):
        await client.responses.create(model=MODEL, input="Hi", max_output_tokens=100)
