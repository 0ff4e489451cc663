"""Ollama's errors: `{"error": "…"}`, as an answer and as a line of a stream."""

import msgspec

from core.dialects.canonical import NO_JSON, Fault


class _Body(msgspec.Struct):
    error: msgspec.Raw = NO_JSON


class _Worded(msgspec.Struct):
    message: str | None = None
    type: str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_error = msgspec.json.Decoder(str | _Worded | None).decode


def read_fault(status: int, body: bytes) -> Fault:
    """An error answer. Never raises."""
    try:
        return fault_of(status, _decode(body).error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return fault_of(status, NO_JSON)


def fault_of(status: int, error: msgspec.Raw) -> Fault:
    """The error that stands in the field `error`. Never raises."""
    try:
        said = _decode_error(error) if bytes(error) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    otherwise = f"the provider answered {status}"
    if isinstance(said, _Worded):
        return Fault(status=status, message=said.message or otherwise, kind=said.type or "")
    return Fault(status=status, message=said or otherwise)
