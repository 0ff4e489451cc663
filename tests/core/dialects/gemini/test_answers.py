"""Answers and streams of a Gemini provider, and those for a Gemini caller."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import (
    Answer,
    Began,
    CallBegan,
    CallDelta,
    Chat,
    Choice,
    Ended,
    Event,
    Failed,
    Fault,
    Finish,
    Finished,
    Refusal,
    RefusalDelta,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    ToolCall,
    Used,
)
from core.dialects.gemini.answer_reader import read_answer
from core.dialects.gemini.answer_writer import write_answer
from core.dialects.gemini.finish import WRITTEN, finish_of
from core.dialects.gemini.stream_reader import GenerateReader
from core.dialects.gemini.stream_writer import GenerateWriter
from core.dialects.sides import Unreadable
from core.dialects.tokens import PROVIDER, Tokens

_USAGE = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 60,
    "toolUsePromptTokenCount": 7,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 157,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 90}, {"modality": "AUDIO", "tokenCount": 10}],
    "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}],
}
_TOKENS = Tokens(input=107, output=50, cached_input=60, reasoning=30, audio_input=10, audio_output=5, source=PROVIDER)


_NAMES = ["candidates", "content", "parts", "text", "functionCall", "index", "error", "usageMetadata"]
_JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner),
)


def chunk(*parts: dict[str, Any], finish: str = "", index: int = 0, **fields: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": index}
    if finish:
        candidate["finishReason"] = finish
    return json.dumps({"candidates": [candidate], "modelVersion": "gemini-2.5-flash", **fields}).encode()


def streamed(*payloads: bytes) -> list[Event]:
    reader = GenerateReader()
    return [event for payload in payloads for event in reader.read(payload)] + reader.end()


def chunks_of(data: bytes) -> list[dict[str, Any]]:
    assert data.endswith(b"\r\n\r\n")
    return [json.loads(event.removeprefix(b"data: ")) for event in data.split(b"\r\n\r\n")[:-1]]


def test_an_answer_with_thoughts_calls_and_usage() -> None:
    body = chunk(
        {"text": "Hm.", "thought": True},
        {"text": "The "},
        {"text": "answer", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"x": 1.0}}, "thoughtSignature": "Y2FsbA=="},
        {"functionCall": {"id": "given", "name": "g"}},
        finish="STOP",
        usageMetadata=_USAGE,
        responseId="r1",
    )
    assert read_answer(body) == Answer(
        id="r1",
        model="gemini-2.5-flash",
        choices=[
            Choice(
                [
                    Thinking("Hm."),
                    Text("The answer"),
                    Thinking("", "c2ln", maker="gemini"),
                    ToolCall("", "f", '{"x": 1.0}', "Y2FsbA=="),
                    ToolCall("given", "g", "{}"),
                ],
                finish="tool_calls",
            )
        ],
        tokens=_TOKENS,
    )


@pytest.mark.parametrize(
    ("reason", "called", "expected"),
    [
        ("STOP", False, "stop"),
        ("STOP", True, "tool_calls"),
        (None, False, "stop"),
        ("MAX_TOKENS", True, "length"),
        ("SAFETY", False, "content_filter"),
        ("RECITATION", False, "content_filter"),
        ("PROHIBITED_CONTENT", False, "content_filter"),
        ("MALFORMED_FUNCTION_CALL", False, "content_filter"),
        ("A_REASON_OF_NEXT_YEAR", False, "content_filter"),
    ],
)
def test_no_end_but_a_good_one_looks_like_one(reason: str | None, called: bool, expected: Finish) -> None:
    assert finish_of(reason, called=called) == expected


def test_every_end_has_a_word_for_callers() -> None:
    assert set(WRITTEN) == set(Finish.__args__)


def test_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    body = b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":8}}'
    answer = read_answer(body)
    assert answer.choices == [Choice([], finish="content_filter")]
    assert answer.tokens == Tokens(input=8, source=PROVIDER)
    assert streamed(body)[1:] == [Finished("content_filter"), Used(Tokens(input=8, source=PROVIDER))]


def test_log_probabilities_in_both_directions() -> None:
    result = {
        "chosenCandidates": [{"token": "Hé", "tokenId": 5, "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "Hé", "logProbability": -0.5}, {"token": "Ho"}]}],
    }
    body = {"candidates": [{"content": {"parts": [{"text": "Hé"}]}, "finishReason": "STOP", "logprobsResult": result}]}
    answer = read_answer(json.dumps(body).encode())
    assert json.loads(bytes(answer.choices[0].logprobs)) == {
        "content": [
            {
                "token": "Hé",
                "logprob": -0.5,
                "bytes": [72, 195, 169],
                "top_logprobs": [
                    {"token": "Hé", "logprob": -0.5, "bytes": [72, 195, 169]},
                    {"token": "Ho", "logprob": 0.0, "bytes": [72, 111]},
                ],
            }
        ],
        "refusal": None,
    }
    again = json.loads(write_answer(answer, Chat("m", [])))["candidates"][0]["logprobsResult"]
    assert again["chosenCandidates"] == [{"token": "Hé", "logProbability": -0.5}]
    assert again["topCandidates"][0]["candidates"][1] == {"token": "Ho", "logProbability": 0.0}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b"{}", b'{"candidates":3}', b'{"candidates":[{"index":70000}]}', b'{"a":"\xff"}']
)
def test_what_is_no_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_answer(body)


def test_nulls_texts_of_numbers_and_unknown_fields_are_taken() -> None:
    body = b"""{"candidates":[{"content":{"parts":[{"text":null,"inlineData":null},{"new":1},{"text":"a"}],"role":null},
        "index":null,"finishReason":"STOP","avgLogprobs":-0.1}],"usageMetadata":{"promptTokenCount":"4",
        "candidatesTokenCount":2.0,"trafficType":"X"},"promptFeedback":null,"responseId":null,"error":null}"""
    answer = read_answer(body)
    assert answer.choices == [Choice([Text("a")])]
    assert answer.tokens == Tokens(input=4, output=2, source=PROVIDER)


@given(_JSON)
def test_no_payload_brings_another_error_than_that_it_is_unreadable(value: Any) -> None:
    with suppress(Unreadable):
        GenerateReader().read(msgspec.json.encode(value))
    with suppress(Unreadable):
        read_answer(msgspec.json.encode(value))


def test_a_stream_of_thoughts_text_and_calls() -> None:
    events = streamed(
        chunk({"text": "Hm", "thought": True}, responseId="r1", usageMetadata={"promptTokenCount": 9}),
        chunk({"text": "", "thought": True, "thoughtSignature": "c2ln"}),
        chunk({"text": "Hi"}, usageMetadata={"promptTokenCount": 9, "candidatesTokenCount": 1}),
        chunk({"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "g", "args": {"a": 1}}}),
        chunk({"text": ""}, finish="STOP", usageMetadata=_USAGE),
    )
    assert events == [
        Began("r1", "gemini-2.5-flash", tokens=Tokens(input=9, source=PROVIDER)),
        ThinkingDelta("Hm"),
        ThinkingSigned("c2ln", maker="gemini"),
        TextDelta("Hi"),
        CallBegan(0, "", "f"),
        CallDelta(0, "{}"),
        CallBegan(1, "", "g"),
        CallDelta(1, '{"a": 1}'),
        Finished("tool_calls"),
        Used(_TOKENS),
    ]


def test_usage_that_comes_after_the_end_counts() -> None:
    last = json.dumps({"usageMetadata": _USAGE}).encode()
    events = streamed(chunk({"text": "a"}, finish="STOP", usageMetadata={"promptTokenCount": 1}), last)
    assert events[-2:] == [Used(Tokens(input=1, source=PROVIDER)), Used(_TOKENS)]


def test_a_stream_that_breaks_off_has_no_end() -> None:
    events = streamed(chunk({"text": "a"}, usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 1}))
    assert not any(isinstance(event, Finished | Ended) for event in events)
    assert events[-1] == Used(Tokens(input=3, output=1, source=PROVIDER))


def test_an_error_inside_a_stream() -> None:
    error = b'{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}'
    assert streamed(error) == [Failed(Fault(503, "The model is overloaded.", "UNAVAILABLE"))]


def test_a_callers_stream_has_whole_calls_and_ends_with_its_usage() -> None:
    writer = GenerateWriter(Chat("m", []))
    data = writer.write([Began("r1", "gpt"), ThinkingDelta("Hm"), TextDelta("Hé\n"), RefusalDelta("No")])
    data += writer.write([CallBegan(0, "c0", "f"), CallBegan(1, "c1", "g"), CallDelta(1, "{}"), CallDelta(0, '{"a":')])
    data += writer.write([CallDelta(0, "1}"), Finished("tool_calls"), Used(_TOKENS), Ended()])
    found = chunks_of(data)
    parts = [candidate["content"].get("parts") for each in found for candidate in each["candidates"]]
    assert parts == [
        [{"text": "Hm", "thought": True}],
        [{"text": "Hé\n"}],
        [{"text": "No"}],
        [
            {"functionCall": {"id": "c0", "name": "f", "args": {"a": 1}}},
            {"functionCall": {"id": "c1", "name": "g", "args": {}}},
        ],
        None,
    ]
    assert {(each["modelVersion"], each["responseId"]) for each in found} == {("gpt", "r1")}
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    assert found[-1]["usageMetadata"] == {
        "promptTokenCount": 107,
        "cachedContentTokenCount": 60,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 157,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 97}, {"modality": "AUDIO", "tokenCount": 10}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 15}, {"modality": "AUDIO", "tokenCount": 5}],
    }


@pytest.mark.parametrize("arguments", ['{"a":', "[]", "null"])
def test_a_call_that_broke_off_is_left_out_and_the_end_says_so(arguments: str) -> None:
    writer = GenerateWriter(Chat("m", []))
    data = writer.write([Began(), CallBegan(0, "c", "f"), CallDelta(0, arguments), Finished("length"), Ended()])
    (last,) = chunks_of(data)
    assert last["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    whole = Answer("", "m", [Choice([ToolCall("c", "f", arguments)], finish="tool_calls")])
    (candidate,) = json.loads(write_answer(whole, Chat("m", [])))["candidates"]
    assert (candidate["content"], candidate["finishReason"]) == (
        {"role": "model", "parts": []},
        "MALFORMED_FUNCTION_CALL",
    )


def test_a_failure_is_an_event_of_its_own() -> None:
    data = GenerateWriter(Chat("m", [])).write([Failed(Fault(529, "busy"))])
    assert chunks_of(data) == [{"error": {"code": 529, "message": "busy", "status": "UNAVAILABLE"}}]


def test_a_refusal_is_a_text_that_was_prohibited() -> None:
    body = write_answer(Answer("", "m", [Choice([Refusal("No")], finish="refusal")]), Chat("m", []))
    (candidate,) = json.loads(body)["candidates"]
    assert (candidate["content"]["parts"], candidate["finishReason"]) == ([{"text": "No"}], "PROHIBITED_CONTENT")


def test_a_picture_that_was_made_is_not_lost() -> None:
    (choice,) = read_answer(chunk({"inlineData": {"mimeType": "image/png", "data": "aGk="}})).choices
    assert choice.parts == [Text("![](data:image/png;base64,aGk=)")]
