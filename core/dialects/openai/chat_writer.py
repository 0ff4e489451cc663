"""A chat of the form between all wires, put for a provider of the OpenAI wire.

    messages ─message_writer─► messages        everything else here; what vendors differ in: manners.py

How much a model shall think is a degree here; a budget becomes the degree that is closest to it.
Names of the cache (prompt_cache_key) are hints, and left out where a vendor has none.
"""

from typing import Any, Final

import msgspec

from core.dialects.canonical import Chat, Format, Reasoning, Tool, ToolChoice
from core.dialects.effort import effort_of
from core.dialects.losses import Losses
from core.dialects.openai import manners
from core.dialects.openai.message_writer import MessageWriter
from core.dialects.sides import Manner

_encode = msgspec.json.Encoder().encode

_AS_THEY_ARE: Final = (
    "temperature",
    "top_p",
    "seed",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
)
_IF_SAID: Final = ("stop", "verbosity", "user", "metadata", "service_tier")
_FORMAT_NAME: Final = "answer"  # OpenAI asks for one


def write_chat(chat: Chat, losses: Losses, manner: Manner) -> bytes:
    """The body of a request to a provider that calls the model `chat.model`.

    Raises InvalidArgument for what can't be said, unless the caller lets it be left out.
    """
    fields: dict[str, Any] = {"model": chat.model, "messages": MessageWriter(losses, manner).write(chat.messages)}
    if chat.stream:
        fields["stream"] = True
        if chat.include_usage:
            fields["stream_options"] = {"include_usage": True}
    if chat.max_output is not None:
        fields[manner.output_field] = chat.max_output
    for name in _AS_THEY_ARE:
        if (value := getattr(chat, name)) is not None:
            fields[name] = value
    for name in _IF_SAID:
        if value := getattr(chat, name):
            fields[name] = value
    if bytes(chat.logit_bias):
        fields["logit_bias"] = chat.logit_bias
    if chat.top_k is not None:
        if manners.takes_top_k(manner):
            fields["top_k"] = chat.top_k
        else:
            losses.lose("top_k")
    if chat.cache_key and manners.knows_cache_keys(manner):
        fields["prompt_cache_key"] = chat.cache_key
    if chat.tools:
        marks = manners.takes_cache_marks(manner)
        fields["tools"] = [_tool(tool, marks=marks) for tool in chat.tools]
        if chat.tool_choice is not None:
            fields["tool_choice"] = _choice(chat.tool_choice)
        if chat.parallel_tool_calls is not None:
            fields["parallel_tool_calls"] = chat.parallel_tool_calls
    if chat.format is not None and chat.format.kind != "text":
        fields["response_format"] = _format(chat.format)
    if chat.reasoning is not None:
        fields.update(_reasoning(chat.reasoning, chat.model, manner))
    return _encode(fields)


def _tool(tool: Tool, *, marks: bool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if bytes(tool.parameters):
        function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    fields: dict[str, Any] = {"type": "function", "function": function}
    if marks and tool.cache is not None:
        fields["cache_control"] = {"type": "ephemeral", **({"ttl": tool.cache.ttl} if tool.cache.ttl else {})}
    return fields


def _choice(choice: ToolChoice) -> Any:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _format(asked: Format) -> dict[str, Any]:
    if asked.kind == "json":
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": asked.name or _FORMAT_NAME}
    if asked.description:
        schema["description"] = asked.description
    if bytes(asked.schema):
        schema["schema"] = asked.schema
    if asked.strict is not None:
        schema["strict"] = asked.strict
    return {"type": "json_schema", "json_schema": schema}


def _reasoning(asked: Reasoning, model: str, manner: Manner) -> dict[str, Any]:
    """The fields that say how much to think.

    Whether thoughts are shown is OpenRouter's to know alone; elsewhere our answer leaves them out where that
    is wished. A budget of -1 leaves it to the model, which is what no field says.
    """
    if manners.takes_reasoning(manner):
        said: dict[str, Any] = {}
        if asked.effort is not None:
            said["effort"] = asked.effort
        elif asked.budget == 0:
            said["effort"] = "none"
        elif asked.budget is not None:
            said.update({"max_tokens": asked.budget} if asked.budget > 0 else {"enabled": True})
        if asked.shown is not None:
            said["exclude"] = not asked.shown
        return {"reasoning": said} if said else {}
    effort = asked.effort
    if effort is None and asked.budget is not None and asked.budget >= 0:
        effort = effort_of(asked.budget)
    if effort == "none":
        if manners.has_switch(manner):
            return {"thinking": {"type": "disabled"}}
        return {} if manners.never_thinks(model) else {"reasoning_effort": "none"}
    fields: dict[str, Any] = {} if effort is None else {"reasoning_effort": effort}
    if manners.has_switch(manner) and (effort is not None or asked.budget is not None):
        fields["thinking"] = {"type": "enabled"}
    return fields
