"""Errors of the Responses wire: OpenAI's error object, and the errors inside its streams."""

from typing import Any, Final

import msgspec

from core.dialects.canonical import Fault

_STATUSES: Final = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "vector_store_timeout": 504,
    "context_length_exceeded": 400,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
}
"""Code or type of an error inside a stream → the status that it would have had."""
_KINDS: Final = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "invalid_request_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_BAD_GATEWAY: Final = 502
_LONGEST: Final = 4000  # characters of a message that is no JSON


class Told(msgspec.Struct):
    """An error object; what stands in it differs from vendor to vendor."""

    message: Any = None
    type: Any = None
    code: Any = None
    param: Any = None


class _Body(msgspec.Struct):
    error: Told | str | None = None
    message: Any = None
    detail: Any = None


_decode_body = msgspec.json.Decoder(_Body).decode


def read_fault(status: int, body: bytes) -> Fault:
    """An error answer of a provider's."""
    try:
        found = _decode_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body.decode(errors="replace").strip()[:_LONGEST]
        return Fault(status, text or f"the provider answered {status}")
    told = found.error if isinstance(found.error, Told) else Told(found.error or found.message or found.detail)
    return fault_of(told, status)


def fault_of(told: Told, status: int = 0) -> Fault:
    """A fault of an error object; status: 0 for one inside a stream."""
    code, kind = _text(told.code), _text(told.type)
    status = status or _STATUSES.get(code) or _STATUSES.get(kind) or _number(code) or _BAD_GATEWAY
    return Fault(status, _text(told.message) or f"the provider answered {status}", kind, code, _text(told.param))


def write_fault(fault: Fault) -> bytes:
    """The body of an error answer."""
    return msgspec.json.encode({
        "error": {
            "message": fault.message,
            "type": _KINDS.get(fault.status, "server_error"),
            "param": fault.param or None,
            "code": fault.code or None,
        }
    })  # fmt: skip


def in_stream(fault: Fault) -> dict[str, Any]:
    """What the event of an error has."""
    code = fault.code or ("rate_limit_exceeded" if fault.status == 429 else "server_error")
    return {"code": code, "message": fault.message, "param": fault.param or None}


def _number(code: str) -> int:
    """Vendors put a status there."""
    return int(code) if code.isdigit() and len(code) == 3 and code[0] in "45" else 0


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()
