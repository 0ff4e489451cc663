"""A caller's request of the Responses wire → Chat.

    instructions, input                 messages
    reasoning, function_call            parts of the model's turn that they are next to
    function_call_output                one message of tools for each turn
    tools: function, custom             tools; a custom one as a function of one text
    tools of OpenAI's own, background …  others

What clients send back of an answer and no other model has a use for is left out without a word: the `phase` of a
message, the `annotations` of its parts, ids and states of items.

`store` is the router's own business (core/routing/responses.py). What the API has by default, such as
truncation "disabled", is no wish.

Codex must work with any provider and without special headers, so what it always sends is a hint (Chat.hints):
one call of a tool at a time, how much to think, verbosity, what it tells of itself in client_metadata, and what
tools.py says.
"""

from typing import Any, Final

import msgspec

from core.dialects.canonical import (
    Chat,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from core.dialects.request import Request
from core.dialects.responses import items
from core.dialects.responses.asked import INPUT, Asked
from core.dialects.responses.items import Item
from core.dialects.responses.request import PREVIOUS
from core.dialects.responses.thoughts import OF_CALL
from core.dialects.responses.tools import hints_of, read_choice, read_tools
from core.dialects.responses.wishes import Wishes, format_of, read_wishes
from core.errors import InvalidArgument

NULL: Final = b"null"

# Handled by the router, said otherwise, or repeated in the response and of no other effect.
_HANDLED: Final = frozenset({
    *("model", "input", "instructions", "stream", "store", "background", "conversation", PREVIOUS),
    *("tools", "tool_choice", *Wishes.__struct_fields__),
})  # fmt: skip
_ECHOED: Final = (
    *("instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", PREVIOUS),
    *("prompt_cache_key", "safety_identifier", "temperature", "text", "tool_choice", "tools"),
    *("top_logprobs", "top_p", "truncation", "user"),
)
# What has no effect where it says this, or says nothing: the default of the API.
_IDLE: Final = {
    "truncation": (b'"disabled"',),
    "prompt_cache_retention": (b'"in_memory"', b'"in-memory"'),
    "context_management": (b"[]",),
    "include": (b"[]",),
}
_HINTS: Final = ("parallel_tool_calls", "reasoning", "verbosity", "client_metadata")
_NO_EFFECT: Final = frozenset({"reasoning.encrypted_content"})  # always there for what a maker reads again
_LOGPROBS: Final = "message.output_text.logprobs"

_decode_input = msgspec.json.Decoder(str | list[Item] | None).decode
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_names = msgspec.json.Decoder(list[str]).decode
_decode_text = msgspec.json.Decoder(str | None).decode


def read_chat(request: Request) -> Chat:
    """What a request asks for. Raises InvalidArgument."""
    fields = request.fields
    others: dict[str, msgspec.Raw] = {}
    tools, custom = read_tools(fields.get("tools"), others)
    hints = (*_HINTS, *hints_of(tools, others))
    wishes = read_wishes(fields)
    choice, tools = read_choice(fields.get("tool_choice"), tools, others)
    included = _take_others(fields, others)
    logprobs = included or bool(wishes.top_logprobs) or None
    named: dict[str, str] = {}
    if wishes.top_logprobs and not included:
        named["logprobs"] = "top_logprobs"
    if wishes.user and not wishes.safety_identifier:
        named["user"] = "user"
    messages = _messages(fields, others)
    if not messages and "prompt" not in others:
        raise InvalidArgument("input: at least one item, or a text", field="input")
    user = wishes.safety_identifier or wishes.user or ""
    if wishes.user and wishes.user != user:
        others["user"] = fields["user"]
    echo = {name: fields[name] for name in _ECHOED if name in fields}
    return Asked(
        model=request.model,
        messages=messages,
        stream=request.streamed,
        include_usage=request.streamed,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=wishes.parallel_tool_calls,
        reasoning=_reasoning(wishes, others),
        format=format_of(wishes),
        max_output=wishes.max_output(),
        temperature=wishes.temperature,
        top_p=wishes.top_p,
        logprobs=logprobs,
        top_logprobs=wishes.top_logprobs or None,
        verbosity=(wishes.text.verbosity or "") if wishes.text else "",
        user=user,
        metadata=wishes.metadata or {},
        service_tier=wishes.service_tier or "",
        cache_key=wishes.prompt_cache_key or "",
        others=others,
        named=named,
        hints=hints,
        answer_id=request.answer_id,
        store=bytes(fields.get("store", b"true")) != b"false",
        echo=echo,
        custom=custom,
    )


def _reasoning(wishes: Wishes, others: dict[str, msgspec.Raw]) -> Reasoning | None:
    told = wishes.reasoning
    if told is None:
        return None
    shown = True if told.summary or told.generate_summary else None
    for name, raw in (told.others or {}).items():
        others[f"reasoning.{name}"] = raw
    if told.effort is None and told.max_tokens is None and shown is None:
        return None
    if told.effort is not None and told.max_tokens is not None:
        raise InvalidArgument("reasoning: either effort or max_tokens", field="reasoning.max_tokens")
    return Reasoning(effort=told.effort, budget=told.max_tokens, shown=shown)


def _take_others(fields: dict[str, msgspec.Raw], others: dict[str, msgspec.Raw]) -> bool:
    """Puts aside what only the wire's own providers know; returns whether log probabilities are asked for."""
    logprobs = False
    for name, raw in fields.items():
        if name in _HANDLED or bytes(raw) == NULL or bytes(raw) in _IDLE.get(name, ()):
            continue
        if name == "include":
            for number, wish in enumerate(_includes(raw)):
                if wish == _LOGPROBS:
                    logprobs = True
                elif wish not in _NO_EFFECT:
                    others[f"include[{number}]"] = msgspec.Raw(msgspec.json.encode(wish))
        elif name == "stream_options":
            if b'"include_obfuscation":true' in bytes(raw).replace(b" ", b""):
                others["stream_options.include_obfuscation"] = raw
        else:
            others[name] = raw
    return logprobs


def _includes(raw: msgspec.Raw) -> list[str]:
    try:
        return _decode_names(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidArgument("include must be a list of strings", field="include") from None


# ── The conversation ──────────────────────────────────────────────────────────────────────────────


def _messages(fields: dict[str, msgspec.Raw], others: dict[str, msgspec.Raw]) -> list[Message]:
    try:
        instructions = _decode_text(fields.get("instructions", NULL))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidArgument("instructions must be a string", field="instructions") from None
    raw = fields.get("input", msgspec.Raw(NULL))
    try:
        found = _decode_input(raw)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"input: {error}", field=_place(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument("input must be a string or a list of items", field="input") from None
    turns = Turns(others)
    if instructions:
        turns.messages.append(Message("system", [Text(instructions)], place="instructions"))
    if isinstance(found, str):
        turns.messages.append(Message("user", [Text(found)] if found else [], place="input"))
    else:
        for number, item in enumerate(found or ()):
            turns.add(f"input[{number}]", item, raw)
    return turns.messages


def _place(error: msgspec.ValidationError) -> str:
    """Where msgspec found what is wrong: "$[3].content" is input[3].content."""
    _, mark, path = str(error).rpartition("`$")
    return "input" + path.rstrip("`") if mark else "input"


class Turns:
    """Puts items together to turns: what a model says, thinks and calls in a row is one."""

    def __init__(self, others: dict[str, msgspec.Raw]) -> None:
        self.messages: list[Message] = []
        self._others = others
        self._signature = ""  # of the next call
        self._names: dict[str, str] = {}  # of the tools by the ids of their calls

    def add(self, place: str, item: Item, whole: msgspec.Raw) -> None:
        """Takes the next item. whole: the input. Raises InvalidArgument."""
        try:
            self._add(place, item, whole)
        except msgspec.DecodeError as error:
            raise InvalidArgument(f"{place}: {error}", field=place) from None
        except (UnicodeDecodeError, RecursionError):
            raise InvalidArgument(f"{place} is no item", field=place) from None

    def _add(self, place: str, item: Item, whole: msgspec.Raw) -> None:
        match item.kind:
            case "message":
                self._message(place, item)
            case "reasoning":
                self._thought(place, item)
            case "function_call" | "custom_tool_call":
                self._call(place, item)
            case "function_call_output" | "custom_tool_call_output":
                self._result(place, item)
            case "item_reference":
                raise InvalidArgument(f"{place}: there is no stored item {(item.id or '')[:100]}", field=place)
            case "":
                raise InvalidArgument(f"{place}: an item has a type", field=f"{place}.type")
            case _:
                self._others[place] = _decode_raws(whole)[int(place[6:-1])]

    def _message(self, place: str, item: Item) -> None:
        content = items.content_of(item.content)
        if isinstance(content, str):
            parts: list[Part] = [Text(content)] if content else []
        else:
            parts = _parts(f"{place}.content", content)
        match item.role:
            case "assistant":
                self._say(place, *parts)
            case "user" | "system" | "developer":
                same = isinstance(content, list) and len(parts) == len(content)
                where = f"{place}.content" if same else ""
                self.messages.append(Message(item.role, parts, place=place, parts_place=where))
            case _:
                raise InvalidArgument(f"{place}.role: user, assistant, system or developer", field=f"{place}.role")

    def _thought(self, place: str, item: Item) -> None:
        thought, proof = items.thinking(item)
        if proof.kind == OF_CALL:
            self._signature = proof.signature
        elif thought is not None:
            self._say(place, thought)

    def _call(self, place: str, item: Item) -> None:
        if not item.name or item.call_id is None:
            raise InvalidArgument(f"{place}: a call has a call_id and a name", field=place)
        if item.kind == "custom_tool_call":
            arguments = msgspec.json.encode({INPUT: items.decode_text(item.input) or ""}).decode()
        else:
            arguments = items.decode_text(item.arguments) or ""
        self._names[item.call_id] = item.name
        self._say(place, ToolCall(item.call_id, item.name, arguments, self._signature))
        self._signature = ""

    def _result(self, place: str, item: Item) -> None:
        if item.call_id is None:
            raise InvalidArgument(f"{place}.call_id is missing", field=f"{place}.call_id")
        content = items.content_of(item.output)
        parts: list[Any] = (
            [Text(content)] if content and isinstance(content, str) else _parts(f"{place}.output", content)
        )
        for number, part in enumerate(parts):
            if not isinstance(part, Text | Image | Document):
                where = f"{place}.output[{number}]"
                raise InvalidArgument(f"{where}: a tool's output is text, images and files", field=where)
        result = ToolResult(item.call_id, parts, name=item.name or self._names.get(item.call_id, ""))
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role == "tool":
            last.parts.append(result)
            last.ends_at(place)
        else:
            self.messages.append(Message("tool", [result], place=place))

    def _say(self, place: str, *parts: Text | Thinking | Refusal | ToolCall | Part) -> None:
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role == "assistant":
            last.parts.extend(parts)
            last.ends_at(place)
        else:
            self.messages.append(Message("assistant", list(parts), place=place))


def _parts(place: str, found: "str | list[items.Part]") -> list[Part]:
    read: list[Part] = []
    for number, each in enumerate(found if isinstance(found, list) else ()):
        try:
            part = items.part(each)
        except ValueError as error:
            raise InvalidArgument(f"{place}[{number}]: {error}", field=f"{place}[{number}]") from None
        if part is not None:
            read.append(part)
    return read
