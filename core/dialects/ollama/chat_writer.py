"""Chat → the body of /api/chat."""

from collections.abc import Mapping
from typing import Final

import msgspec

from core.dialects.canonical import Chat, Effort, Reasoning, Tool
from core.dialects.effort import effort_of
from core.dialects.losses import Losses
from core.dialects.ollama.messages import Json, messages_of
from core.dialects.sides import Manner

_DEGREES: Final[Mapping[Effort, str | bool]] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "max",
}
"""A degree that Ollama has not is the nearest that it has; models without degrees take any for yes."""

_NO_PARAMETERS: Json = {"type": "object", "properties": {}}
_encode = msgspec.json.Encoder().encode


def write_chat(chat: Chat, losses: Losses, manner: Manner) -> bytes:
    """The body of a request. Raises InvalidArgument."""
    del manner
    body: Json = {"model": chat.model, "messages": messages_of(chat, losses), "stream": chat.stream}
    if chat.tools and not (chat.tool_choice is not None and chat.tool_choice.mode == "none"):
        body["tools"] = [_tool(tool, f"tools[{number}]", losses) for number, tool in enumerate(chat.tools)]
        _lose_choices(chat, losses)
    think = _think(chat.reasoning)
    if think is not None:
        body["think"] = think
    if chat.format is not None and chat.format.kind != "text":
        is_schema = chat.format.kind == "schema" and bytes(chat.format.schema)
        body["format"] = chat.format.schema if is_schema else "json"
    if chat.logprobs:
        body["logprobs"] = True
        if chat.top_logprobs is not None:
            body["top_logprobs"] = chat.top_logprobs
    if options := _options(chat):
        body["options"] = options
    _lose_others(chat, losses)
    return _encode(body)


def _options(chat: Chat) -> Json:
    """How the words are chosen."""
    said: Json = {
        "num_predict": chat.max_output,
        "temperature": chat.temperature,
        "top_p": chat.top_p,
        "top_k": chat.top_k,
        "seed": chat.seed,
        "presence_penalty": chat.presence_penalty,
        "frequency_penalty": chat.frequency_penalty,
        "stop": chat.stop or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _think(asked: Reasoning | None) -> str | bool | None:
    """Whether to think, and how much; None for what the model does on its own."""
    if asked is None:
        return None
    if asked.effort is not None:
        return _DEGREES[asked.effort]
    if asked.budget is None:
        return None
    return True if asked.budget < 0 else _DEGREES[effort_of(asked.budget)]


def _tool(tool: Tool, path: str, losses: Losses) -> Json:
    if tool.strict:
        losses.lose(f"{path}.strict", "models are not held to a tool's schema there")
    function: Json = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters if bytes(tool.parameters) else _NO_PARAMETERS,
    }
    return {"type": "function", "function": function}


def _lose_choices(chat: Chat, losses: Losses) -> None:
    if chat.tool_choice is not None and chat.tool_choice.mode != "auto":
        losses.lose("tool_choice", "the model decides whether it calls a tool")
    if chat.parallel_tool_calls is False:
        losses.lose("parallel_tool_calls", "the model decides how many tools it calls at once")


def _lose_others(chat: Chat, losses: Losses) -> None:
    """What Ollama has no word for. A cache's key is a hint that it does not need."""
    if chat.n is not None and chat.n != 1:
        losses.lose("n", "there is one answer")
    if bytes(chat.logit_bias) not in (b"", b"{}"):
        losses.lose("logit_bias")
    if chat.verbosity not in ("", "medium"):
        losses.lose("verbosity")
    if chat.service_tier not in ("", "auto", "default", "standard", "standard_only"):
        losses.lose("service_tier")
    if chat.metadata:
        losses.lose("metadata")
    if chat.user:
        losses.lose("user")
