"""Whole answers and streams of a chat completion, as OpenAI's SDK reads them and as vendors write them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

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
    Finished,
    Reasoning,
    Refusal,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    ToolCall,
    Used,
)
from core.dialects.openai import completion_writer
from core.dialects.openai.answer_reader import read_answer
from core.dialects.openai.answer_writer import write_answer
from core.dialects.openai.chat_reader import FunctionsChat
from core.dialects.openai.stream_writer import ChunkWriter
from core.dialects.sides import Unreadable
from core.dialects.sse import SseFrames
from core.dialects.tokens import PROVIDER, Tokens
from tests.core.dialects.chats import ALL, answers, patient, streams

CHAT = Chat("m", [], include_usage=True)
FUNCTIONS = FunctionsChat("m", [])
TOKENS = Tokens(input=10, output=20, cached_input=4, cache_write=3, reasoning=5, source=PROVIDER)

PROVEN = {
    "type": "reasoning.text",
    "text": "hm",
    "signature": "sig",
    "format": "anthropic-claude-v1",
    "index": 0,
}


def chunks(written: bytes) -> list[Any]:
    """The chunks of a stream that ends as it must."""
    *found, last = SseFrames().feed(written)
    assert last == b"[DONE]"
    return [json.loads(payload) for payload in found]


def test_an_answer_is_written_as_documented():
    answer = Answer(
        "id-1",
        "m",
        [Choice([Thinking("hm", "sig", maker="anthropic"), Text("yes"), ToolCall("c", "a", "{}")], "tool_calls")],
        TOKENS,
        1700000000,
    )
    assert json.loads(write_answer(answer, CHAT)) == {
        "id": "id-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "yes",
                    "refusal": None,
                    "reasoning_content": "hm",
                    "reasoning_details": [PROVEN],
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "total_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 5,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def test_a_stream_is_written_as_documented():
    events: list[Event] = [
        Began("id-1", "m", 17),
        ThinkingDelta("h"),
        ThinkingDelta("m"),
        ThinkingSigned("sig", maker="anthropic"),
        TextDelta("yes"),
        CallBegan(0, "c", "a", "proof"),
        CallDelta(0, "{}"),
        Finished("tool_calls"),
        Used(TOKENS),
        Ended(),
    ]
    found = chunks(ChunkWriter(CHAT).write(events))
    assert all(
        (chunk["id"], chunk["object"], chunk["created"], chunk["model"]) == ("id-1", "chat.completion.chunk", 17, "m")
        for chunk in found
    )
    assert [chunk["usage"] for chunk in found[:-1]] == [None] * (len(found) - 1)
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["total_tokens"] == 30
    assert [chunk["choices"][0]["delta"] for chunk in found[:-1]] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"reasoning_content": "h"},
        {"reasoning_content": "m"},
        {"reasoning_details": [PROVEN]},
        {"content": "yes"},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "c",
                    "type": "function",
                    "function": {"name": "a", "arguments": ""},
                    "extra_content": {"google": {"thought_signature": "proof"}},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in found[:-1]] == [None] * 7 + ["tool_calls"]


def test_usage_is_streamed_only_where_it_was_asked_for():
    events: list[Event] = [Began("i", "m", 1), TextDelta("a"), Finished("stop"), Used(TOKENS), Ended()]
    found = chunks(ChunkWriter(Chat("m", [])).write(events))
    assert len(found) == 3
    assert not any("usage" in chunk for chunk in found)


def test_every_answer_of_a_stream_begins_with_who_speaks():
    events: list[Event] = [Began("i", "m", 1), TextDelta("a", 1), Finished("stop", choice=1), Ended()]
    found = chunks(ChunkWriter(CHAT).write(events))
    roles = [chunk["choices"][0]["index"] for chunk in found if "role" in chunk["choices"][0]["delta"]]
    assert roles == [0, 1]


def test_an_error_in_a_stream_is_an_event_and_no_end_mark_follows():
    writer = ChunkWriter(CHAT)
    writer.write([Began("i", "m", 1)])
    written = writer.write([Failed(Fault(429, "slow down"))])
    assert SseFrames().feed(written) == [
        b'{"error":{"message":"slow down","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}'
    ]


HIDDEN = Chat("m", [], reasoning=Reasoning(effort="low", shown=False))


def test_thoughts_that_nobody_wants_to_see_are_left_out():
    answer = Answer("i", "m", [Choice([Thinking("hm", "sig", maker="anthropic"), Text("yes")])], TOKENS, 1)
    assert "reasoning" not in str(json.loads(write_answer(answer, HIDDEN))["choices"])
    events: list[Event] = [Began("i", "m", 1), ThinkingDelta("hm"), ThinkingSigned("s", maker="x"), TextDelta("a")]
    assert b"reasoning" not in ChunkWriter(HIDDEN).write(events)


def test_callers_of_functions_are_answered_with_functions():
    answer = Answer("i", "m", [Choice([ToolCall("c", "a", "{}")], "tool_calls")], TOKENS, 1)
    choice = json.loads(write_answer(answer, FUNCTIONS))["choices"][0]
    assert choice["message"]["function_call"] == {"name": "a", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    events: list[Event] = [Began("i", "m", 1), CallBegan(0, "c", "a"), CallDelta(0, "{}"), CallBegan(1, "d", "b")]
    events += [CallDelta(1, "{}"), Finished("tool_calls"), Ended()]
    found = chunks(ChunkWriter(FUNCTIONS).write(events))
    assert [chunk["choices"][0]["delta"] for chunk in found[1:]] == [
        {"function_call": {"name": "a", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    assert found[-1]["choices"][0]["finish_reason"] == "function_call"


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (Choice([Refusal("no")], "refusal"), "stop"),
        (Choice([Text("no")], "refusal"), "content_filter"),
        (Choice([Text("wait")], "pause"), "stop"),
    ],
)
def test_ends_without_a_word_here_have_the_closest(choice: Choice, reason: str):
    found = json.loads(write_answer(Answer("i", "m", [choice]), CHAT))
    assert found["choices"][0]["finish_reason"] == reason
    assert "usage" not in found


def vendor(message: dict[str, Any], **fields: Any) -> Answer:
    """A vendor's answer, read."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return read_answer(json.dumps({"id": 7, "created": 17.0, "choices": [choice], **fields}).encode())


def test_vendors_answers_are_understood():
    call = {"function": {"name": "a", "arguments": {"x": 1}}}
    found = vendor({"content": None, "reasoning": "hm", "tool_calls": [call]}, usage=None, service_tier="flex")
    assert found == Answer(
        "7",
        "",
        [Choice([Thinking("hm"), ToolCall("", "a", '{"x": 1}')], "tool_calls")],
        created=17,
        service_tier="flex",
    )
    assert vendor({"function_call": {"name": "a", "arguments": "{}"}}).choices == [
        Choice([ToolCall("", "a", "{}")], "tool_calls")
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"error":{"message":"no"}}',
        b'{"choices":[{"message":{},"finish_reason":"error"}]}',
    ],
)
def test_what_is_no_answer_is_unreadable(body: bytes):
    with pytest.raises(Unreadable):
        read_answer(body)


@patient
@given(answers(ALL))
def test_openais_sdk_reads_every_answer(answer: Answer):
    found = ChatCompletion.model_validate_json(write_answer(answer, CHAT), strict=True)
    assert len(found.choices) == len(answer.choices)
    texts = completion_writer.write_answer(answer, CHAT)
    assert len(Completion.model_validate_json(texts, strict=True).choices) == len(answer.choices)


@patient
@given(streams(ALL))
def test_openais_sdk_reads_every_chunk(events: list[Event]):
    for chunk in chunks(ChunkWriter(CHAT).write(events)):
        ChatCompletionChunk.model_validate_json(msgspec.json.encode(chunk), strict=True)
    written = completion_writer.TextWriter(CHAT).write(events)
    for chunk in chunks(written):
        Completion.model_validate_json(msgspec.json.encode({**chunk, "choices": []}), strict=True)
