"""Streams of chat completions as vendors send them, with their ways, and what is understood of them."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import (
    Began,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Failed,
    Fault,
    Finished,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.openai.answer_reader import read_answer
from core.dialects.openai.stream_reader import ChunkReader
from core.dialects.sides import Unreadable
from core.dialects.tokens import PROVIDER, Tokens


def follow(*chunks: dict[str, Any] | bytes) -> list[Event]:
    """The events of chunks, but for the first, which says that a stream has begun."""
    reader = ChunkReader()
    found: list[Event] = []
    for chunk in chunks:
        found += reader.read(chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode())
    found += reader.end()
    return [event for event in found if not isinstance(event, Began)]


def delta(finish: str | None = None, index: int | None = 0, **said: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m",
        "choices": [{"index": index, "delta": said, "finish_reason": finish}],
    }


def call(arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """A delta with a piece of one call; name, index and id as given."""
    name = fields.pop("name", None)
    function: dict[str, Any] = {"arguments": arguments}
    if name is not None:
        function["name"] = name
    return delta(tool_calls=[{**fields, "function": function}])


USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
USED = Used(Tokens(input=5, output=7, source=PROVIDER))


def test_a_stream_as_openai_documents_it():
    reader = ChunkReader()
    logprobs: dict[str, Any] = {
        "content": [{"token": "Hi", "logprob": -0.5, "bytes": None, "top_logprobs": []}],
        "refusal": None,
    }
    text = delta(content="Hi")
    text["choices"][0]["logprobs"] = logprobs
    last: dict[str, Any] = {**delta(), "choices": [], "usage": USAGE}
    events = [
        *reader.read(json.dumps(delta(role="assistant", content="")).encode()),
        *reader.read(json.dumps(text).encode()),
        *reader.read(json.dumps(delta("stop")).encode()),
        *reader.read(json.dumps(last).encode()),
        *reader.read(b"[DONE]"),
    ]
    assert events[0] == Began("chatcmpl-1", "m", 1700000000)
    assert isinstance(events[1], TextDelta)
    assert (events[1].text, json.loads(bytes(events[1].logprobs))) == ("Hi", logprobs)
    assert events[2:] == [Finished("stop"), USED, Ended()]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(
            [call("", index=0, id="c1", name="a"), call('{"x":', index=0), call("1}", index=0)], id="as documented"
        ),
        pytest.param([call('{"x":1}', id="c1", name="a")], id="without an index, whole"),
        pytest.param([call('{"x":', id="c1", name="a"), call("1}")], id="without an index, in pieces"),
        pytest.param(
            [call('{"x":', index=0, id="c1", name="a"), call("1}", index=0, id="c1", name="a")],
            id="the name again and again",
        ),
        pytest.param([call('{"x":', index=0, id="c1"), call("1}", index=0, name="a")], id="the name late"),
    ],
)
def test_one_call_is_one_call_however_it_comes(chunks: list[dict[str, Any]]):
    events = follow(*chunks, delta("stop"))
    assert events[0] == CallBegan(0, "c1", "a")
    pieces = [event for event in events if isinstance(event, CallDelta)]
    assert "".join(piece.arguments for piece in pieces) == '{"x":1}'
    assert {piece.index for piece in pieces} == {0}
    assert events[-1] == Finished("tool_calls")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([{"index": 0, "id": "c1"}, {"index": 1, "id": "c2"}], id="as documented"),
        pytest.param([{"id": "c1"}, {"id": "c2"}], id="without an index"),
        pytest.param([{"index": 0, "id": "c1"}, {"index": 0, "id": "c2"}], id="with the same index"),
        pytest.param([{"index": 1, "id": "c1"}, {"index": 5, "id": "c2"}], id="not from 0"),
    ],
)
def test_two_calls_are_two_calls_however_they_come(fields: list[dict[str, Any]]):
    events = follow(*[call("{}", name="a", **one) for one in fields])
    assert events == [CallBegan(0, "c1", "a"), CallDelta(0, "{}"), CallBegan(1, "c2", "a"), CallDelta(1, "{}")]


def test_two_calls_without_ids_and_indexes_are_two_calls():
    events = follow(delta(tool_calls=[{"function": {"name": "a", "arguments": "{}"}}] * 2))
    assert [event for event in events if isinstance(event, CallBegan)] == [CallBegan(0, "", "a"), CallBegan(1, "", "a")]


def test_arguments_that_are_an_object_are_its_text():
    assert follow(call({"x": 1}, index=0, id="c", name="a"))[1] == CallDelta(0, '{"x": 1}')


def test_a_function_of_before_tools_is_a_call():
    events = follow(
        delta(function_call={"name": "a", "arguments": ""}),
        delta(function_call={"arguments": "{}"}),
        delta("function_call"),
    )
    assert events == [CallBegan(0, "", "a"), CallDelta(0, "{}"), Finished("tool_calls")]


def test_thoughts_are_read_from_all_their_places():
    assert follow(delta(reasoning_content="hm")) == [ThinkingDelta("hm")]
    assert follow(delta(reasoning="hm")) == [ThinkingDelta("hm")]
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "so"}]
    assert follow(delta(content=parts)) == [ThinkingDelta("hm"), TextDelta("so")]


def test_openrouters_details_are_not_heard_twice_and_end_with_their_proof():
    text = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    events = follow(
        delta(content="", reasoning=None, reasoning_details=[{**text, "text": "", "signature": ""}]),
        delta(content="", reasoning="h", reasoning_details=[{**text, "text": "h"}]),
        delta(content="", reasoning="m", reasoning_details=[{**text, "text": "m"}]),
        delta(content="", reasoning=None, reasoning_details=[{**text, "signature": "sig"}]),
        delta(reasoning_details=[{"type": "reasoning.encrypted", "data": "xx", "id": "rs", "format": "other-v1"}]),
        delta(reasoning_details=[{"type": "reasoning.summary", "summary": "short"}]),
    )
    assert events == [
        ThinkingDelta("h"),
        ThinkingDelta("m"),
        ThinkingSigned("sig", maker="anthropic"),
        ThinkingSigned(redacted="xx", id="rs", maker="other-v1"),
        ThinkingDelta("short"),
    ]


def test_the_proof_of_a_call_belongs_to_the_call():
    google = call("{}", index=0, id="c", name="a", extra_content={"google": {"thought_signature": "sig"}})
    assert follow(google)[0] == CallBegan(0, "c", "a", "sig")
    router = call("{}", index=0, id="c", name="a")
    router["choices"][0]["delta"]["reasoning_details"] = [{"type": "reasoning.encrypted", "data": "sig", "id": "c"}]
    assert follow(router)[0] == CallBegan(0, "c", "a", "sig")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("eos", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("new", "stop")],
)
def test_reasons_of_the_end_are_understood(reason: str, finish: str):
    assert follow(delta(content="a"), delta(reason)) == [TextDelta("a"), Finished(finish)]  # type: ignore[arg-type]


def test_calls_that_were_promised_and_never_came_are_none():
    assert follow(delta(content="a"), delta("tool_calls"))[-1] == Finished("stop")


def test_a_refusal_is_the_reason_of_its_end():
    assert follow(delta(refusal="no"), delta("stop")) == [RefusalDelta("no"), Finished("refusal")]


def test_usage_is_read_wherever_it_comes_and_the_end_is_told_once():
    last = {**delta("stop"), "usage": USAGE}
    assert follow(last, delta("stop")) == [Finished("stop"), USED]
    assert follow({**delta(content="a"), "usage": {"prompt_tokens": 0, "completion_tokens": 0}}) == [TextDelta("a")]
    assert follow({**delta(), "usage": {**USAGE, "prompt_tokens_details": "none"}}) == [USED]


def test_xais_thoughts_are_output_too():
    usage = {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135}
    told = {**usage, "completion_tokens_details": {"reasoning_tokens": 94}}
    assert follow({"choices": [], "usage": told}) == [Used(Tokens(input=32, output=103, reasoning=94, source=PROVIDER))]


def test_several_answers_keep_their_numbers():
    chunk = delta(content="a")
    chunk["choices"] = [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]
    assert follow(chunk) == [TextDelta("a", 0), TextDelta("b", 1)]


ERRORS: list[tuple[dict[str, Any], Fault]] = [
    (
        {"error": {"message": "slow down", "type": "rate_limit_error", "code": 429}},
        Fault(429, "slow down", "rate_limit_error"),
    ),
    ({"error": {"message": "gone", "code": 503}, "choices": []}, Fault(503, "gone")),
    ({"error": "it broke"}, Fault(502, "it broke")),
    (
        {"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 500, "message": "it broke"}}]},
        Fault(500, "it broke"),
    ),
    (
        {"choices": [{"delta": {}, "finish_reason": "insufficient_system_resource"}]},
        Fault(502, "the provider's answer broke off", "server_error"),
    ),
]


@pytest.mark.parametrize(("chunk", "fault"), ERRORS)
def test_an_error_ends_a_stream(chunk: dict[str, Any], fault: Fault):
    assert follow(chunk) == [Failed(fault)]


@pytest.mark.parametrize("payload", [b"hello", b"[]", b'{"choices": 1}', b'{"choices":[{"index":65536}]}'])
def test_what_is_no_chunk_is_unreadable(payload: bytes):
    with pytest.raises(Unreadable):
        ChunkReader().read(payload)


def test_what_nobody_knows_is_let_pass():
    assert follow(b"", b" ") == []
    assert follow({"object": "ping"}, {**delta(content="a", novelty=1), "x_groq": {}}) == [TextDelta("a")]


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["type", "text", "function", "name", "arguments", "id"]), inner, max_size=3),
    ),
    max_leaves=6,
)
DELTAS = st.dictionaries(
    st.sampled_from(["content", "reasoning", "reasoning_details", "tool_calls", "function_call", "refusal"]), VALUES
)


@given(DELTAS, st.dictionaries(st.sampled_from(["id", "created", "model", "usage", "error", "choices"]), VALUES))
def test_whatever_comes_is_read_or_unreadable(said: dict[str, Any], fields: dict[str, Any]):
    chunk = json.dumps({**delta(**said), **fields}).encode()
    with suppress(Unreadable):
        ChunkReader().read(chunk)
    whole = json.dumps({"choices": [{"message": said, "finish_reason": "stop"}], **fields}).encode()
    with suppress(Unreadable):
        read_answer(whole)
