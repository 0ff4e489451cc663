"""Functions on the Gemini wire, and how the model is told to use them.

Schemas go as JSON schemas (`parametersJsonSchema`), which the API takes beside its own older form. That a
call keeps to its schema is a mode for all functions together: ANY always does, and VALIDATED is AUTO that does.

Source: https://ai.google.dev/gemini-api/docs/function-calling
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.dialects.canonical import NO_JSON, Chat, Tool, ToolChoice
from core.dialects.gemini.schema import json_schema
from core.dialects.gemini.wire import given
from core.dialects.losses import Losses
from core.errors import InvalidArgument

_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY", "tool": "ANY"}


class Declaration(msgspec.Struct, rename="camel", omit_defaults=True):
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NO_JSON
    parameters_json_schema: msgspec.Raw = NO_JSON


class Calling(msgspec.Struct, rename="camel", omit_defaults=True):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


class _ToolConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    function_calling_config: Calling | None = None
    retrieval_config: msgspec.Raw = NO_JSON


_decode_tools: Callable[[bytes | msgspec.Raw], list[dict[str, msgspec.Raw]] | None] = msgspec.json.Decoder(
    list[dict[str, msgspec.Raw]] | None
).decode
_decode_declarations: Callable[[msgspec.Raw], list[Declaration] | None] = msgspec.json.Decoder(
    list[Declaration] | None
).decode
_decode_config = msgspec.json.Decoder(_ToolConfig | None).decode


def write_tools(chat: Chat, body: dict[str, Any], losses: Losses) -> None:
    """Puts a request's functions into the body for a provider."""
    if chat.parallel_tool_calls is False:
        losses.lose("parallel_tool_calls", "the model may call several functions at once")
    if chat.tools:
        declared = [
            Declaration(
                tool.name, tool.description or None, NO_JSON, tool.parameters if given(tool.parameters) else NO_JSON
            )
            for tool in chat.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
    choice = chat.tool_choice
    strict = any(tool.strict for tool in chat.tools)
    if choice is None and not strict:
        return
    mode = _MODES[choice.mode] if choice is not None else "AUTO"
    if strict and mode == "AUTO":
        mode = "VALIDATED"
    names = [choice.name] if choice is not None and choice.mode == "tool" else None
    body["toolConfig"] = _ToolConfig(Calling(mode, names))


def read_tools(fields: dict[str, msgspec.Raw], others: dict[str, msgspec.Raw]) -> tuple[list[Tool], ToolChoice | None]:
    """A caller's functions. Raises InvalidArgument, msgspec.DecodeError."""
    tools: list[Tool] = []
    for number, tool in enumerate(_decode_tools(fields.get("tools", b"null")) or ()):
        for kind, raw in tool.items():
            if kind != "functionDeclarations":
                if given(raw):
                    others[f"tools[{number}].{kind}"] = raw
                continue
            path = f"tools[{number}].functionDeclarations"
            tools += [_tool(path, place, each) for place, each in enumerate(_decode_declarations(raw) or ())]
    config = _decode_config(fields.get("toolConfig", b"null"))
    if config is None:
        return tools, None
    if given(config.retrieval_config):
        others["toolConfig.retrievalConfig"] = config.retrieval_config
    calling = config.function_calling_config
    return tools, None if calling is None else _choice(calling, tools, others)


def _tool(path: str, place: int, each: Declaration) -> Tool:
    if not each.name:
        raise InvalidArgument(f"{path}[{place}].name is missing", field=f"{path}[{place}].name")
    parameters = each.parameters_json_schema
    if not given(parameters):
        parameters = json_schema(each.parameters) if given(each.parameters) else NO_JSON
    return Tool(each.name, each.description or "", parameters)


def _choice(calling: Calling, tools: list[Tool], others: dict[str, msgspec.Raw]) -> ToolChoice | None:
    where, mode, names = (
        "toolConfig.functionCallingConfig",
        (calling.mode or "").upper(),
        calling.allowed_function_names,
    )
    if mode == "VALIDATED":
        for tool in tools:
            tool.strict = True
        mode = "AUTO"
    if names and mode == "ANY" and len(names) == 1:
        return ToolChoice("tool", names[0])
    if names and {tool.name for tool in tools} - set(names):
        others[f"{where}.allowedFunctionNames"] = msgspec.Raw(msgspec.json.encode(names))
    match mode:
        case "" | "MODE_UNSPECIFIED":
            return None
        case "AUTO":
            return ToolChoice("auto")
        case "ANY":
            return ToolChoice("required")
        case "NONE":
            return ToolChoice("none")
        case _:
            raise InvalidArgument(f"{where}.mode must be AUTO, ANY, NONE or VALIDATED", field=f"{where}.mode")
