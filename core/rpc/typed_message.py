"""The messages of a typed chat, put into the form between all wires. They have been made JSON of, so they are valid.

Consecutive results of tools are one turn there. Where each message came from is remembered, for the words about
what a provider can't do.
"""

import base64
from collections.abc import Iterable, Sequence
from typing import cast

from core.dialects.canonical import (
    Audio,
    CacheMark,
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from core.dialects.openai import body
from core.dialects.openai.part_reader import data_url, read_part
from core.rpc.message_check import ROLES, has_results
from core.rpc.request_body import wrong
from llmrouter.v1 import router_pb2 as pb


class MessageReader:
    """Reads one request's messages."""

    def __init__(self) -> None:
        self.places: list[str] = []  # path of each message that was made, or of the list of its parts
        self._names: dict[str, str] = {}  # call → name of its tool

    def read(self, messages: Iterable[pb.ChatMessage], path: str) -> list[Message]:
        """path: of the list in the request. Raises InvalidArgument."""
        made: list[Message] = []
        for index, message in enumerate(messages):
            where = f"{path}[{index}]"
            role = cast("Role", ROLES[message.role])
            if role != "tool":
                self._place(message, where)
                parts = self._said(message, where) if role == "assistant" else self._content(message, where)
                made.append(Message(role, parts, message.name))
                continue
            results = self._results(message, where)
            if made and made[-1].role == "tool":
                made[-1].parts += results
            else:
                self._place(message, where)
                made.append(Message(role, [*results]))
        return made

    def _place(self, message: pb.ChatMessage, where: str) -> None:
        if message.HasField("in_order"):
            where = f"{where}.in_order.parts"
        elif message.role != pb.ROLE_ASSISTANT and message.HasField("parts"):
            where = f"{where}.parts.parts"
        self.places.append(where)

    def _said(self, message: pb.ChatMessage, where: str) -> list[Part]:
        if message.HasField("in_order"):
            return self._parts(message.in_order.parts, f"{where}.in_order.parts")
        parts: list[Part] = [_thinking(each) for each in message.thinking]
        if not parts and message.reasoning:
            parts.append(Thinking(text=message.reasoning))
        parts += self._content(message, where)
        if message.refusal:
            parts.append(Refusal(message.refusal))
        return parts + [self._call(call) for call in message.tool_calls]

    def _content(self, message: pb.ChatMessage, where: str) -> list[Part]:
        if message.HasField("parts"):
            return self._parts(message.parts.parts, f"{where}.parts.parts")
        return [Text(message.text, _mark(message))] if message.text else []

    def _results(self, message: pb.ChatMessage, where: str) -> list[ToolResult]:
        if has_results(message):
            where = f"{where}.parts.parts"
            return [
                self._result(part.tool_result, f"{where}[{index}].tool_result")
                for index, part in enumerate(message.parts.parts)
            ]
        if not message.tool_call_id:
            raise wrong(f"{where}.tool_call_id", "must be set")
        result = ToolResult(
            message.tool_call_id,
            is_error=message.is_error,
            name=message.name or self._names.get(message.tool_call_id, ""),
            cache=_mark(message),
        )
        if message.HasField("parts"):
            result.parts = _returned(self._parts(message.parts.parts, f"{where}.parts.parts"), f"{where}.parts.parts")
        else:
            result.parts = [Text(message.text)] if message.text else []
        return [result]

    def _result(self, result: pb.ToolResult, where: str) -> ToolResult:
        parts = _returned(self._parts(result.parts, f"{where}.parts"), f"{where}.parts")
        name = result.name or self._names.get(result.call_id, "")
        return ToolResult(result.call_id, parts, result.is_error, name, _mark(result))

    def _parts(self, parts: Iterable[pb.ContentPart], where: str) -> list[Part]:
        found = [self._part(part, f"{where}[{index}]") for index, part in enumerate(parts)]
        return [part for part in found if not isinstance(part, Text) or part.text]

    def _part(self, part: pb.ContentPart, where: str) -> Part:
        mark = _mark(part)
        match part.WhichOneof("part"):
            case "text":
                return Text(part.text, mark)
            case "image":
                return _image(part.image, mark, f"{where}.image")
            case "file":
                return _document(part.file, mark, where)
            case "audio":
                return Audio(_base64(part.audio.data), part.audio.format)
            case "thinking":
                return _thinking(part.thinking)
            case "refusal":
                return Refusal(part.refusal)
            case "tool_call":
                return self._call(part.tool_call)
            case _:
                raise wrong(where, "must be text, image, audio or file")

    def _call(self, call: pb.ToolCall) -> ToolCall:
        self._names[call.id] = call.name
        return ToolCall(call.id, call.name, call.arguments_json, call.signature, _mark(call))


def _thinking(thought: pb.Thought) -> Thinking:
    return Thinking(thought.text, thought.signature, thought.redacted_data, thought.id, thought.maker)


def _image(image: pb.ImagePart, mark: CacheMark | None, where: str) -> Image:
    if image.url[:5].lower() == "data:":
        media_type, data = data_url(image.url, f"{where}.url")
        return Image(data=data, media_type=media_type, detail=image.detail, cache=mark)
    return Image(
        url=image.url,
        data=_base64(image.data),
        media_type=image.media_type,
        file_id=image.file_id,
        detail=image.detail,
        cache=mark,
    )


def _document(file: pb.FilePart, mark: CacheMark | None, where: str) -> Document:
    if file.file_data and not file.file_id:
        sent = body.File(file_data=file.file_data, filename=file.filename)
        document = read_part(body.Part(type="file", file=sent), where)
        assert isinstance(document, Document)
        document.context, document.cache = file.context, mark
        return document
    return Document(
        url=file.url,
        data=_base64(file.data),
        media_type=file.media_type,
        text=file.text,
        file_id=file.file_id,
        name=file.filename,
        context=file.context,
        cache=mark,
    )


def _returned(parts: Sequence[Part], where: str) -> list[Text | Image | Document]:
    """What a tool can return. Raises InvalidArgument."""
    found: list[Text | Image | Document] = []
    for index, part in enumerate(parts):
        if not isinstance(part, Text | Image | Document):
            raise wrong(f"{where}[{index}]", "must be text, image or file: a tool returns nothing else")
        found.append(part)
    return found


def _mark(marks: pb.ContentPart | pb.ChatMessage | pb.ToolCall | pb.ToolResult) -> CacheMark | None:
    return CacheMark(marks.cache.ttl) if marks.HasField("cache") else None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
