"""A provider's whole answer on Anthropic's wire as an Answer.

Blocks of Anthropic's own tools and of types that are not known here are left out: nobody asked for them.
"""

import msgspec

from core.dialects.anthropic.answer_tool import NAME
from core.dialects.anthropic.finishes import finish_of
from core.dialects.anthropic.seals import opened_call, redacted, thought
from core.dialects.anthropic.usage import Usage
from core.dialects.canonical import NO_JSON, Answer, Choice, Said, Text, ToolCall
from core.dialects.sides import Unreadable


class Block(msgspec.Struct):
    """A block of an answer, or of what one begins with in a stream."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NO_JSON


class _Answer(msgspec.Struct):
    content: list[Block]
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: msgspec.Raw = NO_JSON


_decode = msgspec.json.Decoder(_Answer).decode
# Lenient, for some vendors count in floats.
_decode_usage = msgspec.json.Decoder(Usage | None, strict=False).decode


def read_answer(body: bytes) -> Answer:
    """A good answer. Raises Unreadable."""
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("not a message of Anthropic's wire") from error
    parts: list[Said] = []
    signature = ""
    for block in answer.content:
        if block.type == "redacted_thinking" and (found := opened_call(block.data or "")):
            signature = found
        elif (part := _part(block, signature)) is not None:
            parts.append(part)
            signature = "" if isinstance(part, ToolCall) else signature
    calls = any(isinstance(part, ToolCall) for part in parts)
    usage = usage_in(answer.usage)
    choice = Choice(parts, finish_of(answer.stop_reason or "", calls=calls), answer.stop_sequence or "")
    return Answer(
        id=answer.id or "",
        model=answer.model or "",
        choices=[choice],
        tokens=usage.tokens() if usage.is_known else None,
        service_tier=usage.tier,
    )


def usage_in(raw: msgspec.Raw) -> Usage:
    """What was reported; nothing where that can't be read."""
    if not raw:
        return Usage()
    try:
        return _decode_usage(raw) or Usage()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Usage()


def arguments_in(block: Block) -> str:
    """The input of a tool as it stands."""
    arguments = bytes(block.input).decode(errors="replace")
    return "" if arguments == "null" else arguments


def _part(block: Block, signature: str) -> Said | None:
    match block.type:
        case "text":
            return Text(block.text) if block.text else None
        case "tool_use" if block.name == NAME:
            return Text(arguments_in(block))
        case "tool_use":
            return ToolCall(block.id or "", block.name or "", arguments_in(block), signature)
        case "thinking":
            return thought(block.thinking or "", block.signature or "")
        case "redacted_thinking":
            return redacted(block.data or "")
        case _:
            return None
