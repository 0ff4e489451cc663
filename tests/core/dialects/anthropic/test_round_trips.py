"""What is written on Anthropic's wire and read again says the same."""

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dialects.anthropic.answer_reader import read_answer
from core.dialects.anthropic.answer_writer import write_answer
from core.dialects.anthropic.chat_reader import read_chat
from core.dialects.anthropic.chat_writer import write_chat
from core.dialects.anthropic.faults import read_fault, write_fault
from core.dialects.anthropic.messages import MESSAGES, read_request
from core.dialects.anthropic.sides import NAMES
from core.dialects.anthropic.stream_reader import MessageReader
from core.dialects.anthropic.stream_writer import MessageWriter
from core.dialects.canonical import (
    Answer,
    Chat,
    Event,
    Fault,
    Message,
    Part,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from core.dialects.losses import Losses
from core.dialects.sides import Manner
from core.dialects.sse import SseFrames
from tests.core.dialects.chats import Can, answers, chats, cut_bytes, faults, gathered, streams

MODEL = "claude-opus-4-6"
CAN = Can(
    fields=frozenset(Chat.__struct_fields__)
    - {"seed", "n", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias", "verbosity"}
    - {"metadata", "cache_key", "service_tier", "hints"},
    developer=False,
    system_anywhere=False,
    names=False,
    details=False,
    audio=False,
    thinking=("anthropic",),
    plain_thinking=False,
    thinking_ids=False,
    refusals=False,
    call_signatures=False,
    result_names=False,
    efforts=("none", "low", "medium", "high", "max"),
    formats=("schema",),
    format_names=False,
)
ANSWERS = Can(
    refusals=False,
    mixed=True,
    choices=1,
    finishes=("stop", "length", "refusal", "pause"),
    logprobs=False,
    created=False,
    tokens=frozenset({"cached_input", "cache_write", "reasoning"}),
)


@given(chats(CAN))
@settings(max_examples=60, deadline=None)
def test_a_request_is_read_as_it_was_written(chat: Chat) -> None:
    said = _sayable(chat)
    body = write_chat(said, Losses(NAMES, "claude", drop=False), Manner())
    assert _normal(read_chat(read_request(MESSAGES, body))) == _normal(said)


@given(answers(ANSWERS))
@settings(max_examples=60, deadline=None)
def test_an_answer_is_read_as_it_was_written(answer: Answer) -> None:
    assert read_answer(write_answer(answer, Chat("m", []))) == _answered(answer)


@given(streams(ANSWERS), st.lists(st.integers(0, 10**6), max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_stream_is_read_as_it_was_written_wherever_the_network_cuts_it(
    events: list[Event], places: Sequence[int]
) -> None:
    writer, reader, frames = MessageWriter(Chat("m", [])), MessageReader(), SseFrames()
    data = b"".join(writer.write([event]) for event in events)
    payloads = [payload for piece in cut_bytes(data, places) for payload in frames.feed(piece)]
    read = [event for payload in payloads for event in reader.read(payload)]
    found, wanted = gathered(read), gathered(events)
    wanted.created = found.created
    assert found == _answered(wanted)


@given(faults())
def test_an_error_keeps_its_status_and_its_words(fault: Fault) -> None:
    read = read_fault(fault.status, write_fault(fault))
    assert (read.status, read.message) == (fault.status, fault.message)


def _sayable(chat: Chat) -> Chat:
    """A chat that the model takes: who thinks is not forced to call a tool, and samples in one way."""
    chat = msgspec.structs.replace(chat, model=MODEL)
    chat.max_output = (chat.max_output or 0) + 70_000
    chat.stop = [sequence for sequence in chat.stop if sequence.strip()]
    if chat.reasoning is not None and chat.reasoning.effort == "none":
        chat.reasoning = Reasoning(effort="none")
    if chat.reasoning is not None and chat.reasoning.effort != "none":
        chat.temperature = chat.top_p = chat.top_k = None
        if chat.tool_choice is not None and chat.tool_choice.mode in ("required", "tool"):
            chat.tool_choice = None
    if chat.temperature is not None:
        chat.top_p = None
    if chat.format is not None:
        chat.format.strict = True
        closed = {**msgspec.json.decode(chat.format.schema), "additionalProperties": False}
        chat.format.schema = msgspec.Raw(msgspec.json.encode(closed))
    if not any(isinstance(part, ToolCall) for message in chat.messages for part in message.parts):
        return chat
    return chat if chat.tools else msgspec.structs.replace(chat, messages=chat.messages[-1:], tool_choice=None)


def _normal(chat: Chat) -> Chat:
    """The same without what makes no difference: turns of one side in a row, blanks, defaults."""
    messages: list[Message] = []
    for message in chat.messages:
        parts = [part for part in message.parts if not (isinstance(part, Text) and not part.text.strip())]
        for part in parts:
            _trim(part)
        if parts and messages and messages[-1].role == message.role:
            messages[-1].parts = [*messages[-1].parts, *parts]
        elif parts:
            messages.append(Message(message.role, parts))
    parallel = chat.parallel_tool_calls is not False or (
        chat.tool_choice is not None and chat.tool_choice.mode == "none"
    )
    choice = None if chat.tool_choice is not None and chat.tool_choice.mode == "auto" else chat.tool_choice
    return msgspec.structs.replace(
        chat, messages=messages, include_usage=False, tool_choice=choice, parallel_tool_calls=parallel, hints=()
    )


def _trim(part: Part) -> None:
    if isinstance(part, ToolResult):
        part.parts = [inner for inner in part.parts if not (isinstance(inner, Text) and not inner.text.strip())]


def _answered(answer: Answer) -> Answer:
    """The same without what the wire has no words for: ids of Anthropic's own thoughts."""
    for part in answer.choices[0].parts:
        if isinstance(part, Thinking) and part.maker == "anthropic":
            part.id = ""
    return answer
