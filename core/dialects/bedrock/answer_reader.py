"""Bedrock's whole answers: content blocks → parts.

A union there is an object with one field, the block's kind. Of kinds that are not known nothing is read, nor of
what the provider's own tools were asked and answered: nobody else can go on with that.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from core.dialects.bedrock.converse import ANSWER_TOOL
from core.dialects.bedrock.families import MAKER
from core.dialects.bedrock.usage import Usage, tokens_of
from core.dialects.canonical import NO_JSON, Answer, Choice, Finish, Said, Text, Thinking, ToolCall
from core.dialects.sides import Unreadable

FINISHES: Final[Mapping[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
}
"""stopReason → why an answer ended; what is not known is a common end."""
MALFORMED: Final = frozenset({"malformed_model_output", "malformed_tool_use"})
"""The model failed: what it has said is no answer."""


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NO_JSON
    type: str | None = None


class _ReasoningText(msgspec.Struct):
    text: str | None = None
    signature: str | None = None


class _Reasoning(msgspec.Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str | None = None


class _Cited(msgspec.Struct):
    text: str | None = None


class _Citations(msgspec.Struct):
    content: list[_Cited] | None = None


class _Block(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: _Citations | None = None


class _Message(msgspec.Struct):
    content: list[_Block] | None = None


class _Output(msgspec.Struct):
    message: _Message | None = None


class _ServiceTier(msgspec.Struct):
    type: str | None = None


class ModelFields(msgspec.Struct):
    """What the model says on its own wire, of what the chat's writer asks for."""

    stop_sequence: str | None = None


class _Converse(msgspec.Struct, rename="camel"):
    output: _Output
    stop_reason: str | None = None
    usage: Usage | None = None
    service_tier: _ServiceTier | None = None
    additional_model_response_fields: msgspec.Raw = NO_JSON


_decode = msgspec.json.Decoder(_Converse).decode
_decode_fields = msgspec.json.Decoder(ModelFields | None).decode


def read_answer(body: bytes) -> Answer:
    """A whole good answer. Raises Unreadable."""
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("the answer is not one of Converse") from error
    if found.output.message is None:
        raise Unreadable("the answer has no message")
    stop = found.stop_reason or ""
    if stop in MALFORMED:
        raise Unreadable("the model's answer was malformed")
    parts = [part for block in found.output.message.content or () for part in _parts(block)]
    choice = Choice(
        parts=parts,
        finish=finish_of(stop, calls=any(isinstance(part, ToolCall) for part in parts)),
        stop_sequence=stop_sequence_of(found.additional_model_response_fields) if stop == "stop_sequence" else "",
    )
    tier = (found.service_tier.type if found.service_tier else "") or ""
    return Answer(id="", model="", choices=[choice], tokens=tokens_of(found.usage), service_tier=tier)


def finish_of(stop: str, *, calls: bool) -> Finish:
    """calls: whether tools of the caller's were called, and not only the answer's own."""
    finish = FINISHES.get(stop, "stop")
    return "stop" if finish == "tool_calls" and not calls else finish


def stop_sequence_of(fields: msgspec.Raw) -> str:
    """The sequence that ended an answer, "" where the model does not say."""
    try:
        found = _decode_fields(fields) if bytes(fields) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return (found.stop_sequence or "") if found else ""


def _parts(block: _Block) -> Iterator[Said]:
    if block.text:
        yield Text(block.text)
    elif block.tool_use is not None and not block.tool_use.type:
        use = block.tool_use
        arguments = bytes(use.input).decode() or "{}"
        if use.name == ANSWER_TOOL:
            yield Text(arguments)
        else:
            yield ToolCall(id=use.tool_use_id or "", name=use.name or "", arguments=arguments)
    elif block.reasoning_content is not None:
        yield from _thought(block.reasoning_content)
    elif block.citations_content is not None:
        yield Text("".join(cited.text or "" for cited in block.citations_content.content or ()))


def _thought(reasoning: _Reasoning) -> Iterator[Thinking]:
    if reasoning.redacted_content:
        yield Thinking(redacted=reasoning.redacted_content, maker=MAKER)
    elif (told := reasoning.reasoning_text) is not None:
        signature = told.signature or ""
        yield Thinking(text=told.text or "", signature=signature, maker=MAKER if signature else "")
