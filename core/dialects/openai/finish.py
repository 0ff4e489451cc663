"""Why an answer ended, in OpenAI's words and in those of vendors that speak its wire."""

from typing import Final

from core.dialects.canonical import Finish

_READ: Final[dict[str, Finish]] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "refusal": "refusal",
}
_BROKE_OFF: Final = frozenset({"error", "insufficient_system_resource", "network_error"})
_WRITTEN: Final[dict[Finish, str]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
}


def broke_off(reason: str) -> bool:
    """Whether the provider failed in the middle: OpenRouter, DeepSeek and Zhipu say so in this place."""
    return reason in _BROKE_OFF


def read_finish(reason: str, *, calls: bool, refused: bool) -> Finish:
    """Why, where the answer calls tools or is a refusal. Vendors say "stop" behind tool calls, too."""
    finish = _READ.get(reason.lower(), "stop")
    if finish in ("stop", "tool_calls"):
        if calls:
            return "tool_calls"
        return "refusal" if refused else "stop"
    return finish


def write_finish(finish: Finish, *, refused: bool, functions: bool) -> str:
    """The reason in OpenAI's words; refused: the answer has said so; functions: the caller has no tools yet."""
    if finish == "refusal" and refused:
        return "stop"
    if finish == "tool_calls" and functions:
        return "function_call"
    return _WRITTEN[finish]
