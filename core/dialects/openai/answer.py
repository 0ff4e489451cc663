"""Answers on the OpenAI wire as fields, for callers who want those instead of bytes. Pure functions, no I/O.

    a whole answer ─────────────────► read_completion, read_vectors
    a block of a stream ─payloads─► read_completion, one chunk at a time
    an error answer ────────────────► read_fault

Vendors differ in what they leave out and in where they put the reasoning, so everything is optional.
Raw JSON (arguments, log probabilities) stays the text that it was.
"""

import json
import re
from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec

from core.errors import ProviderError

_T = TypeVar("_T")

# An index that is larger is a provider's fault, not something to keep a list for.
_Index = Annotated[int, msgspec.Meta(ge=0, le=65_535)]

_NOTHING = msgspec.Raw(b"")
_NO_ERROR = (b"", b"null", b"false", b'""', b"{}")


class Function(msgspec.Struct):
    """The function that a tool call names; in a stream, a piece of it."""

    name: str | None = None
    arguments: msgspec.Raw = _NOTHING

    def arguments_json(self) -> str:
        """The arguments as the model wrote them. Some vendors send the object where others send its text."""
        return plain(self.arguments) if bytes(self.arguments).startswith(b'"') else raw_json(self.arguments)


class ToolCall(msgspec.Struct):
    """A tool call, or a piece of one."""

    index: _Index | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: msgspec.Raw = _NOTHING  # Google's: the thought behind it


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: "str | list[_Part] | None" = None


class Said(msgspec.Struct):
    """The `message` of a whole answer, or the `delta` of a chunk."""

    role: str | None = None
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None  # DeepSeek's name for it, and most others'
    reasoning: str | None = None  # OpenRouter's, Groq's and Ollama's
    reasoning_details: msgspec.Raw = _NOTHING  # OpenRouter's: the same with signatures
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None  # what was before tools

    def text(self) -> str | None:
        """What was said, None for nothing; of several parts, the texts."""
        return _joined(self.content) if isinstance(self.content, list) else self.content

    def thoughts(self) -> str:
        """The reasoning, "" for none. Mistral's is a part of the content."""
        parts = self.content if isinstance(self.content, list) else ()
        among = [part.thinking if isinstance(part.thinking, str) else _joined(part.thinking or ()) for part in parts]
        return self.reasoning_content or self.reasoning or "".join(among)


class Choice(msgspec.Struct):
    """One of the answers."""

    index: _Index | None = None
    message: Said | None = None
    delta: Said | None = None
    text: str | None = None  # of a text completion
    finish_reason: str | None = None
    logprobs: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING  # OpenRouter's, of a choice that broke off


class Completion(msgspec.Struct):
    """A chat or text completion, whole, or one chunk of a streamed one."""

    id: str | int | None = None
    created: int | float | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: msgspec.Raw = _NOTHING
    service_tier: msgspec.Raw = _NOTHING
    error: msgspec.Raw = _NOTHING  # see `is_error`


class Vector(msgspec.Struct):
    """One embedding: numbers, or little-endian 32-bit floats in base64."""

    embedding: list[float] | str
    index: _Index | None = None


class Vectors(msgspec.Struct):
    """An answer of the embeddings endpoint."""

    data: list[Vector] | None = None
    model: str | None = None
    error: msgspec.Raw = _NOTHING  # see `is_error`


class Fault(msgspec.Struct, frozen=True):
    """What an error answer says, each "" where it does not."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""


_completion = msgspec.json.Decoder(Completion)
_vectors = msgspec.json.Decoder(Vectors)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_scalar = msgspec.json.Decoder(str | int | float | bool | None)

_EVENT_END = re.compile(rb"\r?\n\r?\n")


def payloads(block: bytes) -> Iterator[bytes]:
    """The JSON of each event of a block, without comments and the end mark. Lines end in LF or CRLF."""
    for event in _EVENT_END.split(block):
        lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
        payload = b"\n".join(lines)
        if payload.startswith(b"{"):
            yield payload


def read_completion(body: bytes) -> Completion:
    """Reads a whole answer or the JSON of one event. Raises ProviderError."""
    return _read(_completion, body)


def read_vectors(body: bytes) -> Vectors:
    """Reads an answer of the embeddings endpoint. Raises ProviderError."""
    return _read(_vectors, body)


def read_fault(body: bytes) -> Fault:
    """Reads an error answer: OpenAI's object, a bare text in its place, or what vendors have instead of it."""
    fields = _object(body)
    error = fields.get("error", _NOTHING)
    inner = _object(error)
    among = inner or fields
    message = plain(among.get("message", _NOTHING)) or plain(error) or plain(fields.get("detail", _NOTHING))
    type_, code, param = (plain(among.get(name, _NOTHING)) for name in ("type", "code", "param"))
    return Fault(message, type_, code, param)


def is_error(answer: Completion | Vectors) -> bool:
    """Whether it is an error after all; some vendors have those inside of streams and under a status of 200."""
    return bytes(answer.error) not in _NO_ERROR


def raw_json(raw: msgspec.Raw) -> str:
    """The JSON text of a value, "" where there is none and for null."""
    text = bytes(raw).decode(errors="replace")
    return "" if text == "null" else text


def plain(raw: msgspec.Raw) -> str:
    """A text or a number as text, "" for everything else."""
    try:
        value = _scalar.decode(raw)
    except (ValueError, RecursionError):
        return ""
    return "" if value is None or isinstance(value, bool) else str(value)


def _joined(parts: "list[_Part] | tuple[()]") -> str:
    return "".join([part.text or "" for part in parts])


def _object(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        return _fields.decode(data)
    except (ValueError, RecursionError):
        return {}


def _read(decoder: "msgspec.json.Decoder[_T]", data: bytes) -> _T:
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError) as error:
        try:
            return decoder.decode(_mended(data))
        except (ValueError, RecursionError):
            raise ProviderError("the provider's answer is not what the OpenAI API describes") from error


def _mended(data: bytes) -> bytes:
    """JSON whose texts can be read: some providers cut a character in two at the end of a chunk."""
    return json.dumps(json.loads(data.decode(errors="replace")), ensure_ascii=False).encode(errors="replace")
