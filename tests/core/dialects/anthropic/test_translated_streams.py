"""Streams of Anthropic's wire, read from a provider and written for a caller."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from core.dialects.anthropic.stream_reader import MessageReader
from core.dialects.anthropic.stream_writer import MessageWriter
from core.dialects.canonical import (
    Began,
    CallBegan,
    CallDelta,
    Chat,
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
from core.dialects.sides import Unreadable
from core.dialects.sse import SseFrames
from core.dialects.tokens import PROVIDER, Tokens


def read(*payloads: dict[str, Any]) -> list[Event]:
    reader = MessageReader()
    return [event for payload in payloads for event in reader.read(msgspec.json.encode(payload))] + reader.end()


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **change: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": change}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def test_a_stream_in_full() -> None:
    usage = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}
    assert read(
        {"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "content": [], "usage": usage}},
        {"type": "ping"},
        start(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="Hm."),
        delta(0, type="signature_delta", signature="c2"),
        delta(0, type="signature_delta", signature="ln"),
        stop(0),
        start(1, type="redacted_thinking", data="ZW5j"),
        stop(1),
        start(2, type="text", text=""),
        delta(2, type="text_delta", text="It is"),
        delta(2, type="citations_delta", citation={}),
        stop(2),
        start(3, type="server_tool_use", id="srv", name="web_search", input={}),
        delta(3, type="input_json_delta", partial_json='{"query":"x"}'),
        stop(3),
        start(4, type="web_search_tool_result", tool_use_id="srv", content=[]),
        stop(4),
        start(5, type="tool_use", id="toolu_1", name="weather", input={}),
        delta(5, type="input_json_delta", partial_json=""),
        delta(5, type="input_json_delta", partial_json='{"city"'),
        delta(5, type="input_json_delta", partial_json=':"Rome"}'),
        stop(5),
        start(6, type="tool_use", id="toolu_2", name="now", input={}),
        stop(6),
        {"type": "something_new", "index": 7},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 40}},
        {"type": "message_stop"},
    ) == [
        Began("msg_1", "claude-x", tokens=Tokens(input=15, output=1, cached_input=5, source=PROVIDER)),
        ThinkingDelta("Hm."),
        ThinkingSigned("c2ln", maker="anthropic"),
        ThinkingSigned(redacted="ZW5j", maker="anthropic"),
        TextDelta("It is"),
        CallBegan(0, "toolu_1", "weather"),
        CallDelta(0, '{"city"'),
        CallDelta(0, ':"Rome"}'),
        CallBegan(1, "toolu_2", "now"),
        Finished("tool_calls"),
        Used(Tokens(input=15, output=40, cached_input=5, source=PROVIDER)),
        Ended(),
    ]


def test_blocks_that_come_whole_with_their_beginning_are_not_lost() -> None:
    assert read(
        start(0, type="thinking", thinking="Hm.", signature="c2ln"),
        stop(0),
        start(1, type="text", text="A"),
        stop(1),
        start(2, type="tool_use", id="t", name="weather", input={"city": "Rome"}),
        stop(2),
    ) == [
        ThinkingDelta("Hm."),
        ThinkingSigned("c2ln", maker="anthropic"),
        TextDelta("A"),
        CallBegan(0, "t", "weather"),
        CallDelta(0, '{"city":"Rome"}'),
    ]


def test_the_routers_own_tool_is_a_text_and_the_answer_ends_like_one() -> None:
    assert read(
        start(0, type="tool_use", id="t", name="llmrouter_answer", input={}),
        delta(0, type="input_json_delta", partial_json='{"a":'),
        delta(0, type="input_json_delta", partial_json="1}"),
        stop(0),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
    ) == [TextDelta('{"a":'), TextDelta("1}"), Finished("stop"), Used(Tokens(output=4, source=PROVIDER))]


def test_an_error_inside_a_stream_has_the_status_of_its_type() -> None:
    assert read({"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}) == [
        Failed(Fault(529, "Busy.", "overloaded_error"))
    ]
    assert read({"type": "error"}) == [Failed(Fault(502, "the provider answered with an error"))]


def test_a_text_without_a_beginning_is_read_all_the_same() -> None:
    assert read(delta(0, type="text_delta", text="A"), stop(0)) == [TextDelta("A")]


@pytest.mark.parametrize(
    "payload", [b"", b"[DONE]", b"[]", b'{"type":5}', b'{"type":"content_block_stop","index":65536}', b'{"index":-1}']
)
def test_what_is_no_event_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        MessageReader().read(payload)


def written(*events: Event) -> list[dict[str, Any]]:
    """The payloads of the events that are written, each of which has its own name."""
    data = MessageWriter(Chat("m", [])).write(events)
    named = [line.removeprefix(b"event: ").decode() for line in data.split(b"\n") if line.startswith(b"event: ")]
    found = [msgspec.json.decode(payload) for payload in SseFrames().feed(data)]
    assert [event["type"] for event in found] == named
    return found


def blocks(found: Sequence[dict[str, Any]]) -> list[tuple[int, str, str]]:
    """The blocks of a stream as (index, type, what they say), which never overlap."""
    ended: list[tuple[int, str, str]] = []
    index, kind, said = -1, "", ""
    for event in found:
        match event["type"]:
            case "content_block_start":
                assert kind == ""
                assert event["index"] == index + 1
                index, block = event["index"], event["content_block"]
                kind, said = block["type"], block.get("name", "") + block.get("data", "")
            case "content_block_delta":
                assert event["index"] == index
                change = {name: value for name, value in event["delta"].items() if name != "type"}
                said += "|" + "".join(change.values())
            case "content_block_stop":
                assert event["index"] == index
                ended.append((index, kind, said))
                kind = ""
            case _:
                assert kind == ""
    assert kind == ""
    return ended


def test_an_openai_stream_waits_for_its_usage_before_it_says_why_it_ended() -> None:
    writer = MessageWriter(Chat("m", []))
    begun = writer.write([Began("id1", "gpt-5", 1)])
    assert begun.startswith(b"event: message_start\ndata: ")
    assert msgspec.json.decode(SseFrames().feed(begun)[0]) == {
        "type": "message_start",
        "message": {
            "id": "id1",
            "type": "message",
            "role": "assistant",
            "model": "gpt-5",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 0,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 0,
            },
        },
    }
    assert writer.write([TextDelta("Hé")]) == (
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"H\xc3\xa9"}}\n\n'
    )
    assert writer.write([Finished("stop", "END")]) == (
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    )
    told = msgspec.json.decode(SseFrames().feed(writer.write([Used(Tokens(input=9, output=3, cached_input=4))]))[0])
    assert told == {
        "type": "message_delta",
        "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens": 3,
        },
    }
    assert writer.write([Ended()]) == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def test_a_stream_without_usage_ends_like_one_with_it() -> None:
    found = written(Began("a"), TextDelta("A"), Finished("length"), Ended())
    assert [event["type"] for event in found[-2:]] == ["message_delta", "message_stop"]
    assert found[-2]["delta"]["stop_reason"] == "max_tokens"


def test_usage_that_came_before_the_end_is_told_at_the_end() -> None:
    found = written(
        Began("a"), Used(Tokens(output=1)), TextDelta("A"), Used(Tokens(output=2)), Finished("stop"), Ended()
    )
    assert [event["usage"]["output_tokens"] for event in found if event["type"] == "message_delta"] == [2]


def test_thoughts_texts_refusals_and_calls_are_blocks_one_after_another() -> None:
    found = written(
        Began("a"),
        ThinkingDelta("Hm."),
        ThinkingSigned("c2ln", maker="anthropic"),
        ThinkingDelta("Nobody "),
        ThinkingDelta("signs."),
        TextDelta("A"),
        TextDelta(""),
        ThinkingSigned(redacted="ZW5j", maker="openai", id="rs"),
        ThinkingSigned("c2ln", maker="gemini"),
        RefusalDelta("No."),
        CallBegan(0, "c0", "now", "Z2Vt"),
        CallBegan(1, "c1", "weather"),
        CallDelta(1, "{}"),
        Finished("stop"),
        Ended(),
    )
    assert blocks(found) == [
        (0, "thinking", "|Hm.|c2ln"),
        (1, "thinking", "|Nobody |signs.|llmrouter:::"),
        (2, "text", "|A"),
        (3, "redacted_thinking", "llmrouter:openai:rs:ZW5j"),
        (4, "thinking", "|llmrouter:gemini::c2ln"),
        (5, "text", "|No."),
        (6, "redacted_thinking", "llmrouter:call::Z2Vt"),
        (7, "tool_use", "now"),
        (8, "tool_use", "weather|{}"),
    ]
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_whose_pieces_come_mixed_are_put_in_order() -> None:
    found = written(
        Began("a"),
        CallBegan(0, "c0", "a"),
        CallBegan(1, "c1", "b"),
        CallDelta(1, '{"y"'),
        CallDelta(0, '{"x"'),
        CallDelta(1, ":2}"),
        CallDelta(0, ":1}"),
        CallBegan(2, "c2", "c"),
        CallDelta(2, "{}"),
        Finished("tool_calls"),
        Ended(),
    )
    assert blocks(found) == [
        (0, "tool_use", 'a|{"x"|:1}'),
        (1, "tool_use", 'b|{"y"|:2}'),
        (2, "tool_use", "c|{}"),
    ]


def test_a_call_is_passed_on_while_it_comes() -> None:
    writer = MessageWriter(Chat("m", []))
    writer.write([Began("a"), CallBegan(0, "c0", "a"), CallDelta(0, "{}"), CallBegan(1, "c1", "b")])
    assert b"input_json_delta" in writer.write([CallDelta(1, '{"y"')])


def test_only_the_first_of_several_choices_is_told() -> None:
    found = written(
        Began("a"), TextDelta("A"), TextDelta("B", 1), Finished("stop", choice=1), Finished("length"), Ended()
    )
    assert blocks(found) == [(0, "text", "|A")]
    assert found[-2]["delta"]["stop_reason"] == "max_tokens"


def test_a_failure_is_an_error_event() -> None:
    assert written(Failed(Fault(429, "Slow down.")))[-1] == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "Slow down."},
    }


def test_an_empty_stream_ends_all_the_same() -> None:
    assert [event["type"] for event in written(Began("a"), Ended())] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]
