"""Chat → the body of a request to a provider that speaks the Responses wire.

Nothing is left in the provider's store: the conversation is in the request, and thoughts come and go encrypted.
Marks of the prompt cache are left out: this wire's providers cache by themselves. Thoughts of other makers too.
A tool's failure is said before what it brought, and what is said about a document before it: in words, for the wire
has no fields for them.
"""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from core.dialects.canonical import (
    NO_JSON,
    Audio,
    Chat,
    Document,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from core.dialects.effort import effort_of
from core.dialects.losses import Losses
from core.dialects.responses.thoughts import MAKER
from core.dialects.responses.tools import written_choice, written_tools
from core.dialects.sides import Manner

_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_LEAST_OUTPUT = 16  # OpenAI refuses less
_FAILED = "The tool failed."
_LOST = ("top_k", "stop", "seed", "presence_penalty", "frequency_penalty", "logit_bias")

_encode = msgspec.json.Encoder().encode


def write_chat(chat: Chat, losses: Losses, manner: Manner) -> bytes:
    """The body of a request."""
    del manner
    for name in _LOST:
        value = getattr(chat, name)
        if value is not None and value != [] and value != NO_JSON:
            losses.lose(name)
    if chat.n is not None and chat.n != 1:
        losses.lose("n", "it makes one answer")
    body: dict[str, Any] = {"model": chat.model}
    instructions, rest = _instructions(chat)
    if instructions:
        body["instructions"] = instructions
    body["input"] = _Input(losses, len(chat.messages) - len(rest)).items(rest)
    if chat.stream:
        body["stream"] = True
    body["store"] = False
    includes: list[str] = []
    if chat.tools:
        body["tools"] = written_tools(chat)
    if chat.tool_choice is not None:
        body["tool_choice"] = written_choice(chat.tool_choice)
    if chat.reasoning is not None and (told := _reasoning(chat)):
        body["reasoning"] = told
        if told.get("effort") != "none":  # models that don't think refuse it
            includes.append(_ENCRYPTED)
    if chat.logprobs or chat.top_logprobs:
        includes.append(_LOGPROBS)
    if includes:
        body["include"] = includes
    if text := _text(chat):
        body["text"] = text
    if chat.max_output is not None:
        body["max_output_tokens"] = max(chat.max_output, _LEAST_OUTPUT)
    plain = {
        "parallel_tool_calls": chat.parallel_tool_calls,
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "top_logprobs": chat.top_logprobs,
        "safety_identifier": chat.user or None,
        "metadata": chat.metadata or None,
        "service_tier": chat.service_tier or None,
        "prompt_cache_key": chat.cache_key or None,
    }
    body |= {name: value for name, value in plain.items() if value is not None}
    return _encode(body)


def _instructions(chat: Chat) -> "tuple[str, Sequence[Any]]":
    """What the application says first, and the messages behind it."""
    first = chat.messages[0] if chat.messages else None
    if first is None or first.role != "system" or first.name or len(first.parts) != 1:
        return "", chat.messages
    part = first.parts[0]
    return (part.text, chat.messages[1:]) if isinstance(part, Text) else ("", chat.messages)


def _reasoning(chat: Chat) -> dict[str, str]:
    told = chat.reasoning
    assert told is not None
    written: dict[str, str] = {}
    if told.effort is not None:
        written["effort"] = told.effort
    elif told.budget is not None and told.budget >= 0:  # less leaves it to the model, and so does silence
        written["effort"] = effort_of(told.budget)
    if told.shown:
        written["summary"] = "auto"
    return written


def _text(chat: Chat) -> dict[str, Any]:
    text: dict[str, Any] = {}
    form = chat.format
    if form is not None:
        match form.kind:
            case "text":
                text["format"] = {"type": "text"}
            case "json":
                text["format"] = {"type": "json_object"}
            case "schema":
                written: dict[str, Any] = {"type": "json_schema", "name": form.name or "answer"}
                if form.description:
                    written["description"] = form.description
                if form.strict is not None:
                    written["strict"] = form.strict
                text["format"] = {**written, "schema": form.schema}
    if chat.verbosity:
        text["verbosity"] = chat.verbosity
    return text


class _Input:
    """Writes the conversation as items."""

    def __init__(self, losses: Losses, before: int) -> None:
        """before: how many messages are not among these."""
        self._losses = losses
        self._before = before
        self._items: list[dict[str, Any]] = []

    def items(self, messages: Sequence[Any]) -> list[dict[str, Any]]:
        """The items of these messages."""
        for number, message in enumerate(messages, self._before):
            if message.name:
                self._losses.lose(f"messages[{number}].name")
            match message.role:
                case "assistant":
                    self._assistant(message.parts)
                case "tool":
                    self._items += [self._result(part) for part in message.parts if isinstance(part, ToolResult)]
                case role:
                    place = f"messages[{number}].content"
                    content = self._content(message.parts, place)
                    self._items.append({"type": "message", "role": role, "content": content})
        return self._items

    def _assistant(self, parts: Sequence[Part]) -> None:
        said = [part for part in parts if isinstance(part, Text | Refusal)]
        content: list[dict[str, Any]] = []
        for part in parts:
            match part:
                case Text() if len(said) == 1:  # as a text it needs no id, which a list of parts would
                    self._items.append({"type": "message", "role": "assistant", "content": part.text})
                case Text():
                    self._into(content, {"type": "output_text", "text": part.text, "annotations": []})
                case Refusal():
                    self._into(content, {"type": "refusal", "refusal": part.text})
                case Thinking() if part.maker == MAKER and part.redacted:
                    content = []
                    item: dict[str, Any] = {"type": "reasoning"}
                    if part.id:
                        item["id"] = part.id
                    item["summary"] = [{"type": "summary_text", "text": part.text}] if part.text else []
                    self._items.append({**item, "encrypted_content": part.redacted})
                case ToolCall():
                    content = []
                    call = {"type": "function_call", "call_id": part.id, "name": part.name}
                    self._items.append({**call, "arguments": part.arguments})
                case _:
                    pass

    def _into(self, content: list[dict[str, Any]], part: dict[str, Any]) -> None:
        """Adds to the message that goes on, or begins one."""
        if not content:
            self._items.append({"type": "message", "role": "assistant", "content": content})
        content.append(part)

    def _result(self, result: ToolResult) -> dict[str, Any]:
        parts: list[Part] = [Text(_FAILED), *result.parts] if result.is_error else [*result.parts]
        only = parts[0] if len(parts) == 1 else None
        output: Any = only.text if isinstance(only, Text) else self._content(parts, "messages") or ""
        return {"type": "function_call_output", "call_id": result.call_id, "output": output}

    def _content(self, parts: Sequence[Part], place: str) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = []
        for part in parts:
            match part:
                case Text():
                    content.append({"type": "input_text", "text": part.text})
                case Image():
                    content.append(_image(part))
                case Document():
                    if part.context:
                        content.append({"type": "input_text", "text": part.context})
                    content.append(_document(part))
                case Audio():
                    self._losses.lose(place, "it takes no audio")
                case _:
                    pass
        return content


def _document(part: Document) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "input_file"}
    if part.url:
        made["file_url"] = part.url
    elif part.file_id:
        made["file_id"] = part.file_id
    else:
        media_type, data = part.media_type or "application/pdf", part.data
        if part.text:
            media_type, data = "text/plain", base64.b64encode(part.text.encode()).decode()
        made["file_data"] = f"data:{media_type};base64,{data}"
    if part.name:
        made["filename"] = part.name
    elif "file_data" in made:
        made["filename"] = "document.txt" if part.text else "document.pdf"  # OpenAI wants one
    return made


def _image(part: Image) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "input_image", "detail": part.detail or "auto"}  # which is to be said
    if part.file_id:
        made["file_id"] = part.file_id
    else:
        made["image_url"] = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
    return made
