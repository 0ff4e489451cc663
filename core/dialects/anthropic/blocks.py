"""Blocks of content as callers send them, and the parts of a message that they are.

What only Anthropic's own servers understand becomes a field of Chat.others: its server tools and what they found,
search results, containers, documents whose pages are to be cited. Left out without a word is what carries nothing
for another model: marks where another Claude took over, citations in what a model has said before.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.dialects.anthropic.seals import opened_call, redacted, thought
from core.dialects.canonical import NO_JSON, CacheMark, Document, Image, Part, Text, ToolCall, ToolResult
from core.dialects.request import NOT_UTF8
from core.errors import InvalidArgument

_SILENT: Final = frozenset({"fallback"})
_SAID_BY_MODELS: Final = frozenset({"thinking", "redacted_thinking", "tool_use"})


class Mark(msgspec.Struct):
    """`cache_control`."""

    ttl: str | None = None


class Block(msgspec.Struct):
    """A block of any type: which fields count depends on it, and those whose form does too stay raw."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    tool_name: str | None = None
    tool_use_id: str | None = None
    is_error: bool | None = None
    title: str | None = None
    context: str | None = None
    input: msgspec.Raw = NO_JSON
    source: msgspec.Raw = NO_JSON
    content: msgspec.Raw = NO_JSON
    citations: msgspec.Raw = NO_JSON
    cache_control: Mark | None = None


class _Source(msgspec.Struct):
    type: str = ""
    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Block] | None = None


class _Citations(msgspec.Struct):
    enabled: bool | None = None


_decode_source = msgspec.json.Decoder(_Source).decode
_decode_content = msgspec.json.Decoder(str | list[Block] | None).decode
_decode_citations = msgspec.json.Decoder(_Citations | list[Any] | None).decode


class Unsaid(dict[str, msgspec.Raw]):
    """What the form between the wires can't say, by its place."""

    def note(self, place: str) -> None:
        self[place] = NO_JSON


def texts_of(content: str | Sequence[Block] | None, place: str, unsaid: Unsaid) -> list[Part]:
    """The parts of a message that has no results of tools in it. Raises InvalidArgument."""
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts: list[Part] = []
    signature = ""
    for number, block in enumerate(content or ()):
        if block.type == "text":
            if block.text:
                parts.append(Text(block.text, mark_of(block)))
        elif block.type == "tool_use":
            parts.append(_call(block, signature))
            signature = ""
        elif block.type == "redacted_thinking" and (found := opened_call(block.data or "")):
            signature = found
        elif (part := _part(block, f"{place}[{number}]", unsaid)) is not None:
            parts.append(part)
    return parts


def result_of(block: Block, place: str, unsaid: Unsaid) -> ToolResult:
    """The result of a tool. Raises InvalidArgument."""
    result = ToolResult(block.tool_use_id or "", is_error=bool(block.is_error), cache=mark_of(block))
    content = _read(_decode_content, block.content, f"{place}.content") if block.content else None
    if isinstance(content, str):
        result.parts = [Text(content)] if content else []
    elif content:
        inner = texts_of(content, f"{place}.content", unsaid)
        result.parts = [part for part in inner if isinstance(part, Text | Image | Document)]
        for number, each in enumerate(content):
            if each.type in _SAID_BY_MODELS:
                unsaid.note(f"{place}.content[{number}]")
    return result


def mark_of(block: Block) -> CacheMark | None:
    """The mark of the cache on a block."""
    mark = block.cache_control
    return None if mark is None else CacheMark(mark.ttl or "")


def _part(block: Block, place: str, unsaid: Unsaid) -> Part | None:
    match block.type:
        case "thinking":
            return thought(block.thinking or "", block.signature or "")
        case "redacted_thinking":
            return redacted(block.data or "")
        case "image":
            return _image(block, place, unsaid)
        case "document":
            return _document(block, place, unsaid)
        case "tool_reference":  # a tool that was found, which other models know from the beginning
            return Text(block.tool_name) if block.tool_name else None
        case "":
            raise InvalidArgument(f"{place}.type is missing", field=f"{place}.type")
        case _:
            if block.type not in _SILENT:
                unsaid.note(place)
            return None


def _call(block: Block, signature: str) -> ToolCall:
    try:
        arguments = bytes(block.input).decode()
    except UnicodeDecodeError:
        raise InvalidArgument(NOT_UTF8, field="messages") from None
    return ToolCall(
        block.id or "", block.name or "", "" if arguments == "null" else arguments, signature, mark_of(block)
    )


def _image(block: Block, place: str, unsaid: Unsaid) -> Image | None:
    source = _source(block, place)
    mark = mark_of(block)
    match source.type:
        case "base64":
            return Image(data=source.data or "", media_type=source.media_type or "", cache=mark)
        case "url":
            return Image(url=source.url or "", cache=mark)
        case "file":
            return Image(file_id=source.file_id or "", cache=mark)
        case _:
            unsaid.note(f"{place}.source")
            return None


def _document(block: Block, place: str, unsaid: Unsaid) -> Document | None:
    source = _source(block, place)
    document = Document(name=block.title or "", context=block.context or "", cache=mark_of(block))
    if block.citations and _cited(block, place):
        unsaid.note(f"{place}.citations")
    match source.type:
        case "base64":
            document.data, document.media_type = source.data or "", source.media_type or "application/pdf"
        case "text":
            document.text = source.data or ""
        case "url":
            document.url = source.url or ""
        case "file":
            document.file_id = source.file_id or ""
        case "content" if (text := _plain(source.content)) is not None:
            document.text = text
        case _:
            unsaid.note(f"{place}.source")
            return None
    return document


def _plain(content: str | Sequence[Block] | None) -> str | None:
    """A content that is only text; None where there is more to it."""
    if isinstance(content, str):
        return content
    pieces = [block.text for block in content or () if block.type == "text" and block.text]
    return "\n\n".join(pieces) if pieces and len(pieces) == len(content or ()) else None


def _cited(block: Block, place: str) -> bool:
    asked = _read(_decode_citations, block.citations, f"{place}.citations")
    return isinstance(asked, _Citations) and bool(asked.enabled)


def _source(block: Block, place: str) -> _Source:
    place = f"{place}.source"
    if not block.source:
        raise InvalidArgument(f"{place} is missing", field=place)
    source = _read(_decode_source, block.source, place)
    if source.type == "base64":
        _check_base64(source.data or "", f"{place}.data")
    return source


def _check_base64(data: str, place: str) -> None:
    """Only its form, and of a large one only the ends: the provider reads it anyway."""
    try:
        base64.b64decode(data[:64] if len(data) > 64 else data, validate=True)
    except binascii.Error:
        raise InvalidArgument(f"{place} is not base64", field=place) from None


def _read(decode: Any, raw: msgspec.Raw, place: str) -> Any:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(f"{place}: {reason(error)}", field=place) from None


def reason(error: Exception) -> str:
    """What msgspec found, without its own notation of the place."""
    return str(error).partition(" - at `")[0][:200] or "can't be read"
