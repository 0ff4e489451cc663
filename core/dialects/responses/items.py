"""Items of the Responses wire as they are read, in a request's input and in a response's output.

    message               what somebody says, in parts
    reasoning             thoughts
    function_call, custom_tool_call, and their outputs
    item_reference        an item that was stored; core/routing/responses.py puts it in its place

Others belong to tools that run at OpenAI, or to ones that only its models know.
"""

import base64
import binascii
import re
from collections.abc import Sequence

import msgspec

from core.dialects.canonical import CacheMark, Document, Image, Refusal, Text, Thinking
from core.dialects.responses.thoughts import Proof, opened

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w-]+=[^;,]*)*)(;base64)?,", re.ASCII)

NOTHING = msgspec.Raw(b"null")


class Part(msgspec.Struct):
    """A part of a message, or of a tool's output."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None
    filename: str | None = None
    logprobs: msgspec.Raw = NOTHING
    prompt_cache_breakpoint: msgspec.Raw = NOTHING


class Item(msgspec.Struct):
    """An item. Fields that differ from kind to kind stay as they came."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    status: str | None = None
    content: msgspec.Raw = NOTHING
    call_id: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = NOTHING
    input: msgspec.Raw = NOTHING
    output: msgspec.Raw = NOTHING
    summary: msgspec.Raw = NOTHING
    encrypted_content: str | None = None

    @property
    def kind(self) -> str:
        """Its type, which a message need not name."""
        return self.type or ("message" if self.role else "")


class Spoken(msgspec.Struct):
    """A part of thoughts."""

    type: str | None = None
    text: str | None = None


decode_items = msgspec.json.Decoder(list[Item]).decode
_content: "msgspec.json.Decoder[str | list[Part] | None]" = msgspec.json.Decoder(str | list[Part] | None)
decode_thoughts = msgspec.json.Decoder(list[Spoken] | None).decode
decode_text = msgspec.json.Decoder(str | None).decode


def content_of(raw: msgspec.Raw) -> str | list[Part]:
    """What a message or a tool's output has: a text, or parts. Raises msgspec.DecodeError."""
    return _content.decode(raw) or []


def thinking(item: Item) -> tuple[Thinking | None, Proof]:
    """The thought of a reasoning item, None where it holds none that could be used; and what proves it.

    Raises msgspec.DecodeError.
    """
    proof = opened(item.encrypted_content or "")
    spoken = decode_thoughts(item.summary) or decode_thoughts(item.content) or ()
    text = "\n\n".join([part.text for part in spoken if part.text])
    if not (text or proof.signature or proof.redacted):
        return None, proof
    return Thinking(
        text=text, signature=proof.signature, redacted=proof.redacted, id=item.id or "", maker=proof.maker
    ), proof


def part(found: Part) -> Text | Image | Document | Refusal | None:
    """A part in the form between all wires; None for an empty one. Raises ValueError, with what is wrong."""
    mark = None if found.prompt_cache_breakpoint == NOTHING else CacheMark()
    match found.type:
        case "input_text" | "output_text" | "text":
            return Text(found.text, cache=mark) if found.text else None
        case "refusal":
            return Refusal(found.refusal) if found.refusal else None
        case "input_image":
            return _image(found, mark)
        case "input_file":
            return _document(found, mark)
        case kind:
            raise ValueError(f"{kind or 'a part without a type'} is not supported here")


def logprobs_of(parts: Sequence[msgspec.Raw]) -> msgspec.Raw:
    """Log probabilities in the chat's form; nothing for lists that are empty."""
    lists = [bytes(raw).strip() for raw in parts]
    filled = [inner for each in lists if each[:1] == b"[" and (inner := each[1:-1].strip())]
    return msgspec.Raw(b'{"content":[%b]}' % b",".join(filled)) if filled else msgspec.Raw(b"")


def _image(found: Part, mark: CacheMark | None) -> Image:
    detail = found.detail or ""
    if found.image_url:
        media_type, data = _data_of(found.image_url)
        if data:
            return Image(data=data, media_type=media_type or "image/png", detail=detail, cache=mark)
        return Image(url=found.image_url, detail=detail, cache=mark)
    if found.file_id:
        return Image(file_id=found.file_id, detail=detail, cache=mark)
    raise ValueError("an input_image has an image_url or a file_id")


def _document(found: Part, mark: CacheMark | None) -> Document:
    name = found.filename or ""
    if found.file_data:
        media_type, data = _data_of(found.file_data)
        if not data:  # the base64 alone, as OpenAI accepts it too
            media_type, data = "application/pdf", found.file_data
        if media_type == "text/plain":
            try:
                return Document(text=base64.b64decode(data, validate=True).decode(), name=name, cache=mark)
            except (binascii.Error, UnicodeDecodeError):
                raise ValueError("file_data is not the base64 of a text in UTF-8") from None
        return Document(data=data, media_type=media_type or "application/pdf", name=name, cache=mark)
    if found.file_url:
        return Document(url=found.file_url, name=name, cache=mark)
    if found.file_id:
        return Document(file_id=found.file_id, name=name, cache=mark)
    raise ValueError("an input_file has file_data, a file_url or a file_id")


def _data_of(url: str) -> tuple[str, str]:
    """Media type and base64 of a data: URL; "" where it is none. Raises ValueError for one without base64."""
    if not url.startswith("data:"):
        return "", ""
    found = _DATA_URL.match(url)
    if found is None or not found[3]:
        raise ValueError("a data: URL must be base64: data:image/png;base64,…")
    return found[1] or "", url[found.end() :]
