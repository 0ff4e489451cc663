"""The messages of a Chat as turns of Anthropic's wire.

    system, developer              ─► `system`; between other messages a turn of its own, for models that have such
    user, tool                     ─► one turn of the user's, with the results of tools first
    assistant                      ─► one turn of the assistant's; thoughts only where Anthropic signed them

Messages of one side in a row are one turn. Texts of white space alone are left out: the wire refuses them, and they
say nothing. Ids of calls are put into the wire's letters, and made where a wire has none; the same for the results.
"""

import hashlib
import re
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.dialects.anthropic.seals import ANTHROPIC
from core.dialects.anthropic.tools_writer import mark
from core.dialects.arguments import object_of
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

Json = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
_NO_ID = re.compile(r"[^A-Za-z0-9_-]")
# What base64 of an image begins with.
_IMAGES: Final = (("iVBOR", "image/png"), ("/9j/", "image/jpeg"), ("R0lG", "image/gif"), ("UklG", "image/webp"))


class Turns:
    """The turns of one request."""

    def __init__(self, chat: Chat, losses: Losses, *, system_turns: bool) -> None:
        """system_turns: the model takes messages of the system's between the others."""
        self._losses = losses
        self._system_turns = system_turns
        self._waiting: deque[str] = deque()  # made ids of calls whose results have none either
        self._made = 0
        self.system: list[Json] = []
        self.messages: list[Json] = []
        for number, message in enumerate(chat.messages):
            self._add(message, f"messages[{number}]")

    def _add(self, message: Message, place: str) -> None:
        if message.name:
            self._losses.lose(f"{place}.name", "it has no names of those who speak")
        blocks: list[Json] = []
        for number, part in enumerate(message.parts):
            block = self._block(part, f"{place}.content[{number}]")
            if block is not None:
                blocks.append(block)
        if not blocks:
            return
        if message.role in ("system", "developer"):
            self._instruct(blocks)
        elif message.role == "assistant":
            self._say("assistant", blocks)
        else:
            self._ask(blocks)

    def _instruct(self, blocks: list[Json]) -> None:
        last = self.messages[-1]["role"] if self.messages else ""
        if self._system_turns and last in ("user", "system"):
            self._say("system", blocks)
        else:
            self.system += blocks

    def _ask(self, blocks: list[Json]) -> None:
        if self.messages and self.messages[-1]["role"] == "system":  # which stands only at the end of a user's turn
            instructions = self.messages.pop()
            self._ask(blocks)
            self.messages.append(instructions)
            return
        self._say("user", blocks)
        content: list[Json] = self.messages[-1]["content"]
        content.sort(key=_is_no_result)

    def _say(self, role: str, blocks: list[Json]) -> None:
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _block(self, part: Part, place: str) -> Json | None:
        match part:
            case Text():
                return mark({"type": "text", "text": part.text}, part.cache) if part.text.strip() else None
            case ToolCall():
                call_id = self._call_id(part.id)
                called = {
                    "type": "tool_use",
                    "id": call_id,
                    "name": part.name,
                    "input": object_of(part.arguments or "{}"),
                }
                return mark(called, part.cache)
            case ToolResult():
                return self._result(part, place)
            case Thinking():
                return _thought(part)
            case Image():
                return self._image(part, place)
            case Document():
                return self._document(part, place)
            case Refusal():
                return {"type": "text", "text": part.text} if part.text.strip() else None
            case Audio():
                self._losses.lose(place, "it does not listen")
                return None

    def _result(self, part: ToolResult, place: str) -> Json:
        call_id = _clean(part.call_id) if part.call_id else self._waiting.popleft() if self._waiting else "toolu_0"
        content = self._contents(part.parts, place)
        block: Json = {"type": "tool_result", "tool_use_id": call_id}
        if content:
            block["content"] = content
        if part.is_error:
            block["is_error"] = True
        return mark(block, part.cache)

    def _contents(self, parts: Sequence[Text | Image | Document], place: str) -> list[Json]:
        found = [self._block(part, f"{place}.content[{number}]") for number, part in enumerate(parts)]
        return [block for block in found if block is not None]

    def _call_id(self, given: str) -> str:
        if given:
            return _clean(given)
        self._made += 1
        made = f"toolu_{self._made}"
        self._waiting.append(made)
        return made

    def _image(self, part: Image, place: str) -> Json:
        if part.detail == "low":
            self._losses.lose(f"{place}.detail", "it looks at images in one way")
        if part.url:
            source: Json = {"type": "url", "url": part.url}
        elif part.file_id:
            source = {"type": "file", "file_id": part.file_id}
        else:
            source = {"type": "base64", "media_type": part.media_type or _image_type(part.data), "data": part.data}
        return mark({"type": "image", "source": source}, part.cache)

    def _document(self, part: Document, place: str) -> Json | None:
        if part.url:
            source: Json = {"type": "url", "url": part.url}
        elif part.file_id:
            source = {"type": "file", "file_id": part.file_id}
        elif part.text:
            source = {"type": "text", "media_type": "text/plain", "data": part.text}
        elif part.media_type in ("", "application/pdf"):
            source = {"type": "base64", "media_type": "application/pdf", "data": part.data}
        elif part.media_type.startswith("text/") and (text := _plain(part.data)) is not None:
            source = {"type": "text", "media_type": "text/plain", "data": text}
        else:
            self._losses.lose(place, f"it reads PDF and plain text, not {part.media_type[:100]}")
            return None
        block: Json = {"type": "document", "source": source}
        if part.name:
            block["title"] = part.name
        if part.context:
            block["context"] = part.context
        return mark(block, part.cache)


def _thought(part: Thinking) -> Json | None:
    if part.maker != ANTHROPIC:
        return None
    if part.redacted:
        return {"type": "redacted_thinking", "data": part.redacted}
    if not part.signature:
        return None
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _is_no_result(block: Json) -> bool:
    return block["type"] != "tool_result"


def _clean(call_id: str) -> str:
    """An id in the wire's letters, another one for each other one."""
    if _ID.fullmatch(call_id):
        return call_id
    short = hashlib.sha256(call_id.encode()).hexdigest()[:12]
    return f"{_NO_ID.sub('_', call_id)[:64]}_{short}"


def _image_type(data: str) -> str:
    return next((kind for start, kind in _IMAGES if data.startswith(start)), "image/png")


def _plain(data: str) -> str | None:
    try:
        return msgspec.convert(data, bytes).decode()
    except (msgspec.ValidationError, UnicodeDecodeError):
        return None
