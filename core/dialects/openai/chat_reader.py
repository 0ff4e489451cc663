"""A caller's chat completion, put into the form between all wires.

    messages ─message_reader─► Message …        everything else here

Callers may say more than OpenAI documents: `reasoning` and `reasoning_details` and `cache_control` as OpenRouter
has them, `thinking` and `top_k` as other vendors have them. A field that this form has no word for, and
that is set to something that means something, goes to Chat.others under its own name.

Wire: https://platform.openai.com/docs/api-reference/chat/create
"""

from typing import Final, cast, get_args

import msgspec

from core.dialects.canonical import NO_JSON, Chat, Effort, Format, Reasoning, Tool, ToolChoice
from core.dialects.openai import body
from core.dialects.openai.body import Body, Settings, decoded, given, whole
from core.dialects.openai.message_reader import MessageReader
from core.dialects.openai.unknown_fields import note_unknown
from core.dialects.request import Request
from core.errors import InvalidArgument

NAMES: Final = {
    "max_output": "max_completion_tokens",
    "format": "response_format",
    "reasoning": "reasoning_effort",
    "cache_key": "prompt_cache_key",
    "include_usage": "stream_options",
    "detail": "image_url.detail",
}
"""Field of Chat → its name here, where that is another."""

# `usage` is OpenRouter's wish for what every answer has here.
_KNOWN: Final = {*Body.__struct_fields__, "model", "stream", "store", "modalities", "usage"}
_EFFORTS: Final = get_args(Effort)
_HINTS: Final = ("parallel_tool_calls",)  # a client that asked for one call at a time can answer two
_MEANS_NOTHING: Final = (b"null", b"[]", b"{}", b'""')
_ASKS_BY_BEING_THERE: Final = "web_search_options"
_decoder = msgspec.json.Decoder(Body)


class FunctionsChat(Chat):
    """A chat of a caller who knows functions and not yet tools, and is answered so."""


def read_chat(request: Request) -> Chat:
    """What a request asks for. Raises InvalidArgument, with the field, for what the wire does not allow."""
    found = decoded(_decoder, request.body)
    if not found.messages:
        raise InvalidArgument("messages: at least one is needed", field="messages")
    others = unknown(request, _KNOWN)
    _told_nothing(request, others)
    note_unknown(request, others)
    reader = MessageReader()
    chat = (FunctionsChat if found.functions else Chat)(
        model=request.model, messages=reader.read(found.messages), stream=request.streamed
    )
    take_settings(chat, found, request)
    limit = whole(found.max_completion_tokens, "max_completion_tokens")
    chat.max_output = limit if limit is not None else chat.max_output
    chat.tools = _tools(found, others)
    chat.tool_choice = _choice(found, others)
    chat.parallel_tool_calls = found.parallel_tool_calls
    chat.hints = _HINTS
    chat.reasoning = _reasoning(found)
    chat.format = _format(found, others)
    chat.logprobs = found.logprobs or None
    chat.top_logprobs = whole(found.top_logprobs, "top_logprobs") if found.logprobs else None
    if found.top_logprobs and not found.logprobs:
        others["top_logprobs"] = request.fields["top_logprobs"]
    chat.verbosity = found.verbosity or ""
    if chat.user and found.safety_identifier and chat.user != found.safety_identifier:
        others["user"] = request.fields["user"]
    chat.user = found.safety_identifier or chat.user
    chat.metadata = found.metadata or {}
    chat.service_tier = found.service_tier if found.service_tier and found.service_tier != "auto" else ""
    chat.cache_key = found.prompt_cache_key or ""
    chat.others = {**others, **reader.others}
    chat.named = _named(found)
    return chat


def take_settings(chat: Chat, found: Settings, request: Request) -> None:
    """What a chat completion and a text completion have in common; what is OpenAI's default says nothing."""
    chat.include_usage = request.wants_usage
    chat.max_output = whole(found.max_tokens, "max_tokens")
    chat.temperature, chat.top_p, chat.top_k = found.temperature, found.top_p, whole(found.top_k, "top_k")
    stop = [found.stop] if isinstance(found.stop, str) else found.stop or []
    chat.stop = [text for text in stop if text]
    chat.seed = whole(found.seed, "seed")
    count = whole(found.n, "n")
    chat.n = count if count != 1 else None
    chat.presence_penalty, chat.frequency_penalty = found.presence_penalty or None, found.frequency_penalty or None
    bias = given(found.logit_bias)
    chat.logit_bias = bias if bytes(bias) != b"{}" else NO_JSON
    chat.user = found.user or ""


def unknown(request: Request, known: set[str]) -> dict[str, msgspec.Raw]:
    """The fields that are none of the known and that say something."""
    return {
        name: raw
        for name, raw in request.fields.items()
        if name not in known
        and (bytes(raw) not in _MEANS_NOTHING or (name == _ASKS_BY_BEING_THERE and bytes(raw) == b"{}"))
    }


def _named(found: Body) -> dict[str, str]:
    """Field of Chat → the name under which this caller says it, where there are several and it is not the usual one."""
    said, named = found.reasoning, dict[str, str]()
    if found.safety_identifier:
        named["user"] = "safety_identifier"
    if found.max_completion_tokens is None and found.max_tokens is not None:
        named["max_output"] = "max_tokens"
    if found.tool_choice is None and found.function_call is not None:
        named["tool_choice"] = "function_call"
    if not found.tools and found.functions:
        named["tools"] = "functions"
    if said is not None and (said.effort is not None or said.max_tokens is not None or said.enabled is not None):
        named["reasoning"] = "reasoning"
    elif found.reasoning_effort is None:
        for name in ("include_reasoning", "reasoning", "thinking_budget", "thinking"):
            if getattr(found, name) is not None:
                named["reasoning"] = name
    return named


def _told_nothing(request: Request, others: dict[str, msgspec.Raw]) -> None:
    """Adds to the others the fields that only mostly say nothing."""
    for name, nothing in (("store", b"false"), ("modalities", b'["text"]')):
        raw = request.fields.get(name)
        if raw is not None and bytes(raw).translate(None, b" \t\r\n") not in (nothing, *_MEANS_NOTHING):
            others[name] = raw


def _tools(found: Body, others: dict[str, msgspec.Raw]) -> list[Tool]:
    tools: list[Tool] = []
    for number, tool in enumerate(found.tools or ()):
        if tool.function is None:
            others[f"tools[{number}]"] = msgspec.Raw(msgspec.json.encode(tool.type))
        else:
            tools.append(_tool(tool.function, tool.cache_control))
    return tools + [_tool(function, None) for function in found.functions or ()]


def _tool(function: body.Function, control: body.CacheControl | None) -> Tool:
    control = control or function.cache_control
    return Tool(
        name=function.name,
        description=function.description or "",
        parameters=given(function.parameters),
        strict=function.strict,
        cache=control.mark() if control is not None else None,
    )


def _choice(found: Body, others: dict[str, msgspec.Raw]) -> ToolChoice | None:
    choice = found.tool_choice if found.tool_choice is not None else found.function_call
    field = "tool_choice" if found.tool_choice is not None else "function_call"
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case "any":
            return ToolChoice("required")
        case body.Named():
            return ToolChoice("tool", choice.name)
        case body.NamedChoice(function=body.Named(name)):
            return ToolChoice("tool", name)
        case body.NamedChoice():
            others[field] = msgspec.Raw(msgspec.json.encode(choice.type))
            return None
        case _:
            raise InvalidArgument(f"{field}: must be auto, none, required or a function", field=field)


def _reasoning(found: Body) -> Reasoning | None:
    """OpenRouter's object, OpenAI's degree, others' budget: the first that says how much."""
    said, thinking = found.reasoning or body.Reasoning(), found.thinking
    shown = None if said.exclude is None else not said.exclude
    shown = found.include_reasoning if shown is None else shown
    shown = True if shown is None and said.summary else shown
    budget = whole(said.max_tokens, "reasoning.max_tokens")
    if budget is not None and said.effort is not None:
        raise InvalidArgument("reasoning: effort or max_tokens, not both", field="reasoning")
    if said.effort is None and said.enabled is False:
        return Reasoning(effort="none", shown=shown)
    effort = said.effort or (found.reasoning_effort if budget is None else None)
    if effort is not None:
        if effort not in _EFFORTS:
            field = "reasoning.effort" if said.effort is not None else "reasoning_effort"
            raise InvalidArgument(f"{field}: must be one of {', '.join(_EFFORTS)}", field=field)
        return Reasoning(effort=cast("Effort", effort), shown=shown)
    if budget is None and thinking is not None:
        if thinking.type == "disabled":
            return Reasoning(effort="none", shown=shown)
        asked = whole(thinking.budget_tokens, "thinking.budget_tokens")
        budget = -1 if asked is None else asked
    if budget is None:
        budget = whole(found.thinking_budget, "thinking_budget")
    if budget is not None:
        return Reasoning(budget=budget, shown=shown)
    if said.enabled:
        return Reasoning(effort="medium", shown=shown)
    return Reasoning(shown=shown) if shown is not None else None


def _format(found: Body, others: dict[str, msgspec.Raw]) -> Format | None:
    """The form of the answer; plain text is what every answer is."""
    asked = found.response_format
    if asked is None or asked.type == "text":
        return None
    if asked.type == "json_object":
        return Format(kind="json")
    if asked.type != "json_schema":
        others["response_format"] = msgspec.Raw(msgspec.json.encode(asked.type))
        return None
    schema = asked.json_schema
    if schema is None:
        field = "response_format.json_schema"
        raise InvalidArgument(f"{field} is missing", field=field)
    return Format(
        kind="schema",
        name=schema.name,
        description=schema.description or "",
        schema=given(schema.schema),
        strict=schema.strict,
    )
