"""What is written on the OpenAI wire and read again is the same, whatever it is."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import Answer, Chat, Document, Event, Refusal, Text, Thinking, ToolCall
from core.dialects.openai.answer_reader import read_answer
from core.dialects.openai.answer_writer import write_answer
from core.dialects.openai.chat_writer import write_chat
from core.dialects.openai.stream_reader import ChunkReader
from core.dialects.openai.stream_writer import ChunkWriter
from core.dialects.sse import SseFrames
from tests.core.dialects.chats import answers, chats, cut_bytes, gathered, patient, streams
from tests.core.dialects.openai.said import ANSWERS, OPENROUTER, REQUESTS, read, strict

PLAIN = Chat(model="m", messages=[])
CUTS = st.lists(st.integers(0, 10_000), max_size=12)


@patient
@given(chats(REQUESTS))
def test_a_request_comes_back_as_it_was(chat: Chat):
    for part in (part for message in chat.messages for part in message.parts):
        if isinstance(part, Document) and part.data:
            part.name = part.name or "document.pdf"  # OpenAI wants one
    chat.hints = ("parallel_tool_calls",)  # of every caller
    found = read(write_chat(chat, strict(), OPENROUTER))
    found.named, found.hints = chat.named, chat.hints  # of who asks, not of what
    assert found == chat


def as_said(answer: Answer) -> Answer:
    """A refusal that ends with stop is read as what it is."""
    for choice in answer.choices:
        kinds = {type(part) for part in choice.parts}
        if Refusal in kinds and Text not in kinds and ToolCall not in kinds and choice.finish == "stop":
            choice.finish = "refusal"
    return answer


@patient
@given(answers(ANSWERS))
def test_an_answer_comes_back_as_it_was(answer: Answer):
    assert read_answer(write_answer(answer, PLAIN)) == as_said(answer)


@patient
@given(streams(ANSWERS), CUTS)
def test_a_stream_comes_back_as_it_was_however_the_network_cuts_it(events: list[Event], cuts: list[int]):
    writer, frames, reader = ChunkWriter(msgspec.structs.replace(PLAIN, include_usage=True)), SseFrames(), ChunkReader()
    written = b"".join(writer.write([event]) for event in events)
    found: list[Event] = []
    for piece in cut_bytes(written, cuts):
        for payload in frames.feed(piece):
            found += reader.read(payload)
    assert frames.end() == []
    assert found[0] == events[0]
    assert found[-1] == events[-1]
    assert gathered(found) == as_said(gathered(events))


@patient
@given(streams(ANSWERS))
def test_a_stream_says_what_the_whole_answer_says(events: list[Event]):
    whole = gathered(events)
    reader = ChunkReader()
    written = ChunkWriter(msgspec.structs.replace(PLAIN, include_usage=True)).write(events)
    found: list[Event] = []
    for payload in SseFrames().feed(written):
        found += reader.read(payload)
    read_whole: Any = read_answer(write_answer(whole, PLAIN))
    assert [thoughts(choice.parts) for choice in gathered(found).choices] == [
        thoughts(choice.parts) for choice in read_whole.choices
    ]


def thoughts(parts: Any) -> list[Thinking]:
    return [part for part in parts if isinstance(part, Thinking)]
