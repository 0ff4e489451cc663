"""What goes to a provider, and what comes to a caller, on the Responses wire: the shapes of OpenAI's documentation."""

import json
from typing import Any

import pytest

from core.dialects.canonical import (
    Answer,
    Audio,
    Began,
    CacheMark,
    CallBegan,
    CallDelta,
    Chat,
    Choice,
    Document,
    Ended,
    Event,
    Failed,
    Fault,
    Finished,
    Image,
    Message,
    Reasoning,
    Refusal,
    RefusalDelta,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    Tool,
    ToolCall,
    ToolResult,
    Used,
)
from core.dialects.losses import Losses
from core.dialects.responses.answer_reader import read_answer
from core.dialects.responses.answer_writer import write_answer
from core.dialects.responses.chat_reader import read_chat
from core.dialects.responses.chat_writer import write_chat
from core.dialects.responses.faults import read_fault, write_fault
from core.dialects.responses.request import RESPONSES, read_request
from core.dialects.responses.stream_reader import ResponseReader
from core.dialects.responses.stream_writer import ResponseWriter
from core.dialects.sides import Manner, Unreadable
from core.dialects.tokens import Tokens
from core.errors import InvalidArgument


def asked(**fields: Any) -> Chat:
    body = json.dumps({"model": "m", "input": "Hi", **fields}).encode()
    return read_chat(read_request(RESPONSES, body))


def written(chat: Chat, *, drop: bool = False) -> dict[str, Any]:
    return json.loads(write_chat(chat, Losses({}, "p", drop=drop), Manner()))


def events_of(chat: Chat, *events: Event) -> list[dict[str, Any]]:
    """The events that a caller gets; each has its own name."""
    found: list[dict[str, Any]] = []
    writer = ResponseWriter(chat)
    for block in b"".join(writer.write([event]) for event in events).split(b"\n\n")[:-1]:
        name, data = block.split(b"\n")
        found.append(json.loads(data.removeprefix(b"data: ")))
        assert name == b"event: " + found[-1]["type"].encode()
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def test_a_conversation_goes_to_a_provider_in_items_and_is_not_kept_there():
    chat = Chat(
        "gpt",
        [
            Message("system", [Text("Be kind.", cache=CacheMark("1h"))]),
            Message(
                "user", [Text("Look"), Image(data="AAEC", media_type="image/png"), Document(text="a", name="a.txt")]
            ),
            Message(
                "assistant",
                [
                    Thinking("Hm.", redacted="gAAA", id="rs_1", maker="openai"),
                    Thinking("Not yours.", signature="sig", maker="anthropic"),
                    Text("I do."),
                    ToolCall("call_1", "f", '{"a":1}'),
                ],
            ),
            Message("tool", [ToolResult("call_1", [Text("no such file")], is_error=True)]),
        ],
        tools=[Tool("f")],
        reasoning=Reasoning(budget=2000, shown=True),
        max_output=5,
    )
    assert written(chat) == {
        "model": "gpt",
        "instructions": "Be kind.",
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAEC"},
                    {"type": "input_file", "file_data": "data:text/plain;base64,YQ==", "filename": "a.txt"},
                ],
            },
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "encrypted_content": "gAAA",
            },
            {"type": "message", "role": "assistant", "content": "I do."},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'},
            {
                "type": "function_call_output",
                "call_id": "call_1",
                "output": [
                    {"type": "input_text", "text": "The tool failed."},
                    {"type": "input_text", "text": "no such file"},
                ],
            },
        ],
        "store": False,
        "tools": [{"type": "function", "name": "f", "parameters": None, "strict": False}],
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 16,
    }


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"stop": ["."]}, "stop"),
        ({"seed": 1}, "seed"),
        ({"top_k": 1}, "top_k"),
        ({"n": 2}, "n"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"messages": [Message("user", [Text("a")], name="Ada")]}, "messages[0].name"),
        ({"messages": [Message("user", [Audio("AA==", "wav")])]}, "messages[0].content"),
    ],
)
def test_what_the_wire_can_not_say_is_refused_or_left_out(fields: dict[str, Any], name: str):
    given: dict[str, Any] = {"model": "m", "messages": [Message("user", [Text("a")])], **fields}
    chat = Chat(**given)
    with pytest.raises(InvalidArgument) as refused:
        written(chat)
    assert refused.value.field == name
    assert written(chat, drop=True)["model"] == "m"


def test_an_answer_repeats_what_was_asked():
    tools = [{"type": "function", "name": "f", "parameters": {"x": 1.0}, "strict": False}]
    chat = asked(
        tools=tools, instructions="Be kind.", metadata={"a": "b"}, temperature=0.5, previous_response_id="resp_0"
    )
    answer = Answer(
        "chatcmpl-1", "model-1", [Choice([Text("Hi.")])], Tokens(input=3, output=2, reasoning=1), 1_700_000_000
    )
    found = json.loads(write_answer(answer, chat))
    assert found.pop("output") == [
        {
            "type": "message",
            "id": "msg_chatcmpl-1_0",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi.", "annotations": [], "logprobs": []}],
        }
    ]
    assert found.pop("usage") == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 5,
    }
    assert found == {
        "id": "resp_chatcmpl-1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": "Be kind.",
        "max_output_tokens": None,
        "metadata": {"a": "b"},
        "model": "model-1",
        "parallel_tool_calls": True,
        "previous_response_id": "resp_0",
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 0.5,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": tools,
        "top_p": None,
        "truncation": "disabled",
    }


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_that_was_cut_off_is_incomplete(finish: Any, reason: str):
    found = json.loads(write_answer(Answer("1", "m", [Choice([Text("Hi")], finish)]), asked()))
    assert (found["status"], found["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert read_answer(json.dumps(found).encode()).choices[0].finish == finish


def test_calls_of_custom_tools_have_a_text():
    chat = asked(tools=[{"type": "custom", "name": "note"}, {"type": "function", "name": "f"}])
    calls = [ToolCall("c1", "note", '{"input":"a\\nb"}'), ToolCall("c2", "f", "{}"), ToolCall("c3", "note", "plain")]
    output = json.loads(write_answer(Answer("1", "m", [Choice([*calls], "tool_calls")]), chat))["output"]
    assert [(item["type"], item.get("input")) for item in output] == [
        ("custom_tool_call", "a\nb"),
        ("function_call", None),
        ("custom_tool_call", "plain"),
    ]
    events = events_of(
        chat,
        Began("1"),
        CallBegan(0, "c1", "note"),
        CallDelta(0, '{"input":"a'),
        CallDelta(0, '\\nb"}'),
        Finished("tool_calls"),
        Ended(),
    )
    assert [event["type"] for event in events[3:6]] == [
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.output_item.done",
    ]
    assert events[5]["item"]["input"] == "a\nb"


def test_a_stream_has_every_event_of_thoughts_texts_and_calls():
    events = events_of(
        asked(),
        Began("1", "m", 5),
        ThinkingDelta("Hm"),
        ThinkingDelta("."),
        ThinkingSigned("sig", maker="anthropic"),
        TextDelta("Hi"),
        RefusalDelta("No"),
        CallBegan(0, "c0", "f"),
        CallBegan(1, "c1", "g"),
        CallDelta(1, "{}"),
        CallDelta(0, "[]"),
        Finished("tool_calls"),
        Used(Tokens(input=1, output=2)),
        Ended(),
    )
    assert [(event["type"].removeprefix("response."), event.get("output_index")) for event in events] == [
        ("created", None),
        ("in_progress", None),
        ("output_item.added", 0),
        ("reasoning_summary_part.added", 0),
        ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.done", 0),
        ("reasoning_summary_part.done", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("content_part.added", 1),
        ("output_text.delta", 1),
        ("output_text.done", 1),
        ("content_part.done", 1),
        ("content_part.added", 1),
        ("refusal.delta", 1),
        ("refusal.done", 1),
        ("content_part.done", 1),
        ("output_item.done", 1),
        ("output_item.added", 2),
        ("output_item.added", 3),
        ("function_call_arguments.delta", 3),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.done", 2),
        ("output_item.done", 2),
        ("function_call_arguments.done", 3),
        ("output_item.done", 3),
        ("completed", None),
    ]
    last = events[-1]["response"]
    assert [item["type"] for item in last["output"]] == ["reasoning", "message", "function_call", "function_call"]
    assert [part["type"] for part in last["output"][1]["content"]] == ["output_text", "refusal"]
    assert last["output"][0]["encrypted_content"].startswith("llmrouter.")
    assert last["usage"]["total_tokens"] == 3
    ids = [item["id"] for item in last["output"]]
    assert len(set(ids)) == 4
    for event in events:
        if "item_id" in event:
            assert event["item_id"] == ids[event["output_index"]]


def test_a_stream_that_fails_says_so_with_what_it_has():
    fault = Fault(503, "overloaded", code="server_is_overloaded")
    events = events_of(asked(), Began("1", "m", 5), TextDelta("Hi"), Failed(fault))
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["status"] == "failed"
    assert events[-1]["response"]["error"] == {"code": "server_is_overloaded", "message": "overloaded"}
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"
    assert events_of(asked(), Failed(fault)) == [
        {"type": "error", "sequence_number": 0, "code": "server_is_overloaded", "message": "overloaded", "param": None}
    ]


def read_stream(*events: dict[str, Any]) -> list[Event]:
    reader = ResponseReader()
    return [found for event in events for found in reader.read(json.dumps(event).encode())]


def test_what_a_provider_says_only_when_it_is_done_is_read():
    message = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    assert read_stream(
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.output_item.done", "output_index": 1, "item": call},
        {"type": "response.made_up", "x": 1},
        {"type": "response.completed", "response": {"output": []}},
    ) == [TextDelta("Hi"), CallBegan(0, "c", "f"), CallDelta(0, "{}"), Finished("tool_calls"), Ended()]


def test_parts_of_a_thought_are_apart():
    delta = {"type": "response.reasoning_summary_text.delta", "output_index": 0}
    parts = [{**delta, "summary_index": index, "delta": text} for index, text in ((0, "a"), (0, "b"), (1.0, "c"))]
    assert read_stream(*parts) == [ThinkingDelta("a"), ThinkingDelta("b"), ThinkingDelta("\n\nc")]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"type":7}',
        b'{"type":"response.output_text.delta","output_index":70000,"delta":"x"}',
        b'{"type":"response.output_text.delta","delta":{"a":1}}',
        b'{"type":"response.completed","response":[]}',
    ],
)
def test_what_is_no_event_is_unreadable(payload: bytes):
    with pytest.raises(Unreadable):
        ResponseReader().read(payload)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"output":7}', b'{"output":[{"type":"message","content":7}]}'])
def test_what_is_no_answer_is_unreadable(body: bytes):
    with pytest.raises(Unreadable):
        read_answer(body)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, 429),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "slow"}}, 400),
        ({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "slow"}}}, 500),
        ({"error": {"code": 503, "message": "slow"}}, 503),
        ({"type": "error", "message": "slow"}, 502),
    ],
)
def test_errors_inside_a_stream_have_the_status_that_they_would_have_had(event: dict[str, Any], status: int):
    (found,) = read_stream(event)
    assert isinstance(found, Failed)
    assert (found.fault.status, found.fault.message) == (status, "slow")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"bad","type":"invalid_request_error","param":"x","code":"c"}}', "bad"),
        (b'{"error":"bad"}', "bad"),
        (b'{"detail":"bad"}', "bad"),
        (b"bad\n", "bad"),
        (b"", "the provider answered 400"),
        (b"{}", "the provider answered 400"),
    ],
)
def test_errors_are_read_whatever_their_shape(body: bytes, message: str):
    fault = read_fault(400, body)
    assert (fault.status, fault.message) == (400, message)
    assert json.loads(write_fault(fault))["error"]["message"] == message


def test_an_answer_with_a_refusal_is_one():
    answer = Answer("1", "m", [Choice([Refusal("No.")], "refusal")])
    found = read_answer(write_answer(answer, asked()))
    assert (found.choices[0].parts, found.choices[0].finish) == ([Refusal("No.")], "refusal")
