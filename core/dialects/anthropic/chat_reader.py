"""The body of /v1/messages as a Chat: what a client of Anthropic's asks of a model that is not on Anthropic's wire.

Claude Code and the like must work with any provider and without special headers. So these are hints, which are
left out without a word: they tune how Anthropic's own servers work, and the answer is the same kind of answer
without them.

    cache_control, also of the whole request   other providers keep the prompt by their own rule, or take the mark
    context_management     Anthropic drops old results of tools and old thoughts from the prompt, or sums it up, so
                           that a long conversation fits; without it the client's own summing up comes first
    diagnostics            why the cache was missed
    fallbacks, fallback_credit_token           another Claude, where this one refuses; the router has its own routes
    betas, anthropic_beta, anthropic_version   which of its features a request means, beside the headers
    service_tier: auto, speed: standard        the default
    tools[].defer_loading, eager_input_streaming    when a tool is shown and how its input arrives; it is there from
                                               the beginning, and what searched for it has nothing to search any more
    thinking.type: between_tools               the least that a model may think: none
    system text `x-anthropic-billing-header:`  Claude Code's word to Anthropic about itself, another one with each
                                               request; a model has no use for it, and no cache would ever hit

Two fields are read, and told in x-llmrouter-dropped where a provider has nothing of the kind, but never refused,
for Claude Code sends them always:

    thinking, output_config.effort   a model that can't be told how much to think thinks as much as it does
    metadata.user_id                 helps Anthropic to find abuse; the router knows its users by their keys. One of
                                     more than 64 characters, which others refuse, is told by its SHA-256

Whatever else has no words in a Chat is named in `others`, and so refused: server tools, MCP servers, containers,
inference_geo, task budgets, search results, citations, and every field that is not known here.

Two ways of saying how much to think, a degree and a budget, can stand in one request; the degree counts then, and
the budget is told as what was left out.

Wire: https://platform.claude.com/docs/en/api/messages
"""

import re
from typing import Final

import msgspec

from core.dialects.anthropic.blocks import Block, Mark, Unsaid, reason, result_of, texts_of
from core.dialects.anthropic.controls_reader import (
    AskedChoice,
    AskedFormat,
    AskedThinking,
    Metadata,
    OutputConfig,
    choose,
    format_of,
    reasoning_of,
    tier_of,
    user_of,
    whole,
)
from core.dialects.canonical import NO_JSON, CacheMark, Chat, Message, Part, Text, Tool
from core.dialects.request import NOT_UTF8, Request
from core.errors import InvalidArgument

_BILLING: Final = "x-anthropic-billing-header:"
_TOOL_SEARCH: Final = "tool_search_tool_"
_PLACE = re.compile(r"`\$\.?(.*?)`$")


class _Message(msgspec.Struct):
    role: str
    content: str | list[Block] | None = None


class _Tool(msgspec.Struct):
    type: str | None = None
    name: str = ""
    description: str | None = None
    input_schema: msgspec.Raw = NO_JSON
    strict: bool | None = None
    cache_control: Mark | None = None
    input_examples: msgspec.Raw = NO_JSON
    allowed_callers: list[str] | None = None


class _Body(msgspec.Struct):
    messages: list[_Message] = []
    system: str | list[Block] | None = None
    tools: list[_Tool] | None = None
    tool_choice: AskedChoice | None = None
    thinking: AskedThinking | None = None
    output_config: OutputConfig | None = None
    output_format: AskedFormat | None = None
    max_tokens: int | float | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | float | None = None
    metadata: Metadata | None = None
    service_tier: str | None = None
    speed: str | None = None


_HINTS: Final = frozenset(
    {
        "cache_control",
        "context_management",
        "diagnostics",
        "fallbacks",
        "fallback_credit_token",
        "betas",
        "anthropic_beta",
        "anthropic_version",
    }
)
_BUDGET: Final = "thinking.budget_tokens"
_OWN_HINTS: Final = ("reasoning", "user", _BUDGET)
_READ: Final = frozenset(_Body.__struct_fields__) | _HINTS | {"model", "stream"}

_decode = msgspec.json.Decoder(_Body).decode


def read_chat(request: Request) -> Chat:
    """What a request asks for. Raises InvalidArgument, with the field."""
    body = _body(request.body)
    unsaid = Unsaid({name: raw for name, raw in request.fields.items() if name not in _READ and bytes(raw) != b"null"})
    chat = Chat(
        model=request.model,
        messages=_messages(body, unsaid),
        stream=request.streamed,
        include_usage=request.streamed,
        tools=_tools(body.tools or (), unsaid),
        reasoning=reasoning_of(body.thinking, body.output_config),
        format=format_of(body.output_config, body.output_format, unsaid),
        max_output=whole(body.max_tokens, "max_tokens") or None,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=whole(body.top_k, "top_k"),
        stop=body.stop_sequences or [],
        user=user_of(body.metadata),
        service_tier=tier_of(body.service_tier),
        others=unsaid,
        hints=_OWN_HINTS,
    )
    if body.max_tokens == 0:  # fills the cache, and answers nothing
        unsaid.note("max_tokens")
    if body.thinking and body.thinking.budget_tokens and body.output_config and body.output_config.effort:
        unsaid.note(_BUDGET)
    if body.speed not in (None, "standard"):
        unsaid.note("speed")
    if body.output_config is not None and body.output_config.task_budget not in (NO_JSON, msgspec.Raw(b"null")):
        unsaid.note("output_config.task_budget")
    choose(chat, body.tool_choice)
    return chat


def _body(body: bytes) -> _Body:
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))
        place = found[1] if found else ""
        raise InvalidArgument(f"{place or 'the body'}: {reason(error)}", field=place) from None
    except UnicodeDecodeError:
        raise InvalidArgument(NOT_UTF8) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidArgument(f"invalid payload: {reason(error)}") from None


def _messages(body: _Body, unsaid: Unsaid) -> list[Message]:
    messages: list[Message] = []
    if instructions := _system(body.system, "system", unsaid):
        messages.append(Message("system", instructions, place="system"))
    for number, message in enumerate(body.messages):
        place = f"messages[{number}].content"
        if message.role == "user":
            messages += _turn(message.content, f"messages[{number}]", unsaid)
        elif message.role == "assistant":
            if parts := texts_of(message.content, place, unsaid):
                messages.append(Message("assistant", parts, place=f"messages[{number}]"))
        elif message.role == "system":
            if parts := _system(message.content, place, unsaid):
                messages.append(Message("system", parts, place=f"messages[{number}]"))
        else:
            field = f"messages[{number}].role"
            raise InvalidArgument(f"{field} must be user, assistant or system", field=field)
    return messages


def _system(content: str | list[Block] | None, place: str, unsaid: Unsaid) -> list[Part]:
    parts = texts_of(content, place, unsaid)
    return [part for part in parts if not (isinstance(part, Text) and part.text.startswith(_BILLING))]


def _turn(content: str | list[Block] | None, turn: str, unsaid: Unsaid) -> list[Message]:
    """A user's turn: the results of tools, and what is said beside them. turn: its place."""
    place = f"{turn}.content"
    if isinstance(content, str) or content is None or not any(block.type == "tool_result" for block in content):
        parts = texts_of(content, place, unsaid)
        same = isinstance(content, list) and len(parts) == len(content)
        return [Message("user", parts, place=turn, parts_place=place if same else "")] if parts else []
    results: list[Part] = []
    said: list[Part] = []
    for number, block in enumerate(content):
        if block.type == "tool_result":
            results.append(result_of(block, f"{place}[{number}]", unsaid))
        else:
            inner = Unsaid()
            said += texts_of([block], place, inner)
            for name in inner:  # which counted from this block on
                unsaid.note(name.replace(f"{place}[0]", f"{place}[{number}]", 1))
    return [Message("tool", results, place=turn), *([Message("user", said, place=turn)] if said else [])]


def _tools(tools: "list[_Tool] | tuple[()]", unsaid: Unsaid) -> list[Tool]:
    found: list[Tool] = []
    for number, tool in enumerate(tools):
        if tool.type not in (None, "custom"):
            if not tool.type.startswith(_TOOL_SEARCH):
                unsaid.note(f"tools[{number}]")
            continue
        if not tool.name:
            field = f"tools[{number}].name"
            raise InvalidArgument(f"{field} is missing", field=field)
        if tool.input_examples and bytes(tool.input_examples) not in (b"null", b"[]"):
            unsaid.note(f"tools[{number}].input_examples")
        if any(caller != "direct" for caller in tool.allowed_callers or ()):
            unsaid.note(f"tools[{number}].allowed_callers")
        mark = tool.cache_control
        found.append(
            Tool(
                tool.name,
                tool.description or "",
                tool.input_schema,
                tool.strict,
                None if mark is None else CacheMark(mark.ttl or ""),
            )
        )
    return found
