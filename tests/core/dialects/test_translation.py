"""What is the same for all pairs of wires: limits, ids that a provider does not give, and the accounts of a stream."""

import json
from typing import Any

import pytest

from core.dialects.anthropic.messages import MESSAGES
from core.dialects.openai.chat import CHAT
from core.dialects.sides import Manner
from core.dialects.table import CALLERS, DIALECTS, PROVIDERS
from core.dialects.translation import Translation


def translation(
    *,
    named: int,
    output_limit: int = 0,
    refused_above: int | None = None,
    most_reasoning: int = 0,
    more: dict[str, Any] | None = None,
) -> Translation:
    body = {"model": "m", "max_tokens": named, "messages": [{"role": "user", "content": "Hello!"}], **(more or {})}
    request = DIALECTS[MESSAGES].read_request(MESSAGES, json.dumps(body).encode())
    return Translation(
        request,
        CALLERS[MESSAGES],
        PROVIDERS[CHAT],
        Manner(),
        provider_name="p",
        model="m",
        request_id="req_1",
        created=1,
        drop=False,
        ask_usage=False,
        count_prompt=lambda: 7,
        output_limit=output_limit,
        refused_above=refused_above,
        most_reasoning=most_reasoning,
    )


@pytest.mark.parametrize(("most", "asked"), [(0, "high"), (2000, "low"), (10_000, "medium")])
def test_thinking_asked_for_by_degree_is_held_to_a_keys_cap(most: int, asked: str):
    wish: dict[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
    sent = json.loads(translation(named=64_000, most_reasoning=most, more=wish).body)
    assert sent["reasoning_effort"] == asked


@pytest.mark.parametrize(
    ("named", "refused_above", "asked"), [(32_000, 16_384, 16_384), (300, 16_384, 300), (32_000, None, 32_000)]
)
def test_no_more_output_is_asked_of_a_model_than_its_provider_takes(named: int, refused_above: int | None, asked: int):
    assert json.loads(translation(named=named, refused_above=refused_above).body)["max_tokens"] == asked


def test_calls_without_ids_get_some_that_are_their_own():
    calls = [{"type": "function", "function": {"name": "f", "arguments": "{}"}}] * 2
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    answer, tokens = translation(named=100).answer(json.dumps(body).encode())
    ids = [block["id"] for block in json.loads(answer)["content"]]
    assert len(set(ids)) == 2
    assert all(given.startswith("call_") for given in ids)
    assert (tokens.input, tokens.source) == (7, "counted")


def test_a_stream_that_breaks_off_is_not_complete_and_what_it_said_is_counted():
    meter = translation(named=100).meter()
    meter.feed(b'data: {"choices": [{"index": 0, "delta": {"content": "one two three"}}]}\n\n')
    meter.end()
    assert not meter.complete
    assert meter.tokens(7).input == 7
    assert meter.tokens(7).output == meter.output_tokens() > 0


def test_nothing_that_comes_behind_the_end_is_the_answers():
    meter = translation(named=100).meter()
    said = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    assert b"message_stop" in meter.feed(said)
    assert meter.feed(said) == b""


def test_nothing_that_comes_behind_the_end_of_a_choice_is_written_but_its_usage():
    meter = translation(named=100).meter()
    end = b'data: {"choices": [{"index": 0, "delta": {"content": "one"}, "finish_reason": "stop"}]}\n\n'
    more = b'data: {"choices": [{"index": 0, "delta": {"content": "late"}}]}\n\n'
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\ndata: [DONE]\n\n'
    said = meter.feed(end + more + usage)
    assert b"late" not in said
    assert said.index(b"message_delta") > said.index(b"content_block_stop")
    assert meter.tokens(0).output == 2


def test_a_whole_answer_as_events_says_the_same():
    calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    message = {"role": "assistant", "reasoning_content": "hm", "content": "one", "tool_calls": calls}
    body = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    said, meter = translation(named=100).streamed(json.dumps(body).encode())
    events = [json.loads(line[5:]) for line in said.splitlines() if line.startswith(b"data:")]
    starts = [each["content_block"]["type"] for each in events if each["type"] == "content_block_start"]
    assert starts == ["thinking", "text", "tool_use"]
    assert b'"partial_json":"{\\"a\\":1}"' in said
    assert events[-1]["type"] == "message_stop"
    assert (meter.done, meter.complete, meter.tokens(0).source) == (True, True, "counted")
    assert events[-2]["usage"]["output_tokens"] == meter.tokens(0).output > 0


def test_usage_that_is_reported_before_the_end_is_not_the_whole():
    meter = translation(named=100).meter()
    usage = b'"usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}'
    said = b'{"choices": [{"index": 0, "delta": {"content": "one two three four five"}}]'
    end = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    meter.feed(b"data: %b, %b}\n\ndata: %b}\n\n%b" % (said, usage, said, end))
    found = meter.tokens(0)
    assert (found.input, found.source) == (10, "counted")
    assert found.output > 1
