"""Tools and the choice among them, read and written.

A function stands in the list as it is, with no object around it as in a chat. A custom tool takes a text and no
JSON: a provider that knows only functions has it as one with a single argument. Where its input must follow a
grammar, that is more than a function can promise: the model reads the grammar, and is not held to it.

Tools of OpenAI's own beside others, and grammars, are hints: clients such as Codex send them always, and the tools
that are left do their work. A request with nothing but tools of OpenAI's own is for those.
"""

from typing import Final

import msgspec

from core.dialects.canonical import NO_JSON, Chat, Tool, ToolChoice
from core.dialects.responses.asked import INPUT
from core.errors import InvalidArgument

_FUNCTIONS: Final = ("function", "custom")


class _Format(msgspec.Struct):
    type: str | None = None
    syntax: str | None = None
    definition: str | None = None


class _Tool(msgspec.Struct):
    type: str | None = None
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = NO_JSON
    strict: bool | None = None
    format: _Format | None = None


class _Choice(msgspec.Struct):
    type: str | None = None
    name: str | None = None
    mode: str | None = None
    tools: "list[_Choice]" = []


_encode = msgspec.json.Encoder().encode
_decode_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_tools: "msgspec.json.Decoder[list[_Tool] | None]" = msgspec.json.Decoder(list[_Tool] | None)
_decode_choice = msgspec.json.Decoder(str | _Choice | None).decode


def read_tools(raw: msgspec.Raw | None, others: dict[str, msgspec.Raw]) -> tuple[list[Tool], frozenset[str]]:
    """The tools that a model may call, and the names of those that take a text. Others go to `others`.

    Raises InvalidArgument.
    """
    if raw is None:
        return [], frozenset()
    try:
        found = _tools.decode(raw) or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(f"tools: {error}", field="tools") from None
    tools: list[Tool] = []
    custom: set[str] = set()
    for number, tool in enumerate(found):
        if tool.type not in _FUNCTIONS:
            others[f"tools[{number}]"] = _decode_raws(raw)[number]
            continue
        if not tool.name:
            raise InvalidArgument(f"tools[{number}].name is missing", field=f"tools[{number}].name")
        parameters = tool.parameters if bytes(tool.parameters) != b"null" else NO_JSON
        if tool.type == "custom":
            parameters = _one_text(tool.format)
            custom.add(tool.name)
            if tool.format is not None and tool.format.type not in (None, "text"):
                others[f"tools[{number}].format"] = _decode_raws(raw)[number]
        tools.append(Tool(tool.name, tool.description or "", parameters, tool.strict))
    return tools, frozenset(custom)


def hints_of(tools: list[Tool], others: dict[str, msgspec.Raw]) -> list[str]:
    """Which of the others the caller can do without, where these are the tools that were read."""
    return [name for name in others if name.startswith("tools[")] if tools else []


def _one_text(form: _Format | None) -> msgspec.Raw:
    """The schema of a custom tool as a function."""
    text = {"type": "string"}
    if form is not None and form.definition:
        text["description"] = f"A text, and no JSON, by this {form.syntax or ''} grammar:\n{form.definition}"
    return msgspec.Raw(_encode({"type": "object", "properties": {INPUT: text}, "required": [INPUT]}))


def read_choice(
    raw: msgspec.Raw | None, tools: list[Tool], others: dict[str, msgspec.Raw]
) -> tuple[ToolChoice | None, list[Tool]]:
    """The choice, and the tools that are left by it. Raises InvalidArgument."""
    try:
        found = _decode_choice(raw) if raw is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(f"tool_choice: {error}", field="tool_choice") from None
    if raw is None or found is None:
        return None, tools
    if isinstance(found, str):
        return _mode(found), tools
    match found.type:
        case "function" | "custom" if found.name:
            return ToolChoice("tool", found.name), tools
        case "allowed_tools":  # the same as having only these
            names = {tool.name for tool in found.tools if tool.type in ("function", "custom")}
            return _mode(found.mode or "auto"), [tool for tool in tools if tool.name in names]
        case _:
            others["tool_choice"] = raw
            return None, tools


def _mode(word: str) -> ToolChoice:
    match word:
        case "auto" | "none" | "required":
            return ToolChoice(word)
        case _:
            raise InvalidArgument("tool_choice: auto, none, required, or an object", field="tool_choice")


def written_tools(chat: Chat) -> list[dict[str, object]]:
    """The tools for a provider. OpenAI makes tools strict that do not say; a chat means that they are not."""
    written: list[dict[str, object]] = []
    for tool in chat.tools:
        fields: dict[str, object] = {"type": "function", "name": tool.name}
        if tool.description:
            fields["description"] = tool.description
        fields["parameters"] = tool.parameters if tool.parameters else None
        fields["strict"] = bool(tool.strict)
        written.append(fields)
    return written


def written_choice(choice: ToolChoice) -> str | dict[str, str]:
    """The choice for a provider."""
    return {"type": "function", "name": choice.name} if choice.mode == "tool" else choice.mode
