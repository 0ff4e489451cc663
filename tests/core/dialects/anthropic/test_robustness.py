"""Whatever comes, readers say that it can't be read or read it, and what is written is always of the wire's form."""

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dialects.anthropic.answer_reader import read_answer
from core.dialects.anthropic.chat_reader import read_chat
from core.dialects.anthropic.faults import read_fault
from core.dialects.anthropic.messages import MESSAGES, read_request, upstream_body
from core.dialects.anthropic.prompt_count import write_count
from core.dialects.anthropic.stream_reader import MessageReader
from core.dialects.anthropic.stream_writer import MessageWriter
from core.dialects.canonical import (
    CallBegan,
    CallDelta,
    Chat,
    Ended,
    Event,
    Finished,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.request import Request
from core.dialects.sides import Unreadable
from core.dialects.sse import SseFrames
from core.dialects.tokens import Tokens
from core.errors import InvalidArgument
from tests.core.dialects.anthropic.test_translated_streams import blocks

_WORDS = st.sampled_from(
    [
        "text",
        "thinking",
        "tool_use",
        "tool_result",
        "image",
        "document",
        "redacted_thinking",
        "base64",
        "url",
        "user",
        "assistant",
        "error",
        "enabled",
        "auto",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_start",
        "tool",
        "json_schema",
        "llmrouter_answer",
        "llmrouter:call::x",
        "{}",
        "",
    ]
)
_NAMES = st.sampled_from(
    [
        "type",
        "text",
        "content",
        "role",
        "source",
        "data",
        "media_type",
        "id",
        "name",
        "input",
        "thinking",
        "index",
        "signature",
        "tool_use_id",
        "cache_control",
        "delta",
        "content_block",
        "usage",
        "message",
        "error",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "max_tokens",
        "partial_json",
        "stop_reason",
        "citations",
        "input_tokens",
        "output_tokens",
        "budget_tokens",
        "output_config",
        "format",
        "schema",
        "input_schema",
    ]
)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(allow_nan=False), _WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=5)),
    max_leaves=25,
)
_OBJECTS = st.dictionaries(_NAMES, _VALUES, max_size=6)


@given(_OBJECTS)
@settings(max_examples=50, deadline=None)
def test_answers_events_and_errors_are_read_or_unreadable(value: dict[str, Any]) -> None:
    body = msgspec.json.encode(value)
    assert read_fault(500, body).status == 500
    with contextlib.suppress(Unreadable):
        read_answer(body)
    reader = MessageReader()
    for payload in (body, msgspec.json.encode({"type": "content_block_start", "content_block": value}), body):
        with contextlib.suppress(Unreadable):
            reader.read(payload)


@given(_OBJECTS, st.lists(st.dictionaries(_NAMES, _VALUES, max_size=5), max_size=3))
@settings(max_examples=50, deadline=None)
def test_requests_are_read_or_refused_with_a_field(value: dict[str, Any], content: list[dict[str, Any]]) -> None:
    messages = [{"role": "assistant", "content": content}, {"role": "user", "content": content}]
    for body in ({**value, "model": "m"}, {**value, "model": "m", "messages": messages}):
        request = read_request(MESSAGES, msgspec.json.encode(body))
        upstream_body(request, "n", ask_usage=False)
        for use in (read_chat, write_count):
            refusal = _refused(use, request)
            assert refusal is None or (refusal.field and refusal.message)


def _refused(use: Callable[[Request], object], request: Request) -> InvalidArgument | None:
    try:
        use(request)
    except InvalidArgument as refusal:
        return refusal
    return None


_TEXTS = st.sampled_from(["", "a", '{"a":', "1}", "{}"])
_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(TextDelta, text=_TEXTS),
    st.builds(RefusalDelta, text=_TEXTS),
    st.builds(ThinkingDelta, text=_TEXTS),
    st.builds(ThinkingSigned, signature=_TEXTS, redacted=_TEXTS),
    st.builds(CallBegan, index=st.integers(0, 3), id=_TEXTS, name=_TEXTS, signature=_TEXTS),
    st.builds(CallDelta, index=st.integers(0, 3), arguments=_TEXTS),
    st.builds(Used, tokens=st.builds(Tokens, input=st.integers(0, 9), cached_input=st.integers(0, 9))),
)


@given(st.lists(_EVENTS, max_size=12))
@settings(max_examples=50, deadline=None)
def test_events_in_any_order_are_blocks_one_after_another(events: list[Event]) -> None:
    writer = MessageWriter(Chat("m", []))
    data = b"".join(writer.write([event]) for event in [*events, Finished("stop"), Ended()])
    found = [msgspec.json.decode(payload) for payload in SseFrames().feed(data)]
    blocks(found)
    assert [event["type"] for event in found[-2:]] == ["message_delta", "message_stop"]
