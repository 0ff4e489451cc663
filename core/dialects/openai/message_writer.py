"""Messages of the form between all wires, put for a provider.

What this wire has no field for is said in words where words mean the same:
- Messages of tools have texts alone. Images and files that a tool brought follow in a message of the user.
- A tool's failure is said before what it brought.
- A plain text as a document, and what is said about a document, are texts.

Thoughts go back to vendors that take them (core/dialects/openai/manners.py), and are left out otherwise, as are
marks of the cache where the provider caches by itself.
"""

from collections.abc import Sequence
from typing import Any, Final

from core.dialects.canonical import (
    Audio,
    CacheMark,
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
from core.dialects.openai import manners
from core.dialects.openai.reasoning_details import detail
from core.dialects.sides import Manner

FAILED: Final = "The tool failed."
_BELOW: Final = "(what it returned is in the next message)"


class MessageWriter:
    """Writes one request's messages."""

    def __init__(self, losses: Losses, manner: Manner) -> None:
        self._losses = losses
        self._marks = manners.takes_cache_marks(manner)
        self._system = "developer" if manners.knows_developers(manner) else "system"
        self._proofs = manners.takes_proofs(manner)
        self._thoughts = manners.takes_thoughts(manner)
        self._signatures = manners.takes_call_signatures(manner)
        self._lists = manners.takes_texts_in_parts(manner)
        self._file_urls = manners.takes_urls_of_files(manner)

    def write(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Raises InvalidArgument for what gets lost."""
        written: list[dict[str, Any]] = []
        for number, message in enumerate(messages):
            match message.role:
                case "tool":
                    written += self._results(message, number)
                case "assistant":
                    written.append(self._said(message, number))
                case role:
                    fields: dict[str, Any] = {"role": self._system if role == "developer" else role}
                    fields["content"] = self._content(message.parts, number)
                    if message.name:
                        fields["name"] = message.name
                    written.append(fields)
        return written

    def _said(self, message: Message, number: int) -> dict[str, Any]:
        spoken = [part for part in message.parts if not isinstance(part, Thinking | Refusal | ToolCall)]
        calls = [self._call(part) for part in message.parts if isinstance(part, ToolCall)]
        refusals = [part.text for part in message.parts if isinstance(part, Refusal)]
        content = self._content(spoken, number)
        fields: dict[str, Any] = {"role": "assistant", "content": content or (None if calls or refusals else "")}
        if message.name:
            fields["name"] = message.name
        if refusals:
            fields["refusal"] = "\n".join(refusals)
        if calls:
            fields["tool_calls"] = calls
        self._think([part for part in message.parts if isinstance(part, Thinking)], fields)
        return fields

    def _think(self, thoughts: list[Thinking], fields: dict[str, Any]) -> None:
        plain = [thought.text for thought in thoughts if thought.text and not thought.signature]
        if self._proofs and any(thought.maker for thought in thoughts):
            fields["reasoning_details"] = [detail(thought, index) for index, thought in enumerate(thoughts)]
        elif plain and self._proofs:
            fields["reasoning"] = "\n".join(plain)
        elif plain and self._thoughts:
            fields["reasoning_content"] = "\n".join(plain)

    def _call(self, call: ToolCall) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments or "{}"},
        }
        if call.signature and self._signatures:
            fields["extra_content"] = {"google": {"thought_signature": call.signature}}
        return fields

    def _results(self, message: Message, number: int) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        seen: list[Any] = []
        for result in (part for part in message.parts if isinstance(part, ToolResult)):
            texts: list[Part] = [FAILED_TEXT] if result.is_error else []
            brought: list[Part] = []
            for part in result.parts:
                is_text = isinstance(part, Text) or (isinstance(part, Document) and bool(part.text))
                (texts if is_text else brought).append(part)
            if brought:
                seen += [{"type": "text", "text": f"What the tool call {result.call_id} returned:"}]
                seen += self._parts(brought, number)
            if brought and not texts:
                texts = [Text(_BELOW)]
            content = self._content(texts, number, result.cache)
            written.append({"role": "tool", "tool_call_id": result.call_id, "content": content})
        return [*written, {"role": "user", "content": seen}] if seen else written

    def _content(self, parts: Sequence[Part], number: int, mark: CacheMark | None = None) -> str | list[Any]:
        """Texts as one text, where they can't be a list, or there is one of them. mark: of all of it."""
        texts = [part for part in parts if isinstance(part, Text)]
        marked = self._marks and (mark is not None or any(text.cache for text in texts))
        if len(texts) == len(parts) and not marked and (len(texts) == 1 or not self._lists):
            return "\n\n".join([text.text for text in texts])
        written = self._parts(parts, number)
        if written and self._marks and mark is not None:
            written[-1]["cache_control"] = _control(mark)
        return written or ""

    def _parts(self, parts: Sequence[Part], number: int) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for index, part in enumerate(parts):
            place = f"messages[{number}].content[{index}]"
            match part:
                case Text():
                    fields: dict[str, Any] | None = {"type": "text", "text": part.text}
                case Image():
                    fields = self._image(part, place)
                case Document():
                    if part.context:
                        written.append({"type": "text", "text": part.context})
                    fields = self._document(part, place)
                case Audio():
                    fields = {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
                case _:
                    continue
            if fields is None:
                continue
            if self._marks and not isinstance(part, Audio) and part.cache is not None:
                fields["cache_control"] = _control(part.cache)
            written.append(fields)
        return written

    def _image(self, image: Image, place: str) -> dict[str, Any] | None:
        if image.file_id:
            self._losses.lose(place, "images come by URL or as data")
            return None
        url: dict[str, Any] = {"url": image.url or f"data:{image.media_type};base64,{image.data}"}
        if image.detail:
            url["detail"] = image.detail
        return {"type": "image_url", "image_url": url}

    def _document(self, document: Document, place: str) -> dict[str, Any] | None:
        if document.text:
            name = f' name="{document.name}"' if document.name else ""
            return {"type": "text", "text": f"<document{name}>\n{document.text}\n</document>"}
        if document.url and not self._file_urls:
            self._losses.lose(place, "files come as data")
            return None
        file: dict[str, Any] = {}
        if document.file_id:
            file["file_id"] = document.file_id
        else:
            file["file_data"] = document.url or f"data:{document.media_type};base64,{document.data}"
        if document.name:
            file["filename"] = document.name
        elif document.data:
            file["filename"] = "document.pdf" if document.media_type == "application/pdf" else "document"
        return {"type": "file", "file": file}


FAILED_TEXT: Final = Text(FAILED)


def _control(mark: CacheMark) -> dict[str, str]:
    return {"type": "ephemeral", "ttl": mark.ttl} if mark.ttl else {"type": "ephemeral"}
