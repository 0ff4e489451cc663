"""Why an answer ended, in the words of the wire and in ours."""

from collections.abc import Mapping
from typing import Final

from core.dialects.canonical import Finish

_READ: Final[Mapping[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}
_WRITTEN: Final[Mapping[Finish, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
}


def finish_of(reason: str, *, calls: bool) -> Finish:
    """calls: whether tools were called. A reason that is not known here is an end like any other."""
    finish = _READ.get(reason, "stop")
    return "stop" if finish == "tool_calls" and not calls else finish


def reason_of(finish: Finish, stop_sequence: str, *, calls: bool) -> str:
    """Clients call tools where the reason is `tool_use` and only there, so it follows from the calls."""
    if calls and finish == "stop":
        return "tool_use"
    if not calls and finish == "tool_calls":
        return "end_turn"
    return "stop_sequence" if finish == "stop" and stop_sequence else _WRITTEN[finish]
