"""Tools, the choice among them, and the form of the answer, for a provider of Anthropic's wire.

Tools of a conversation that offers none any more are named all the same, with none to be chosen: the wire wants to
know every tool that was ever called.
"""

from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec

from core.dialects.anthropic.answer_tool import NAME, answer_tool
from core.dialects.anthropic.models import Abilities
from core.dialects.canonical import CacheMark, Chat, Format, Tool, ToolCall
from core.dialects.losses import Losses
from core.errors import InvalidArgument

_NO_INPUT: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
_WORDS: Final = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}

_decode_schema = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode


def write_tools(body: dict[str, Any], chat: Chat, can: Abilities, losses: Losses) -> bool:
    """Adds `tools` and `tool_choice`; returns whether one of them must be called."""
    tools = [_tool(tool, number, can, losses) for number, tool in enumerate(chat.tools)]
    choice = _choice(chat, can, losses)
    if not tools and (called := _called(chat)):
        tools = [{"name": name, "input_schema": _NO_INPUT} for name in called]
        choice = {"type": "none"}
    if _answers_by_tool(chat, can) and choice.get("type", "auto") in ("auto", "none"):
        if can.forced:
            assert chat.format is not None
            _check_form(chat.format, losses)
            by_force = not chat.tools or choice.get("type") == "none"
            choice = {**choice, "type": "tool", "name": NAME} if by_force else {**choice, "type": "any"}
            tools.append(answer_tool(chat.format))
        else:
            losses.lose("format", "the model needs a schema, it has no form for JSON of any kind")
    if tools:
        body["tools"] = tools
        if choice:
            body["tool_choice"] = choice
    return choice.get("type") in ("any", "tool")


def write_format(body: dict[str, Any], chat: Chat, can: Abilities) -> None:
    """Adds `output_config.format` for a model that has it."""
    asked = chat.format
    if asked is not None and asked.kind == "schema" and can.formats:
        schema = _closed(asked)
        body["output_config"] = {**body.get("output_config", {}), "format": {"type": "json_schema", "schema": schema}}


def mark(block: dict[str, Any], cache: CacheMark | None) -> dict[str, Any]:
    """The same block, with the mark of the cache."""
    if cache is not None:
        block["cache_control"] = {"type": "ephemeral", "ttl": cache.ttl} if cache.ttl else {"type": "ephemeral"}
    return block


def _answers_by_tool(chat: Chat, can: Abilities) -> bool:
    asked = chat.format
    return asked is not None and (asked.kind == "json" or (asked.kind == "schema" and not can.formats))


def _check_form(asked: Format, losses: Losses) -> None:
    if asked.strict:
        losses.lose("format.strict", "the model only tries to keep to a schema")


def _tool(tool: Tool, number: int, can: Abilities, losses: Losses) -> dict[str, Any]:
    if tool.name == NAME:
        raise InvalidArgument(f"tools[{number}]: the name {NAME} is the router's own", field=f"tools[{number}]")
    block: dict[str, Any] = {"name": tool.name}
    if tool.description:
        block["description"] = tool.description
    block["input_schema"] = _object(tool.parameters, f"tools[{number}]")
    if tool.strict is not None and can.formats:
        block["strict"] = tool.strict
    elif tool.strict:
        losses.lose(f"tools[{number}].strict", "the model only tries to keep to a schema")
    return mark(block, tool.cache)


def _choice(chat: Chat, can: Abilities, losses: Losses) -> dict[str, Any]:
    asked, parallel = chat.tool_choice, chat.parallel_tool_calls
    if not chat.tools:
        if asked is not None and asked.mode in ("required", "tool"):
            losses.lose("tool_choice", "there are no tools")
        return {}
    mode = asked.mode if asked is not None else "auto"
    if mode in ("required", "tool") and not can.forced:
        losses.lose("tool_choice", "the model chooses itself whether it calls a tool")
        mode = "auto"
    if asked is None and parallel is None:
        return {}
    choice: dict[str, Any] = {"type": _WORDS[mode]}
    if asked is not None and mode == "tool":
        choice["name"] = asked.name
    if parallel is not None and mode != "none":
        choice["disable_parallel_tool_use"] = not parallel
    return choice


def _called(chat: Chat) -> Iterable[str]:
    calls = (part for message in chat.messages for part in message.parts if isinstance(part, ToolCall))
    return dict.fromkeys(call.name for call in calls)


def _object(schema: msgspec.Raw, place: str) -> msgspec.Raw | dict[str, Any]:
    """A schema of a tool's input, which must say that it is an object."""
    if not schema:
        return _NO_INPUT
    try:
        fields = _decode_schema(schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument(f"{place}: its parameters must be a JSON schema", field=place) from None
    return schema if "type" in fields else {"type": "object", **fields}


def _closed(asked: Format) -> Any:
    """A schema whose objects say that they have no other properties, as the wire wants it, and what it is for."""
    try:
        schema = _decode_any(asked.schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument("the schema of the answer is not valid JSON", field="format") from None
    changed = _close(schema) > 0
    if asked.description and isinstance(schema, dict) and "description" not in schema:
        schema["description"] = asked.description
        changed = True
    return cast("Any", schema if changed else asked.schema)


def _close(node: Any) -> int:
    """Closes a schema and those in it; returns how many had to be."""
    if isinstance(node, list):
        return sum(map(_close, cast("list[Any]", node)))
    if not isinstance(node, dict):
        return 0
    schema = cast("dict[str, Any]", node)
    closed = sum(map(_close, schema.values()))
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
        closed += 1
    return closed
