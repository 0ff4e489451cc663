"""Answers and errors on Anthropic's wire, read from a provider and written for a caller."""

from typing import Any

import msgspec
import pytest

from core.dialects.anthropic.answer_reader import read_answer
from core.dialects.anthropic.answer_writer import write_answer
from core.dialects.anthropic.faults import kind_of, read_fault, write_fault
from core.dialects.anthropic.stream import STATUSES
from core.dialects.canonical import Answer, Chat, Choice, Fault, Refusal, Text, Thinking, ToolCall
from core.dialects.sides import Unreadable
from core.dialects.tokens import PROVIDER, Tokens

_MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [
        {"type": "thinking", "thinking": "Rome…", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZW5j"},
        {"type": "text", "text": "It is", "citations": None},
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "Rome"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome", "n": 1.0}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 200,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 5},
        "server_tool_use": {"web_search_requests": 1},
        "service_tier": "standard",
    },
}


def read(**changes: Any) -> Answer:
    return read_answer(msgspec.json.encode({**_MESSAGE, **changes}))


def test_a_message_in_full() -> None:
    assert read() == Answer(
        id="msg_1",
        model="claude-sonnet-4-5",
        choices=[
            Choice(
                [
                    Thinking("Rome…", "c2ln", maker="anthropic"),
                    Thinking(redacted="ZW5j", maker="anthropic"),
                    Text("It is"),
                    ToolCall("toolu_1", "weather", '{"city":"Rome","n":1.0}'),
                ],
                "tool_calls",
            )
        ],
        tokens=Tokens(
            input=240,
            output=50,
            cached_input=200,
            cache_write=30,
            cache_write_1h=10,
            reasoning=5,
            web_searches=1,
            source=PROVIDER,
        ),
        service_tier="default",
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("compaction", "stop"),
        (None, "stop"),
        ("tool_use", "stop"),
    ],
)
def test_why_an_answer_ended(reason: str | None, finish: str) -> None:
    assert read(content=[{"type": "text", "text": "A"}], stop_reason=reason).choices[0].finish == finish


def test_the_routers_own_tool_is_a_text() -> None:
    answer = read(content=[{"type": "tool_use", "id": "t", "name": "llmrouter_answer", "input": {"a": 1.0}}])
    assert answer.choices == [Choice([Text('{"a":1.0}')], "stop")]


def test_an_answer_that_reports_nothing_is_left_to_be_counted() -> None:
    assert read(usage={"input_tokens": 0, "output_tokens": 0}).tokens is None
    assert read(usage=None).tokens is None
    assert read(usage="lots").tokens is None
    floats = read(usage={"input_tokens": 3.0, "output_tokens": 4.0}).tokens
    assert floats == Tokens(input=3, output=4, source=PROVIDER)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"content":"A"}', b'{"content":[5]}', b"[" * 2000])
def test_what_is_no_message_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_answer(body)


def test_a_message_is_written_in_full() -> None:
    answer = Answer(
        id="chatcmpl-1",
        model="gpt-5",
        choices=[
            Choice(
                [
                    Thinking("Hm.", "c2ln", id="rs_1", maker="openai"),
                    Thinking(redacted="ZW5j", maker="openai"),
                    Text("It is"),
                    ToolCall("call_1", "weather", '{"city":"Rome","n":1.0}', "Z2Vt"),
                ],
                "stop",
            )
        ],
        tokens=Tokens(input=240, output=50, cached_input=200, cache_write=30, cache_write_1h=10, reasoning=5),
        service_tier="priority",
    )
    assert msgspec.json.decode(write_answer(answer, Chat("m", []))) == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "gpt-5",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "llmrouter:openai:rs_1:c2ln"},
            {"type": "redacted_thinking", "data": "llmrouter:openai::ZW5j"},
            {"type": "text", "text": "It is"},
            {"type": "redacted_thinking", "data": "llmrouter:call::Z2Vt"},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome", "n": 1.0}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 200,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 5},
            "service_tier": "priority",
        },
    }


@pytest.mark.parametrize(
    ("choice", "reason", "sequence"),
    [
        (Choice([Text("A")], "stop"), "end_turn", None),
        (Choice([Text("A")], "stop", "END"), "stop_sequence", "END"),
        (Choice([Text("A")], "length"), "max_tokens", None),
        (Choice([Text("A")], "content_filter"), "refusal", None),
        (Choice([Refusal("No.")], "refusal"), "refusal", None),
        (Choice([Text("A")], "pause"), "pause_turn", None),
        (Choice([Text("A")], "tool_calls"), "end_turn", None),
        (Choice([ToolCall("c", "a")], "tool_calls"), "tool_use", None),
        (Choice([ToolCall("c", "a")], "length"), "max_tokens", None),
    ],
)
def test_the_reason_says_what_a_client_has_to_do(choice: Choice, reason: str, sequence: str | None) -> None:
    written = msgspec.json.decode(write_answer(Answer("a", "m", [choice]), Chat("m", [])))
    assert (written["stop_reason"], written["stop_sequence"]) == (reason, sequence)


def test_a_call_that_was_cut_off_is_not_made_with_nothing() -> None:
    answer = Answer("a", "m", [Choice([ToolCall("c", "weather", '{"city": "Ro')], "length")])
    written = msgspec.json.decode(write_answer(answer, Chat("m", [])))
    assert written["content"][0]["input"] == {"INVALID_JSON": '{"city": "Ro'}


@pytest.mark.parametrize(("kind", "status"), STATUSES.items())
def test_every_type_of_error_has_its_status_in_both_directions(kind: str, status: int) -> None:
    body = msgspec.json.encode({"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "r"})
    assert read_fault(status, body) == Fault(status, "No.", kind)
    assert read_fault(200, body).status == status
    assert msgspec.json.decode(write_fault(Fault(status, "No."))) == {
        "type": "error",
        "error": {"type": kind, "message": "No."},
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, "timeout_error"),
        (409, "conflict_error"),
        (418, "invalid_request_error"),
        (422, "invalid_request_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
    ],
)
def test_other_statuses_have_the_nearest_type(status: int, kind: str) -> None:
    assert kind_of(status) == kind


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>Bad gateway</html>", "<html>Bad gateway</html>"),
        (b"", "the provider answered with an error"),
        (b'{"error":"no such model"}', "no such model"),
        (b'{"message":"denied"}', "denied"),
        (b'{"error":{}}', "the provider answered with an error"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_an_error_of_no_known_form_is_told_as_it_stands(body: bytes, message: str) -> None:
    assert read_fault(502, body) == Fault(502, message)


def test_the_code_of_an_error_is_kept() -> None:
    body = b'{"type":"error","error":{"type":"billing_error","message":"m","details":{"error_code":"spend_limit"}}}'
    assert read_fault(402, body).code == "spend_limit"
