"""Streams of the OpenAI wire as events: whatever the provider makes of its chunks, in whatever blocks they come."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dialects.tokens import PROVIDER, Tokens
from core.errors import ProviderError, UpstreamStatus
from core.routing.reply import Answer, Place
from core.rpc.stream_events import StreamEvents
from llmrouter.v1 import router_pb2 as pb

TOKENS = Tokens(input=3, output=2, source=PROVIDER)
ROUTING = pb.Routing(request_id="req_1", provider="main", model="small")
USAGE = pb.StreamChatResponse(usage=pb.TokenUsage(input_tokens=3, output_tokens=2, source=pb.TOKEN_SOURCE_PROVIDER))
STARTED = pb.StreamChatResponse(started=pb.StreamStarted(id="c1", model="m", routing=ROUTING))


STOP_REASONS = {
    "stop": pb.STOP_REASON_STOP,
    "length": pb.STOP_REASON_LENGTH,
    "tool_calls": pb.STOP_REASON_TOOL_CALLS,
    "content_filter": pb.STOP_REASON_CONTENT_FILTER,
}


def new() -> "StreamEvents[pb.StreamChatResponse]":
    return StreamEvents(pb.StreamChatResponse, "req_1", Place("main", "small"))


def chunk(*choices: dict[str, Any], line_end: str = "\n", **fields: Any) -> bytes:
    body = {"id": "c1", "model": "m", "choices": choices, **fields}
    return f"data: {json.dumps(body)}{line_end}{line_end}".encode()


def said(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish}


def events_of(*blocks: bytes) -> list[pb.StreamChatResponse]:
    """All events of a stream that is complete."""
    stream = new()
    found = [event for block in blocks for event in stream.block(block)]
    return found + stream.end(TOKENS, 7)


def text(content: str, index: int = 0) -> pb.StreamChatResponse:
    return pb.StreamChatResponse(delta=pb.TextDelta(index=index, text=content))


def call(**fields: Any) -> pb.StreamChatResponse:
    return pb.StreamChatResponse(tool_call_delta=pb.ToolCallDelta(**fields))


def finished(*reasons: str) -> pb.StreamChatResponse:
    routing = pb.Routing(request_id="req_1", provider="main", model="small", cost_nanousd=7)
    ends = [
        pb.ChoiceEnd(index=index, finish_reason=reason, stop_reason=STOP_REASONS.get(reason))
        for index, reason in enumerate(reasons)
    ]
    return pb.StreamChatResponse(finished=pb.StreamFinished(finish_reasons=reasons, routing=routing, choices=ends))


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_stream_from_its_start_to_its_end(line_end: str):
    blocks = [
        chunk(said(role="assistant", content=""), line_end=line_end),
        chunk(said(content="Hel"), line_end=line_end),
        chunk(said(content="lo"), line_end=line_end),
        chunk(said(finish="stop"), line_end=line_end) + f"data: [DONE]{line_end}{line_end}".encode(),
    ]
    assert events_of(*blocks) == [STARTED, text("Hel"), text("lo"), USAGE, finished("stop")]


def test_what_one_block_brings_of_one_text_is_one_delta():
    block = b"".join([chunk(said(content=each)) for each in ("a", "b", "c")])
    assert events_of(block, chunk(said(content="d"))) == [STARTED, text("abc"), text("d"), USAGE, finished("")]


def test_several_answers_are_told_apart():
    block = chunk(said(0, content="a"), said(1, content="x")) + chunk(said(1, content="y", finish="length"))
    assert events_of(block, chunk(said(0, finish="stop"))) == [
        STARTED,
        text("a", 0),
        text("xy", 1),
        USAGE,
        finished("stop", "length"),
    ]


def test_reasoning_refusal_and_text_do_not_run_together():
    block = b"".join(
        [
            chunk(said(reasoning_content="h")),
            chunk(said(reasoning="m")),
            chunk(said(content="a")),
            chunk(said(refusal="no")),
        ]
    )
    assert [event.delta for event in events_of(block)[1:4]] == [
        pb.TextDelta(reasoning="hm"),
        pb.TextDelta(text="a"),
        pb.TextDelta(refusal="no"),
    ]


def test_log_probabilities_stay_with_their_piece_and_to_the_letter():
    logprobs = '{"content": [{"token": "a", "logprob": -1.0, "top_logprobs": []}]}'
    line = '{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"logprobs":%s}]}'
    block = f"data: {line % ('a', logprobs)}\n\ndata: {line % ('b', 'null')}\n\n".encode()
    assert [event.delta for event in events_of(block)[1:3]] == [
        pb.TextDelta(text="a", logprobs_json=logprobs),
        pb.TextDelta(text="b"),
    ]


def test_tool_calls_are_streamed_piece_by_piece():
    def piece(index: int, **fields: Any) -> dict[str, Any]:
        return {"index": index, **fields}

    blocks = [
        chunk(said(tool_calls=[piece(0, id="call_1", type="function", function={"name": "look", "arguments": ""})])),
        chunk(said(tool_calls=[piece(0, function={"arguments": '{"a"'})])),
        chunk(said(tool_calls=[piece(0, function={"arguments": ":"})]))
        + chunk(said(tool_calls=[piece(0, function={"arguments": "1}"})]))
        + chunk(said(tool_calls=[piece(1, id="call_2", function={"name": "find", "arguments": "{}"})])),
        chunk(said(finish="tool_calls")),
    ]
    assert events_of(*blocks) == [
        STARTED,
        call(id="call_1", name="look"),
        call(arguments_json='{"a"'),
        call(arguments_json=":1}"),
        call(call_index=1, id="call_2", name="find", arguments_json="{}"),
        USAGE,
        finished("tool_calls"),
    ]


def test_calls_that_the_provider_does_not_number_are_numbered_here():
    blocks = [
        chunk(said(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": ""}}])),
        chunk(said(tool_calls=[{"function": {"arguments": "{}"}}])),
        chunk(said(tool_calls=[{"id": "b", "function": {"name": "g", "arguments": "{}"}}])),
    ]
    assert [event.tool_call_delta.call_index for event in events_of(*blocks)[1:4]] == [0, 0, 1]


def test_a_chunk_that_does_not_say_who_answers_begins_nothing():
    blocks = [
        b": OPENROUTER PROCESSING\n\n",
        b'data: {"id":"","model":"","choices":[],"prompt_filter_results":[]}\n\n',
        chunk(said(content="a")),
    ]
    assert events_of(*blocks) == [STARTED, text("a"), USAGE, finished("")]


def test_a_chunk_with_the_usage_adds_no_event_of_its_own():
    blocks = [chunk(said(content="a")), chunk(usage={"prompt_tokens": 3, "completion_tokens": 2})]
    assert events_of(*blocks) == [STARTED, text("a"), USAGE, finished("")]


def test_a_stream_of_nothing_has_its_three_events():
    started = pb.StreamChatResponse(started=pb.StreamStarted(routing=ROUTING))
    assert events_of(b"data: [DONE]\n\n") == [started, USAGE, finished()]


def test_a_cost_that_is_not_known_is_absent():
    assert not new().end(TOKENS, None)[-1].finished.routing.HasField("cost_nanousd")


def test_an_error_event_ends_the_stream_with_the_providers_words():
    error = {"message": "out of memory", "type": "server_error", "code": 503}
    with pytest.raises(UpstreamStatus, match="out of memory") as caught:
        new().block(chunk(said(content="a")) + f"data: {json.dumps({'error': error})}\n\n".encode())
    assert caught.value.status == 503
    assert caught.value.metadata == {"http_status": "503", "type": "server_error", "code": "503"}


@pytest.mark.parametrize("code", ["model_overloaded", 99, 600, "²", "4" * 5000])
def test_an_error_event_without_a_status_is_a_bad_gateway(code: object):
    with pytest.raises(UpstreamStatus) as caught:
        new().block(f"data: {json.dumps({'error': {'code': code}})}\n\n".encode())
    assert caught.value.status == 502


@pytest.mark.parametrize(
    "event", [b'data: {"choices":\n\n', b'data: {"choices":[{"index":-1}]}\n\n', b'data: {"id":[]}\n\n']
)
def test_an_event_that_is_none_ends_the_stream(event: bytes):
    with pytest.raises(ProviderError):
        new().block(event)


def test_text_completions_have_events_of_their_own():
    stream = StreamEvents(pb.StreamTextResponse, "req_1", Place("main", "small"))
    found = stream.block(chunk({"index": 1, "text": "a"}) + chunk({"index": 1, "text": "b", "finish_reason": "stop"}))
    found += stream.block(chunk(said(tool_calls=[{"index": 0, "function": {"name": "f"}}])))
    found += stream.end(TOKENS, None)
    assert [event.WhichOneof("event") for event in found] == ["started", "delta", "usage", "finished"]
    assert found[1].delta == pb.TextDelta(index=1, text="ab")
    assert list(found[3].finished.finish_reasons) == ["", "stop"]


def test_a_provider_that_does_not_stream_is_heard_too():
    message = {
        "role": "assistant",
        "content": "hi",
        "reasoning": "hm",
        "tool_calls": [
            {"id": "a", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "function": {"name": "g", "arguments": "{}"}},
        ],
    }
    body = {"id": "c1", "model": "m", "choices": [{"message": message, "finish_reason": "tool_calls"}]}
    answer = Answer(Place(), 200, "application/json", (), json.dumps(body).encode(), TOKENS, 7)
    assert new().whole(answer) == [
        STARTED,
        pb.StreamChatResponse(delta=pb.TextDelta(text="hi", reasoning="hm")),
        call(id="a", name="f", arguments_json="{}"),
        call(call_index=1, id="b", name="g", arguments_json="{}"),
        USAGE,
        finished("tool_calls"),
    ]


_pieces = st.one_of(
    st.tuples(st.just("content"), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
    st.tuples(st.just("reasoning_content"), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 2), _pieces, st.booleans()), max_size=20))
def test_no_text_is_lost_or_mixed_up_however_chunks_come_in_blocks(steps: list[tuple[int, tuple[str, str], bool]]):
    blocks, wanted = [b""], {"content": ["", "", ""], "reasoning_content": ["", "", ""]}
    for index, (kind, piece), breaks in steps:
        blocks[-1] += chunk(said(index, **{kind: piece}))
        wanted[kind][index] += piece
        if breaks:
            blocks.append(b"")
    found: dict[str, list[str]] = {"content": ["", "", ""], "reasoning_content": ["", "", ""]}
    for event in events_of(*blocks):
        if event.HasField("delta"):
            found["content"][event.delta.index] += event.delta.text
            found["reasoning_content"][event.delta.index] += event.delta.reasoning
    assert found == wanted
