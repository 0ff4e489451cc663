"""The conversation: messages of the one form → Bedrock's messages and its system prompt.

Not lost, since the meaning stays: instructions are hoisted to `system`, messages of one role that follow each other
are merged, texts without a character that can be seen are left out (they are refused), ids of calls are made anew
where their characters or their length are not allowed. Marks of the prompt cache are hints, and left out for models
that don't take them.
"""

import hashlib
import re
from typing import Final

import msgspec

from core.dialects.arguments import object_or_empty
from core.dialects.bedrock import media
from core.dialects.bedrock.converse import Json
from core.dialects.bedrock.families import Family
from core.dialects.canonical import (
    Audio,
    CacheMark,
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

_CALL_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_encode = msgspec.json.Encoder().encode


class Conversation:
    """Bedrock's system prompt and messages, as they grow."""

    def __init__(self, chat: Chat, family: Family, losses: Losses) -> None:
        """Raises InvalidArgument."""
        self.system: list[Json] = []
        self.messages: list[Json] = []
        self.called: dict[str, None] = {}  # names of the tools that were called
        self._family = family
        self._losses = losses
        self._documents: set[str] = set()
        self._waiting: list[tuple[str, str]] = []  # name and id of the calls that came without an id
        self._unnamed = 0  # how many those were
        self._last: list[Json] = []  # the content of the last message
        for number, message in enumerate(chat.messages):
            self._add(message, f"messages[{number}]")

    def _add(self, message: Message, path: str) -> None:
        if message.role in ("system", "developer"):
            for index, part in enumerate(message.parts):
                self._instruct(part, f"{path}.content[{index}]")
            return
        role = "assistant" if message.role == "assistant" else "user"
        blocks: list[Json] = []
        for index, part in enumerate(message.parts):
            block = self._block(part, f"{path}.content[{index}]")
            if block is not None:
                blocks.append(block)
            if blocks:
                self._mark(_cache_of(part), blocks, tool=isinstance(part, ToolResult | ToolCall))
        if message.name and blocks:
            self._losses.lose(f"{path}.name", "only roles are told there")
        if not blocks:
            return
        if self.messages and self.messages[-1]["role"] == role:
            self._last += blocks
        else:
            self._last = blocks
            self.messages.append({"role": role, "content": blocks})

    def _instruct(self, part: Part, path: str) -> None:
        if not isinstance(part, Text):
            self._losses.lose(path, "instructions are text")
            return
        if part.text.strip():
            self.system.append({"text": part.text})
        if self.system:
            self._mark(part.cache, self.system)

    def _mark(self, cache: CacheMark | None, blocks: list[Json], *, tool: bool = False) -> None:
        """Marks what was said so far for the cache, once."""
        if cache is None or not self._family.caches or "cachePoint" in blocks[-1]:
            return
        if not tool or self._family.caches_tools:
            blocks.append(cache_point(cache))

    def _block(self, part: Part, path: str) -> Json | None:
        match part:
            case Text() | Refusal():
                return {"text": part.text} if part.text.strip() else None
            case Image():
                return media.image(part, self._losses, path)
            case Document():
                return media.document(part, self._documents, self._losses, path)
            case Audio():
                return media.audio(part, self._losses, path)
            case Thinking():
                return _thought(part) if part.maker in self._family.makers else None
            case ToolCall():
                return self._call(part)
            case ToolResult():
                return self._result(part, path)

    def _call(self, call: ToolCall) -> Json:
        self.called[call.name] = None
        if call.id:
            call_id = _allowed(call.id)
        else:
            self._unnamed += 1
            call_id = f"unnamed_{self._unnamed}"
            self._waiting.append((call.name, call_id))
        use: Json = {"toolUseId": call_id, "name": call.name, "input": object_or_empty(call.arguments)}
        return {"toolUse": use}

    def _result(self, result: ToolResult, path: str) -> Json:
        content: list[Json] = []
        for index, part in enumerate(result.parts):
            block = self._block(part, f"{path}.content[{index}]")
            if block is not None:
                content.append(block)
        call_id = _allowed(result.call_id) if result.call_id else self._waiting_for(result.name)
        said: Json = {"toolUseId": call_id, "content": content}
        if result.is_error:
            said["status"] = "error"
        return {"toolResult": said}

    def _waiting_for(self, name: str) -> str:
        """The id of the call that a result without one belongs to: the first of its name, else the first."""
        if not self._waiting:
            return "unnamed"
        number = next((number for number, (called, _) in enumerate(self._waiting) if called == name), 0)
        return self._waiting.pop(number)[1]


def cache_point(cache: CacheMark) -> Json:
    """The block that marks what stands before it."""
    point: Json = {"type": "default"}
    if cache.ttl:
        point["ttl"] = cache.ttl
    return {"cachePoint": point}


def _cache_of(part: Part) -> CacheMark | None:
    """The mark behind a part. One on a piece of a tool's result is taken to be behind the whole: it can't be inside."""
    match part:
        case Text() | Image() | Document() | ToolCall():
            return part.cache
        case ToolResult():
            return part.cache or next((inner.cache for inner in reversed(part.parts) if inner.cache), None)
        case _:
            return None


def _thought(part: Thinking) -> Json | None:
    if part.redacted:
        return {"reasoningContent": {"redactedContent": part.redacted}}
    if not part.signature:
        return None
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}


def _allowed(call_id: str) -> str:
    """An id of a call in the characters and the length that are allowed; the same for the same."""
    if _CALL_ID.fullmatch(call_id):
        return call_id
    return f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:32]}"
