"""Tool calls as answers have them, read the same from whole answers and from streams."""

from typing import Final

import msgspec

from core.dialects.openai.answer import Function, ToolCall
from core.dialects.openai.body import ExtraContent

_decode_extra = msgspec.json.Decoder(ExtraContent | None).decode
NO_FUNCTION: Final = Function()


def signature_of(call: ToolCall) -> str:
    """The proof of the thought behind a call, where Google's endpoint for this wire puts it."""
    raw = bytes(call.extra_content)
    if not raw:
        return ""
    try:
        extra = _decode_extra(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""  # another vendor's, with another meaning
    google = extra.google if extra is not None else None
    return (google.thought_signature if google is not None else None) or ""
