"""Bedrock's answers and streams as they really come: what is strange in them, and what is wrong."""

import json
from typing import Any

import pytest

from core.dialects.bedrock.answer_reader import read_answer
from core.dialects.bedrock.faults import read_fault
from core.dialects.bedrock.stream_reader import ConverseStreamReader
from core.dialects.canonical import (
    Ended,
    Event,
    Failed,
    Fault,
    Finished,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from core.dialects.sides import Unreadable
from tests.support import bedrock_upstream as bedrock


def read(*payloads: dict[str, Any]) -> list[Event]:
    reader = ConverseStreamReader()
    return [*(event for payload in payloads for event in reader.read(json.dumps(payload).encode())), *reader.end()]


def started(index: int, name: str, **extra: Any) -> dict[str, Any]:
    use = {"toolUseId": "t1", "name": name, **extra}
    return {"contentBlockStart": {"start": {"toolUse": use}, "contentBlockIndex": index}}


def delta(index: int, **said: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": said, "contentBlockIndex": index}}


def stopped(reason: str) -> dict[str, Any]:
    return {"messageStop": {"stopReason": reason}}


METADATA: dict[str, Any] = {"metadata": {"usage": dict(bedrock.USAGE), "metrics": {"latencyMs": 5}}}


def test_the_tool_that_stands_for_an_answer_is_the_answer():
    said = delta(0, toolUse={"input": '{"a":1}'})
    events = read(started(0, "llmrouter_answer"), said, stopped("tool_use"), METADATA)
    assert events[:2] == [TextDelta('{"a":1}'), Finished("stop")]
    use = {"toolUse": {"toolUseId": "t1", "name": "llmrouter_answer", "input": {"a": 1}}}
    (choice,) = read_answer(bedrock.body(use, stop="tool_use")).choices
    assert choice.parts == [Text('{"a": 1}')]
    assert choice.finish == "stop"


def test_the_providers_own_tools_are_passed_over():
    own = started(0, "nova_grounding", type="server_tool_use")
    assert read(own, delta(0, toolUse={"input": "{}"}), delta(1, text="So."), delta(1, citation={"title": "x"})) == [
        TextDelta("So.")
    ]
    server: Any = {"toolUse": {"toolUseId": "t1", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}}
    cited = {"citationsContent": {"content": [{"text": "So."}], "citations": []}}
    assert read_answer(bedrock.body(server, cited)).choices[0].parts == [Text("So.")]


def test_thoughts_that_nobody_signed_have_no_maker():
    plain = {"reasoningContent": {"reasoningText": {"text": "Hm."}}}
    assert read_answer(bedrock.body(plain)).choices[0].parts == [Thinking("Hm.")]


def test_a_malformed_answer_is_no_answer_and_is_paid_for():
    events = read(delta(0, text="x"), stopped("malformed_tool_use"), METADATA)
    assert isinstance(events[1], Used)
    assert events[2] == Failed(Fault(502, "the model's answer was malformed", kind="malformed_tool_use"))
    assert isinstance(read(stopped("malformed_model_output"))[-1], Failed)
    with pytest.raises(Unreadable):
        read_answer(bedrock.body(stop="malformed_model_output"))


def test_a_stream_is_over_with_its_usage():
    assert read(stopped("end_turn"), METADATA)[-1] == Ended()
    assert read(METADATA)[-1] != Ended(), "usage that comes before the end does not end it"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("throttlingException", 429),
        ("validationException", 400),
        ("internalServerException", 500),
        ("modelStreamErrorException", 502),
        ("serviceUnavailableException", 503),
        ("modelTimeoutException", 504),
        ("somethingNewException", 500),
    ],
)
def test_exceptions_have_the_status_that_they_would_have_had(name: str, status: int):
    assert read({name: {"message": "no"}}) == [Failed(Fault(status, "no", kind=name))]


def test_what_is_not_known_is_passed_over():
    assert read({"somethingNew": {"a": 1}}, delta(0, somethingNew={}), {"contentBlockDelta": {"delta": None}}) == []


@pytest.mark.parametrize(
    "payload",
    [
        b"no",
        b"[]",
        b'{"contentBlockDelta": 7}',
        b'{"contentBlockDelta": {"delta": {"toolUse": {"input": "{"}}, "contentBlockIndex": 3}}',
        b'{"contentBlockStart": {"start": {"toolUse": {"name": "a"}}, "contentBlockIndex": 65536}}',
        b"\xff",
        b'{"metadata":' + b"[" * 100_000,
    ],
)
def test_what_is_wrong_is_unreadable(payload: bytes):
    with pytest.raises(Unreadable):
        ConverseStreamReader().read(payload)


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"output": {}}', b'{"output": {"message": 7}}', b"\xff"])
def test_an_answer_that_is_none_is_unreadable(body: bytes):
    with pytest.raises(Unreadable):
        read_answer(body)


def test_an_answer_may_lack_what_it_should_have():
    body = b'{"output": {"message": {"content": [{"toolUse": {"name": "a"}}, {"image": {}}]}}, "stopReason": null}'
    answer = read_answer(body)
    assert answer.tokens is None
    assert answer.choices[0].parts == [ToolCall("", "a", "{}")]
    floats = b'{"output": {"message": {}}, "usage": {"inputTokens": 3.0, "outputTokens": 4.0}}'
    assert (tokens := read_answer(floats).tokens) is not None
    assert (tokens.input, tokens.output) == (3, 4)


def test_tokens_of_the_cache_are_a_part_of_the_input():
    tokens = read_answer(bedrock.body(usage=bedrock.CACHED_USAGE)).tokens
    assert tokens is not None
    assert (tokens.input, tokens.cached_input, tokens.cache_write, tokens.cache_write_1h) == (2312, 2000, 300, 100)


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, b'{"message": "bad"}', Fault(400, "bad")),
        (403, b'{"Message": "who?"}', Fault(403, "who?")),
        (424, b'{"message": "x", "originalStatusCode": 500}', Fault(502, "x")),
        (408, b'{"message": "slow"}', Fault(504, "slow")),
        (
            429,
            b'{"message": "wait", "__type": "a.b#ModelNotReadyException"}',
            Fault(503, "wait", "ModelNotReadyException"),
        ),
        (500, b"<html>", Fault(500, "the provider answered 500")),
        (503, b'{"message": 7}', Fault(503, "the provider answered 503")),
    ],
)
def test_errors_are_told_with_the_status_that_they_should_have(status: int, body: bytes, fault: Fault):
    assert read_fault(status, body) == fault
