"""The conversation: messages of the one form → Ollama's messages.

A message there has one text and some images beside it. Not lost, since the meaning stays: several texts become one,
with a blank line between, as Ollama itself puts messages of one role together; a document that is text becomes a
part of it; results of tools get messages of their own; `developer` is `system`. That a tool failed is told in
front of what it said.
Marks of the prompt cache are hints, and there they are not needed.
"""

from base64 import b64decode
from collections.abc import Iterator
from typing import Final

import msgspec

from core.dialects.arguments import object_or_empty
from core.dialects.canonical import (
    Audio,
    Chat,
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from core.dialects.losses import Losses
from core.dialects.ollama.chat import MAKER
from core.errors import InvalidArgument

Json = dict[str, object]
"""A JSON object on its way out."""

_BETWEEN: Final = "\n\n"
_FAILED: Final = "The tool failed:"
_encode = msgspec.json.Encoder().encode


def messages_of(chat: Chat, losses: Losses) -> list[Json]:
    """The messages. Raises InvalidArgument."""
    names: dict[str, str] = {}
    return [
        said
        for number, message in enumerate(chat.messages)
        for said in _messages(message, f"messages[{number}]", names, losses)
    ]


def _messages(message: Message, path: str, names: dict[str, str], losses: Losses) -> Iterator[Json]:
    """names: of the tools called so far, by the id of the call; those of the message are added."""
    if message.name:
        losses.lose(f"{path}.name", "only roles are told there")
    if message.role == "tool":
        for index, part in enumerate(message.parts):
            if isinstance(part, ToolResult):
                name = part.name or names.get(part.call_id, "")
                yield _result(part, name, f"{path}.content[{index}]", losses)
        return
    names.update({part.id: part.name for part in message.parts if isinstance(part, ToolCall) and part.id})
    said = _Said(losses)
    for index, part in enumerate(message.parts):
        said.add(part, f"{path}.content[{index}]")
    if not said.empty:
        yield said.message("system" if message.role == "developer" else message.role)


def _result(result: ToolResult, name: str, path: str, losses: Losses) -> Json:
    said = _Said(losses)
    if result.is_error:
        said.add(Text(_FAILED), path)
    for index, part in enumerate(result.parts):
        said.add(part, f"{path}.content[{index}]")
    message = said.message("tool")
    if name:
        message["tool_name"] = name
    if result.call_id:
        message["tool_call_id"] = result.call_id
    return message


class _Said:
    """One message as its parts come."""

    __slots__ = ("_calls", "_images", "_losses", "_texts", "_thoughts")

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._images: list[str] = []
        self._calls: list[Json] = []

    @property
    def empty(self) -> bool:
        return not (self._texts or self._thoughts or self._images or self._calls)

    def message(self, role: str) -> Json:
        said: Json = {"role": role, "content": _BETWEEN.join(self._texts)}
        if self._thoughts:
            said["thinking"] = _BETWEEN.join(self._thoughts)
        if self._images:
            said["images"] = self._images
        if self._calls:
            said["tool_calls"] = self._calls
        return said

    def add(self, part: Part, path: str) -> None:
        """Raises InvalidArgument."""
        match part:
            case Text() | Refusal():
                self._texts.append(part.text)
            case Image():
                self._image(part, path)
            case Document():
                self._document(part, path)
            case Audio():
                self._losses.lose(path, "there is no sound there")
            case Thinking():
                if part.maker == MAKER and part.text:
                    self._thoughts.append(part.text)
            case ToolCall():
                self._call(part)
            case ToolResult():
                self._losses.lose(path, "results of tools have messages of their own")

    def _image(self, part: Image, path: str) -> None:
        if part.detail not in ("", "auto"):
            self._losses.lose(f"{path}.detail", "the model decides")
        if part.data:
            self._images.append(part.data)
        else:
            self._losses.lose(path, "images must be in the request")

    def _document(self, part: Document, path: str) -> None:
        text = part.text
        if not text and part.media_type.startswith("text/"):
            try:
                text = b64decode(part.data, validate=True).decode()
            except ValueError:
                raise InvalidArgument(f"{path}: the document is not base64 of a text", field=path) from None
        if not text:
            self._losses.lose(path, "documents must be plain text")
            return
        self._texts.append(_BETWEEN.join(filter(None, (part.name, part.context, text))))

    def _call(self, call: ToolCall) -> None:
        function: Json = {
            "index": len(self._calls),
            "name": call.name,
            "arguments": object_or_empty(call.arguments),
        }
        self._calls.append({"id": call.id, "function": function} if call.id else {"function": function})
