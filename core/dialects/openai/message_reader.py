"""The messages of a caller's chat completion, put into the form between all wires.

Consecutive messages of tools are one turn there. The deprecated functions have no ids; they get some here, so
that a result is found by its call on wires that ask for it.
"""

from collections.abc import Sequence
from typing import cast

import msgspec

from core.dialects.canonical import (
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
from core.dialects.openai.part_reader import read_part
from core.dialects.openai.reasoning_details import Detail, call_signatures, read_details
from core.errors import InvalidArgument

_SPEAKERS = ("system", "developer", "user", "assistant")


class MessageReader:
    """Reads one request's messages; `others` are the parts that the form can't say."""

    def __init__(self) -> None:
        self.others: dict[str, msgspec.Raw] = {}
        self._called: dict[str, str] = {}  # function → id of its last call
        self._names: dict[str, str] = {}  # call → name of its tool

    def read(self, found: Sequence[body.Message]) -> list[Message]:
        """Raises InvalidArgument."""
        messages: list[Message] = []
        for number, message in enumerate(found):
            place = f"messages[{number}]"
            if message.role in ("tool", "function"):
                result = self._result(message, place)
                if messages and messages[-1].role == "tool":
                    messages[-1].parts.append(result)
                    messages[-1].ends_at(place)
                else:
                    messages.append(Message(role="tool", parts=[result], place=place))
            elif message.role in _SPEAKERS:
                parts = self._said(message, place) if message.role == "assistant" else self._parts(message, place)
                same = isinstance(message.content, list) and len(parts) == len(message.content)
                where = f"{place}.content" if same else ""
                messages.append(Message(cast("Role", message.role), parts, message.name or "", place, where))
            else:
                raise InvalidArgument(
                    f"{place}.role: must be one of {', '.join(_SPEAKERS)}, tool", field=f"{place}.role"
                )
        return messages

    def _result(self, message: body.Message, place: str) -> ToolResult:
        call_id, name = message.tool_call_id or "", message.name or ""
        if message.role == "function":
            call_id = self._called.get(name, "")
        elif not call_id:
            raise InvalidArgument(f"{place}.tool_call_id is missing", field=f"{place}.tool_call_id")
        parts: list[Text | Image | Document] = []
        mark = None
        for number, part in enumerate(self._parts(message, place)):
            if not isinstance(part, Text | Image | Document):
                field = f"{place}.content[{number}]"
                raise InvalidArgument(f"{field}: a tool answers with text, images and files", field=field)
            mark, part.cache = part.cache or mark, None  # what is marked is the whole result
            parts.append(part)
        return ToolResult(call_id=call_id, parts=parts, name=name or self._names.get(call_id, ""), cache=mark)

    def _said(self, message: body.Message, place: str) -> list[Part]:
        """Thoughts, words, calls: in this order, as the wire has no other."""
        details = _details(message, place)
        calls = message.tool_calls or []
        signatures = call_signatures(details, [call.id for call in calls if call.id])
        parts: list[Part] = [
            one.thinking() for one in details if (one.said or one.is_proof) and one.id not in signatures
        ]
        if not parts and (thought := message.reasoning_content or message.reasoning):
            parts.append(Thinking(text=thought))
        parts += self._parts(message, place)
        if message.refusal:
            parts.append(Refusal(message.refusal))
        if message.audio is not None:
            self.others[f"{place}.audio"] = msgspec.Raw(b"{}")
        for number, call in enumerate(calls):
            if call.function is None:
                self.others[f"{place}.tool_calls[{number}]"] = msgspec.Raw(msgspec.json.encode(call.type or ""))
                continue
            id_ = call.id or ""
            extra = call.extra_content.google if call.extra_content is not None else None
            signature = (extra.thought_signature if extra is not None else None) or signatures.get(id_, "")
            self._names[id_] = call.function.name
            parts.append(ToolCall(id_, call.function.name, call.function.arguments, signature))
        if (function := message.function_call) is not None:
            id_ = f"call_{place[9:-1]}"
            self._called[function.name], self._names[id_] = id_, function.name
            parts.append(ToolCall(id_, function.name, function.arguments))
        return parts

    def _parts(self, message: body.Message, place: str) -> list[Part]:
        content = message.content
        if content is None or isinstance(content, str):
            return [Text(content)] if content else []
        parts: list[Part] = []
        for number, part in enumerate(content):
            where = f"{place}.content[{number}]"
            found = read_part(part, where)
            if found is None:
                self.others[where] = msgspec.Raw(msgspec.json.encode(part.type))
            elif not isinstance(found, Text) or found.text:
                parts.append(found)
        return parts


def _details(message: body.Message, place: str) -> list[Detail]:
    try:
        return read_details(message.reasoning_details)
    except msgspec.DecodeError:
        field = f"{place}.reasoning_details"
        raise InvalidArgument(f"{field}: must be a list of objects with a type", field=field) from None
