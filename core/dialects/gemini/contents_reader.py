"""The `contents` of a Gemini caller as messages: what stands in one content may be several turns of ours.

Gemini's calls of functions need no ids. Where there are none they are made here, and results find their call
by its name, in the order of the calls. What a model said in many pieces of a stream is put together.
"""

import mimetypes
from base64 import b64decode
from collections import deque
from typing import Final

import msgspec

from core.dialects.canonical import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from core.dialects.gemini import wire
from core.dialects.gemini.contents_writer import FILES
from core.dialects.gemini.thoughts import thought as thought_of
from core.errors import InvalidArgument

_AUDIO_FORMATS: Final = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "x-m4a": "m4a"}
_UNKNOWN: Final = "application/octet-stream"
_DETAILS: Final = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_HIGH": "high"}

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class ContentsReader:
    """Reads the contents of one request."""

    def __init__(self, others: dict[str, msgspec.Raw]) -> None:
        """others: where to note what the form between wires can't say."""
        self._others = others
        self._open: dict[str, deque[str]] = {}  # calls without a result yet, by the function's name
        self._made = 0
        self.messages: list[Message] = []

    def read(self, contents: list[wire.Content], raw: list[msgspec.Raw]) -> None:
        """Appends to `messages`. raw: the same contents as they came. Raises InvalidArgument."""
        for number, content in enumerate(contents):
            path = f"contents[{number}]"
            if content.role not in (None, "", wire.USER, wire.MODEL, "function", "tool"):
                raise InvalidArgument(f"{path}.role must be user or model", field=f"{path}.role")
            said: list[Part] = []
            results: list[Part] = []
            model = content.role == wire.MODEL
            for place, part in enumerate(content.parts or ()):
                where = f"{path}.parts[{place}]"
                if part.function_response is not None:
                    results.append(self._result(where, part.function_response))
                elif (found := self._part(where, part, model=model)) is not None:
                    for each in found:
                        if not (model and _continues(said, each)):
                            said.append(each)
                else:
                    self._others[where] = raw[number]
            if results:  # they answer the calls before them, so they come first
                self.messages.append(Message("tool", results, place=path))
            if said:  # clients give back what a model said even where that was nothing
                parts = f"{path}.parts" if len(said) == len(content.parts or ()) else ""
                self.messages.append(Message("assistant" if model else "user", said, place=path, parts_place=parts))

    def _part(self, path: str, part: wire.Part, *, model: bool) -> list[Part] | None:
        """What a part says; None for what can't be said."""
        if part.function_call is not None:
            return [self._call(path, part.function_call, part.thought_signature or "")]
        if part.inline_data is not None:
            found = _inline(path, part.inline_data)
        elif part.file_data is not None:
            found = _file(path, part.file_data)
        elif part.text is not None:
            return _said(part.text, part.thought_signature or "", thought=bool(part.thought), model=model)
        else:
            return None
        if wire.given(part.video_metadata):
            return None
        if wire.given(part.media_resolution):
            detail = _DETAILS.get(_level(part.media_resolution), "")
            if not isinstance(found, Image) or not detail:
                return None
            found.detail = detail
        return None if found is None else [found]

    def _call(self, path: str, call: wire.FunctionCall, signature: str) -> ToolCall:
        if not call.name:
            raise InvalidArgument(f"{path}.functionCall.name is missing", field=f"{path}.functionCall.name")
        id_ = call.id or self._id()
        self._open.setdefault(call.name, deque()).append(id_)
        arguments = bytes(call.args).decode(errors="replace") if wire.given(call.args) else "{}"
        return ToolCall(id_, call.name, arguments, signature)

    def _result(self, path: str, response: wire.FunctionResponse) -> ToolResult:
        if not response.name:
            raise InvalidArgument(f"{path}.functionResponse.name is missing", field=f"{path}.functionResponse.name")
        waiting = self._open.get(response.name)
        if response.id:
            id_ = response.id
            if waiting and id_ in waiting:
                waiting.remove(id_)
        else:
            id_ = waiting.popleft() if waiting else self._id()
        text, is_error = _output(response.response)
        parts: list[Text | Image | Document] = [Text(text)] if text else []
        for place, part in enumerate(response.parts or ()):
            where = f"{path}.functionResponse.parts[{place}]"
            found = _inline(where, part.inline_data) if part.inline_data else None
            found = _file(where, part.file_data) if part.file_data else found
            if isinstance(found, Image | Document):
                parts.append(found)
            else:
                self._others[where] = msgspec.Raw(b"{}")
        return ToolResult(id_, parts, is_error, response.name)

    def _id(self) -> str:
        self._made += 1
        return f"call_{self._made}"


def _said(text: str, signature: str, *, thought: bool, model: bool) -> list[Part]:
    if thought:
        return [thought_of(text, signature)]
    if not signature or not model:
        return [Text(text)] if text else []
    return [Text(text), thought_of("", signature)] if text else [thought_of("", signature)]


def _continues(said: list[Part], part: Part) -> bool:
    """Whether a part goes on with the one before it, and is now in it: clients keep the pieces of a stream as parts."""
    last = said[-1] if said else None
    if isinstance(last, Text) and isinstance(part, Text):
        last.text += part.text
        return True
    if not (isinstance(last, Thinking) and isinstance(part, Thinking)) or last.signature or last.redacted:
        return False
    if part.redacted or (part.text and part.signature):
        return False
    said[-1] = Thinking(last.text + part.text, part.signature, "", part.id, part.maker)
    return True


def _inline(path: str, blob: wire.Blob) -> Image | Document | Audio | None:
    kind, data = _kind(blob.mime_type), (blob.data or "").replace("-", "+").replace("_", "/")
    if not kind or not data:
        raise InvalidArgument(f"{path}.inlineData needs mimeType and data", field=f"{path}.inlineData")
    data += "=" * (-len(data) % 4)
    if kind.startswith("image/"):
        return Image(data=data, media_type=kind)
    if kind.startswith("audio/"):
        name = kind[6:]
        return Audio(data, _AUDIO_FORMATS.get(name, name))
    if kind == "text/plain":
        try:
            return Document(text=b64decode(data, validate=True).decode())
        except ValueError:
            raise InvalidArgument(f"{path}.inlineData.data must be base64", field=f"{path}.inlineData.data") from None
    if kind.startswith("video/"):
        return None
    return Document(data=data, media_type=kind)


def _file(path: str, file: wire.FileData) -> Image | Document | None:
    uri = file.file_uri or ""
    if not uri:
        raise InvalidArgument(f"{path}.fileData.fileUri is missing", field=f"{path}.fileData.fileUri")
    kind = _kind(file.mime_type) or mimetypes.guess_type(uri.partition("?")[0])[0] or _UNKNOWN
    if kind == _UNKNOWN:
        kind = "image/"  # that is what most addresses without a known ending are of
    if kind.startswith(("audio/", "video/")):
        return None
    elsewhere = not uri.startswith((FILES, "gs://", "files/"))
    if kind.startswith("image/"):
        return Image(url=uri) if elsewhere else Image(file_id=uri)
    return Document(url=uri) if elsewhere else Document(file_id=uri, media_type=kind)


def _kind(mime_type: str | None) -> str:
    return (mime_type or "").partition(";")[0].strip().lower()


def _output(raw: msgspec.Raw) -> tuple[str, bool]:
    """What a function answered, as text, and whether it failed: what stands under `output` or `error`, else all."""
    if not wire.given(raw):
        return "", False
    try:
        fields = _decode_object(raw)
    except (ValueError, RecursionError):
        return bytes(raw).decode(errors="replace"), False
    for name in ("output", "error"):
        if len(fields) == 1 and name in fields:
            value = fields[name]
            try:
                return _decode_text(value), name == "error"
            except (ValueError, RecursionError):
                return bytes(value).decode(errors="replace"), name == "error"
    return bytes(raw).decode(errors="replace"), False


def _level(raw: msgspec.Raw) -> str:
    try:
        fields = _decode_object(raw)
        return _decode_text(fields.get("level", b'""'))
    except (ValueError, RecursionError):
        return ""
