"""What is written on the Gemini wire and read again is the same, for all that the wire can say."""

from typing import cast

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import Answer, Chat, Event, Fault, Text, ToolCall, ToolResult
from core.dialects.gemini.answer_reader import read_answer
from core.dialects.gemini.answer_writer import write_answer
from core.dialects.gemini.chat_reader import read_chat
from core.dialects.gemini.chat_writer import write_chat
from core.dialects.gemini.contents_writer import UNSIGNED
from core.dialects.gemini.faults import read_fault, write_fault
from core.dialects.gemini.generate import GENERATE, read_request
from core.dialects.gemini.sides import CALLERS
from core.dialects.gemini.stream_reader import GenerateReader
from core.dialects.gemini.stream_writer import GenerateWriter
from core.dialects.losses import Losses
from core.dialects.sides import Manner
from core.dialects.sse import SseFrames
from tests.core.dialects.chats import Can, answers, chats, cut_bytes, faults, gathered, streams

MODEL = "gemini-3-pro-preview"

_ASKED = Can(
    fields=frozenset(Chat.__struct_fields__)
    - {
        "logit_bias",
        "verbosity",
        "user",
        "metadata",
        "service_tier",
        "cache_key",
        "parallel_tool_calls",
        "include_usage",
    },
    developer=False,
    system_anywhere=False,
    names=False,
    images=("url", "data"),
    details=False,
    documents=("url", "data", "text"),
    document_names=False,
    document_contexts=False,
    cache=False,
    thinking=("gemini",),
    plain_thinking=False,
    redacted=False,
    thinking_ids=False,
    refusals=False,
    many_texts=False,
    result_documents=False,
    strict=False,
    efforts=("minimal", "low", "medium", "high"),
    formats=("json", "schema"),
    format_names=False,
    finishes=("stop", "length", "content_filter"),
)
_SAID = Can(
    refusals=False,
    mixed=True,
    finishes=("stop", "length", "content_filter"),
    stop_sequences=False,
    created=False,
    service_tiers=False,
    tokens=frozenset({"cached_input", "reasoning", "audio_input", "audio_output"}),
)


@given(chats(_ASKED))
def test_a_request_that_was_written_is_read_as_it_was(chat: Chat) -> None:
    chat.model = MODEL
    body = write_chat(chat, Losses({}, "gemini", drop=False), Manner())
    front = b'{"model":"%b","stream":%b,' % (MODEL.encode(), b"true" if chat.stream else b"false")
    found = read_chat(read_request(GENERATE, front + body[1:]))
    assert not found.others
    assert _plain(found) == _plain(chat)


@given(answers(_SAID))
def test_an_answer_that_was_written_is_read_as_it_was(answer: Answer) -> None:
    found = read_answer(write_answer(answer, Chat("m", [])))
    assert bare(found) == bare(answer)


@given(streams(_SAID), st.lists(st.integers(0, 5000), max_size=6))
def test_a_stream_that_was_written_is_read_as_it_was(events: list[Event], places: list[int]) -> None:
    data = GenerateWriter(Chat("m", [])).write(events)
    frames, reader, found = SseFrames(), GenerateReader(), list[Event]()
    for piece in cut_bytes(data, places):
        for payload in frames.feed(piece):
            found += reader.read(payload)
    assert not frames.end()
    found += reader.end()
    assert _ordered(gathered(found)) == _ordered(gathered(events))


@given(faults())
def test_an_error_that_was_written_is_read_as_it_was(fault: Fault) -> None:
    found = read_fault(fault.status, write_fault(fault))
    assert (found.status, found.message) == (fault.status, fault.message)


def test_each_field_that_has_another_name_is_a_field_of_a_chat() -> None:
    for side in CALLERS.values():
        assert set(side.names) <= {*Chat.__struct_fields__, "detail"}  # and of a picture


def _plain(chat: Chat) -> object:
    """The request in the terms of what the wire does not tell apart."""
    if chat.format is not None and chat.format.kind == "schema":
        chat.format.name = ""
    if chat.reasoning is not None and chat.reasoning.effort != "none" and chat.reasoning.budget != 0:
        chat.reasoning.shown = chat.reasoning.shown is not False
    for message in chat.messages:
        for part in message.parts:
            if isinstance(part, ToolResult):
                texts = [each.text for each in part.parts if isinstance(each, Text)]
                rest = [each for each in part.parts if not isinstance(each, Text)]
                part.parts = [*([Text("\n".join(texts))] if texts else []), *rest]
            elif isinstance(part, ToolCall) and part.signature == UNSIGNED:
                part.signature = ""
    return bare(msgspec.structs.replace(chat, include_usage=False))


_PLACES = ("place", "parts_place")  # of messages, where one is read


def bare(value: object) -> object:
    """Structs and raw JSON as what shows where two of them differ."""
    if isinstance(value, msgspec.Raw):
        return bytes(value)
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value).items()
        return type(value).__name__, {name: bare(each) for name, each in fields if name not in _PLACES}
    if isinstance(value, list):
        return [bare(each) for each in cast("list[object]", value)]
    return value


def _ordered(answer: Answer) -> object:
    """Calls stand last in a stream, for they come whole."""
    for choice in answer.choices:
        choice.parts.sort(key=lambda part: isinstance(part, ToolCall))
    return bare(answer)
