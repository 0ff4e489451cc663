"""What Bedrock answers is read as it was said, and what is written for it is what AWS's own description allows."""

import json
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from hypothesis import assume, given
from hypothesis import strategies as st

from core.dialects.bedrock.answer_reader import FINISHES, MALFORMED, read_answer
from core.dialects.bedrock.chat_writer import write_chat
from core.dialects.bedrock.frames import EventStreamFrames
from core.dialects.bedrock.stream_reader import ConverseStreamReader
from core.dialects.canonical import (
    Answer,
    CallBegan,
    CallDelta,
    Chat,
    Event,
    Finished,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    ToolCall,
    Used,
)
from core.dialects.losses import Losses
from core.dialects.sides import Manner
from core.dialects.tokens import Tokens
from core.errors import InvalidArgument
from tests.core.dialects.chats import Can, answers, chats, cut_bytes, gathered, streams
from tests.support import bedrock_upstream as bedrock

CAN = Can(
    thinking=("bedrock",),
    thinking_ids=False,
    many_thoughts=False,
    refusals=False,
    call_signatures=False,
    choices=1,
    finishes=("stop", "length", "content_filter"),
    logprobs=False,
    created=False,
    service_tiers=False,
    tokens=frozenset({"cached_input", "cache_write"}),
)
MODELS = (
    *("anthropic.claude-3-haiku-20240307-v1:0", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    *("anthropic.claude-opus-4-7", "eu.amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0"),
    *("meta.llama3-3-70b-instruct-v1:0", bedrock.PROFILE),
)
STOPS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "guardrail_intervened"}


def nameless(answer: Answer) -> Answer:
    """Without what Bedrock does not say."""
    answer.id = answer.model = ""
    return answer


def usage(tokens: Tokens) -> dict[str, Any]:
    fresh = tokens.input - tokens.cached_input - tokens.cache_write
    cache = {"cacheReadInputTokens": tokens.cached_input, "cacheWriteInputTokens": tokens.cache_write}
    return {"inputTokens": fresh, "outputTokens": tokens.output, "totalTokens": tokens.input + tokens.output, **cache}


def stopped(finish: str, sequence: str) -> tuple[str, dict[str, Any]]:
    if sequence:
        return "stop_sequence", {"additionalModelResponseFields": {"stop_sequence": sequence}}
    return STOPS.get(finish, "tool_use"), {}


def block(part: Any) -> dict[str, Any]:
    match part:
        case Text():
            return {"text": part.text}
        case ToolCall():
            return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": json.loads(part.arguments)}}
        case Thinking(redacted=str(redacted)) if redacted:
            return {"reasoningContent": {"redactedContent": redacted}}
        case _:
            return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}


@given(answers(CAN))
def test_an_answer_is_read_as_it_was_said(answer: Answer):
    (choice,) = answer.choices
    stop, extra = stopped(choice.finish, choice.stop_sequence)
    assert answer.tokens is not None
    body = bedrock.body(*map(block, choice.parts), usage=usage(answer.tokens), stop=stop, **extra)
    found = read_answer(body)
    for part in (*found.choices[0].parts, *choice.parts):
        if isinstance(part, ToolCall):
            part.arguments = json.dumps(json.loads(part.arguments))
    assert found == nameless(answer)


def frames_of(events: list[Event]) -> list[bytes]:
    """A stream of Bedrock's that says so."""
    made, index, begun = [bedrock.event("messageStart", role="assistant")], -1, ""

    def delta(kind: str, **said: Any) -> bytes:
        nonlocal index, begun
        index, begun = index + (kind != begun), kind
        return bedrock.event("contentBlockDelta", delta=said, contentBlockIndex=index)

    def stop() -> bytes:
        nonlocal begun
        begun = ""
        return bedrock.event("contentBlockStop", contentBlockIndex=index)

    for event in events:
        match event:
            case TextDelta():
                made.append(delta("text", text=event.text))
            case ThinkingDelta():
                made.append(delta("thinking", reasoningContent={"text": event.text}))
            case ThinkingSigned():
                proof = {"redactedContent": event.redacted} if event.redacted else {"signature": event.signature}
                made += [delta("thinking", reasoningContent=proof), stop()]
            case CallBegan():
                index, begun = index + 1, "call"
                start = {"toolUse": {"toolUseId": event.id, "name": event.name}}
                made.append(bedrock.event("contentBlockStart", start=start, contentBlockIndex=index))
            case CallDelta():
                made.append(delta("call", toolUse={"input": event.arguments}))
            case Finished():
                reason, extra = stopped(event.finish, event.stop_sequence)
                made += [stop(), bedrock.event("messageStop", stopReason=reason, **extra)]
            case Used():
                made.append(bedrock.event("metadata", usage=usage(event.tokens), metrics={"latencyMs": 1}))
            case _:
                pass
    return made


@given(streams(CAN), st.lists(st.integers(0, 2**16), max_size=4))
def test_a_stream_is_read_as_it_was_said_wherever_it_is_torn(events: list[Event], places: list[int]):
    frames, reader = EventStreamFrames(), ConverseStreamReader()
    pieces = cut_bytes(b"".join(frames_of(events)), places)
    found = [event for piece in pieces for payload in frames.feed(piece) for event in reader.read(payload)]
    assert gathered([*found, *reader.end()]) == nameless(gathered(events))
    assert reader.end() == []


@lru_cache(maxsize=1)
def described() -> Any:
    """AWS's own description of the service."""
    return Session().get_service_model("bedrock-runtime")


def given_messages(chat: Chat, losses: Losses) -> bytes:
    """The body of a chat in which something is left that can be said: others are refused."""
    try:
        return write_chat(chat, losses, Manner())
    except InvalidArgument as refused:
        assume(refused.field != "messages")
        raise


@given(chats(), st.sampled_from(MODELS))
def test_whatever_is_asked_is_written_as_aws_describes_it(chat: Chat, model: str):
    chat.model = model
    losses = Losses({}, "aws", drop=True)
    body = json.loads(given_messages(chat, losses))
    shape: Any = described().operation_model("Converse").input_shape
    report: Any = ParamValidator().validate({"modelId": model, **body}, shape)
    assert not report.has_errors(), report.generate_report()
    assert body.keys() <= shape.members.keys(), "the check passes over what it does not know"
    roles = [message["role"] for message in body["messages"]]
    assert all(one != two for one, two in pairwise(roles))


@given(chats(), st.sampled_from(MODELS))
def test_nothing_is_left_out_without_leave(chat: Chat, model: str):
    chat.model = model
    losses = Losses({}, "aws", drop=True)
    written = given_messages(chat, losses)
    if not losses.dropped:
        assert write_chat(chat, Losses({}, "aws", drop=False), Manner()) == written
        return
    with pytest.raises(InvalidArgument) as refused:
        write_chat(chat, Losses({}, "aws", drop=False), Manner())
    assert refused.value.field == losses.dropped[0]


def test_every_stop_reason_that_aws_describes_has_a_meaning():
    assert set(described().shape_for("StopReason").enum) <= FINISHES.keys() | MALFORMED
