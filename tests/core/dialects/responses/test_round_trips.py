"""What is written on the Responses wire and read again is the same."""

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.dialects.canonical import Answer, Chat, Document, Event, Finished, Image, Thinking, ToolResult
from core.dialects.losses import Losses
from core.dialects.responses.answer_reader import read_answer
from core.dialects.responses.answer_writer import write_answer
from core.dialects.responses.chat_reader import read_chat
from core.dialects.responses.chat_writer import write_chat
from core.dialects.responses.request import RESPONSES, read_request
from core.dialects.responses.stream_reader import ResponseReader
from core.dialects.responses.stream_writer import ResponseWriter
from core.dialects.sides import Manner
from core.dialects.sse import SseFrames
from tests.core.dialects.chats import Can, answers, chats, gathered, streams

_UNSAYABLE = {"top_k", "stop", "seed", "n", "presence_penalty", "frequency_penalty", "logit_bias", "include_usage"}
CAN = Can(
    fields=frozenset(Chat.__struct_fields__) - _UNSAYABLE,
    names=False,
    audio=False,
    cache=False,
    document_contexts=False,
    thinking=(),
    plain_thinking=False,
    call_signatures=False,
    result_errors=False,
    budgets=False,
)
ANSWERS = Can(
    choices=1,
    refusals=False,
    thinking_ids=False,
    many_texts=False,
    stop_sequences=False,
    finishes=("stop", "length", "content_filter"),
    tokens=frozenset({"cached_input", "cache_write", "reasoning"}),
)
NOBODY = Chat("m", [])

# What is made is large, and machines are busy.
unhurried = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def read(body: bytes) -> Chat:
    found = read_chat(read_request(RESPONSES, body))
    return Chat(**{name: getattr(found, name) for name in Chat.__struct_fields__})


def plain(chat: Chat) -> Chat:
    """The chat in the words of this wire: what it makes explicit, or has in one way only."""
    for tool in chat.tools:
        tool.strict = bool(tool.strict)
    if chat.reasoning is not None and not chat.reasoning.shown:
        chat.reasoning.shown = None
    if chat.format is not None and chat.format.kind == "schema":
        chat.format.name = chat.format.name or "answer"
    if chat.max_output is not None:
        chat.max_output = max(16, chat.max_output)
    chat.top_logprobs = chat.top_logprobs or None
    chat.include_usage = chat.stream
    chat.hints = ("parallel_tool_calls", "reasoning", "verbosity", "client_metadata")  # of every caller
    parts = [part for message in chat.messages for part in message.parts]
    inner = [part for result in parts if isinstance(result, ToolResult) for part in result.parts]
    for part in [*parts, *inner]:
        if isinstance(part, Document) and not part.name and (part.data or part.text):
            part.name = "document.txt" if part.text else "document.pdf"
        if isinstance(part, Image):
            part.detail = part.detail or "auto"
    return chat


@unhurried
@given(chats(CAN))
def test_a_request_is_read_as_it_was_written(chat: Chat):
    body = write_chat(chat, Losses({}, "p", drop=False), Manner())
    assert read(body) == plain(chat)


@unhurried
@given(answers(ANSWERS))
def test_an_answer_is_read_as_it_was_written(answer: Answer):
    found = read_answer(write_answer(answer, NOBODY))
    answer.id = f"resp_{answer.id}"
    answer.service_tier = answer.service_tier or "default"
    for choice in answer.choices:
        if choice.logprobs:
            choice.logprobs = msgspec.Raw(
                b'{"content":%b}' % msgspec.json.encode(msgspec.json.decode(choice.logprobs)["content"])
            )
    _forget_ids(found)
    assert found == answer


@unhurried
@given(streams(ANSWERS), st.lists(st.integers(1, 400), max_size=20))
def test_a_stream_is_read_as_it_was_written_wherever_the_network_cuts_it(events: list[Event], cuts: list[int]):
    writer = ResponseWriter(NOBODY)
    data = b"".join(writer.write([event]) for event in events)
    frames, reader = SseFrames(), ResponseReader()
    found: list[Event] = []
    for cut in cuts:
        piece, data = data[:cut], data[cut:]
        for payload in frames.feed(piece):
            found += reader.read(payload)
    for payload in [*frames.feed(data), *frames.end()]:
        found += reader.read(payload)
    expected, got = gathered(events), gathered(found)
    expected.id = f"resp_{expected.id}"
    _forget_ids(expected)
    _forget_ids(got)
    assert got == expected
    assert sum(isinstance(event, Finished) for event in found) == 1


def _forget_ids(answer: Answer) -> None:
    """The ids of items are the response's own."""
    for choice in answer.choices:
        for part in choice.parts:
            if isinstance(part, Thinking):
                part.id = ""
