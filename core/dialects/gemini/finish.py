"""Why an answer ended, in Gemini's words and in everybody's.

Gemini knows two good ends. Every other says that it held something back: for what was said, or because what
the model wrote was no call of a function. So none of those may look like a complete answer.

Source: https://ai.google.dev/api/generate-content#FinishReason
"""

from typing import Final

from core.dialects.canonical import Finish

_READ: Final[dict[str, Finish]] = {
    "STOP": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "OTHER": "content_filter",
    "MALFORMED_FUNCTION_CALL": "content_filter",
    "MALFORMED_RESPONSE": "content_filter",
    "UNEXPECTED_TOOL_CALL": "content_filter",
    "TOO_MANY_TOOL_CALLS": "content_filter",
    "MISSING_THOUGHT_SIGNATURE": "content_filter",
    "ESCALATION": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
    "NO_IMAGE": "content_filter",
}
WRITTEN: Final[dict[Finish, str]] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "PROHIBITED_CONTENT",
    "pause": "OTHER",
}
MALFORMED_CALL: Final = "MALFORMED_FUNCTION_CALL"
"""Of a call whose arguments broke off, which can't be written as the object that the wire wants."""


def finish_of(reason: str | None, *, called: bool) -> Finish:
    """called: the model called functions, which Gemini does not count as an end of its own."""
    finish = _READ.get(reason, "content_filter") if reason else "stop"
    return "tool_calls" if called and finish == "stop" else finish
