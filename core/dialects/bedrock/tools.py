"""Tools, whether one must be called, and the answer's form where a tool has to stand for it: toolConfig.

A conversation with calls in it is refused without the tools that were called. Where the request does not have them
any more they are declared by their names, and where it forbids to call them that can't be said.
"""

from typing import Final

import msgspec

from core.dialects.bedrock.converse import ANSWER_TOOL, Json
from core.dialects.bedrock.families import Family, Forms
from core.dialects.bedrock.messages import Conversation, cache_point
from core.dialects.canonical import Chat, Format, Tool
from core.dialects.losses import Losses
from core.errors import InvalidArgument

_NO_PARAMETERS: Final = msgspec.Raw(b'{"type":"object","properties":{}}')
_ANY_OBJECT: Final = msgspec.Raw(b'{"type":"object","additionalProperties":true}')
_CALLED_EARLIER: Final = "It was called earlier, and can't be called any more."
_ANSWER: Final = "Gives the user the answer, in the form that was asked for. It is called once, with all of the answer."

_decode_schema = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def tool_config(chat: Chat, conversation: Conversation, family: Family, losses: Losses, *, thinks: bool) -> Json | None:
    """What toolConfig says; None for no tools. Raises InvalidArgument.

    thinks: the model will, and is not to be forced, then.
    """
    forbidden = chat.tool_choice is not None and chat.tool_choice.mode == "none"
    tools: list[Json] = []
    if chat.tools and not (forbidden and not conversation.called):
        for number, tool in enumerate(chat.tools):
            tools.append(_declared(tool, f"tools[{number}]", family, losses))
            if tool.cache is not None and family.caches_tools:
                tools.append(cache_point(tool.cache))
        if forbidden:
            losses.lose("tool_choice", "tools can't be forbidden in a conversation where some were called")
        elif chat.parallel_tool_calls is False:
            losses.lose("parallel_tool_calls", "the model decides how many tools it calls at once")
    else:
        tools += (_spec(name, _CALLED_EARLIER, _NO_PARAMETERS) for name in conversation.called)
    forceable = family.forced and not (thinks and family.claude)
    choice = _choice(chat, losses, forceable=forceable)
    if chat.format is not None and _by_tool(chat.format, family):
        if forceable and not thinks:
            tools.append(_answer(chat.format, losses))
            choice = choice if choice and "auto" not in choice else _only_answer(alone=not chat.tools or forbidden)
        else:
            losses.lose("format", "this model can't be held to it while it thinks, or at all")
    if not tools:
        return None
    return {"tools": tools, "toolChoice": choice} if choice else {"tools": tools}


def _choice(chat: Chat, losses: Losses, *, forceable: bool) -> Json:
    asked = chat.tool_choice
    if asked is None or asked.mode == "none":
        return {}
    if asked.mode == "auto":
        return {"auto": {}} if chat.tools else {}
    if not chat.tools or not forceable:
        losses.lose("tool_choice", "the model can't be made to call a tool" if chat.tools else "there are no tools")
        return {}
    return {"tool": {"name": asked.name}} if asked.mode == "tool" else {"any": {}}


def _only_answer(*, alone: bool) -> Json:
    """The answer's tool must be called; where there are others, it or one of them."""
    return {"tool": {"name": ANSWER_TOOL}} if alone else {"any": {}}


def _by_tool(form: Format, family: Family) -> bool:
    """Whether a tool stands for an answer of this form. Claude's structured output knows no JSON of any kind."""
    if form.kind == "json":
        return family.claude or family.forms is Forms.TOOL
    return form.kind == "schema" and family.forms is Forms.TOOL


def _answer(form: Format, losses: Losses) -> Json:
    """The tool that stands for the answer."""
    if form.strict:
        losses.lose("format.strict", "this model only tries to keep to a schema")
    schema = form.schema if form.kind == "schema" and bytes(form.schema) else _ANY_OBJECT
    return _spec(ANSWER_TOOL, f"{_ANSWER} {form.description}".rstrip(), schema)


def _declared(tool: Tool, path: str, family: Family, losses: Losses) -> Json:
    if tool.name == ANSWER_TOOL:
        raise InvalidArgument(f"{path}: the name {ANSWER_TOOL} is the router's own", field=path)
    schema: object = tool.parameters
    try:
        fields = _decode_schema(tool.parameters) if bytes(tool.parameters) else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument(f"{path}: its parameters must be a JSON schema", field=path) from None
    if not fields:
        schema = _NO_PARAMETERS
    elif "type" not in fields:  # it must say that it is an object
        schema = {"type": "object", **fields}
    strict = False
    if tool.strict:
        if family.forms is Forms.OUTPUT:
            strict = True
        else:
            losses.lose(f"{path}.strict", "this model only tries to keep to a schema")
    return _spec(tool.name, tool.description, schema, strict=strict)


def _spec(name: str, description: str, schema: object, *, strict: bool = False) -> Json:
    spec: Json = {"name": name, "inputSchema": {"json": schema}}
    if description:
        spec["description"] = description
    if strict:
        spec["strict"] = True
    return {"toolSpec": spec}
