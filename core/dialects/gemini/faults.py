"""Errors of the Gemini wire, which are Google's: a code, a name for it, and details of known kinds.

A key that is not valid comes as 400, with a detail that says so; so does an account or a country that may not
use the API. For a caller these are the provider's affairs, and another provider may do better.

Source: https://google.aip.dev/193
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from core.dialects.canonical import Fault

_MOST_SECONDS: Final = 10**6
_DELAY: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
# The HTTP status of each name, and the name of each HTTP status: Google's table.
STATUSES: Final = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_NAMES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}


class _Detail(msgspec.Struct, rename={"retry_delay": "retryDelay"}):
    reason: str | None = None
    retry_delay: str | None = None


class _Error(msgspec.Struct):
    code: int | None = None
    message: str | None = None
    status: str | None = None
    details: list[_Detail] | None = None


class _PlainError(msgspec.Struct):
    message: str | None = None


class _Body(msgspec.Struct):
    error: _Error | None = None


class _PlainBody(msgspec.Struct):
    error: _PlainError | None = None


_Bodies: TypeAlias = _Body | list[_Body]
_PlainBodies: TypeAlias = _PlainBody | list[_PlainBody]

_decode: Callable[[bytes], _Bodies] = msgspec.json.Decoder(_Bodies, strict=False).decode
_decode_plain: Callable[[bytes], _PlainBodies] = msgspec.json.Decoder(_PlainBodies, strict=False).decode
_encode = msgspec.json.Encoder().encode


def read_fault(status: int, body: bytes) -> Fault:
    """An error answer; what is no such object is told by its HTTP status alone."""
    found = _error(body)
    if found is None:
        return Fault(status, _plain_message(body) or f"the provider answered {status}")
    details = found.details or []
    reason = next((each.reason for each in details if each.reason), "")
    name = found.status or ""
    return Fault(
        status=_meant(status, name, reason),
        message=found.message or f"the provider answered {status}",
        kind=name,
        code=reason,
        retry_after=next((delay for each in details if (delay := _seconds(each.retry_delay)) is not None), None),
    )


def fault_of(status: int, payload: bytes) -> Fault:
    """An error inside a stream: its own code is the HTTP status that it would have had; status: where it has none."""
    found = _error(payload)
    code = found.code if found is not None else None
    name = (found.status if found is not None else None) or ""
    own = code if code is not None and 400 <= code <= 599 else STATUSES.get(name, status)
    return read_fault(own, payload)


def write_fault(fault: Fault) -> bytes:
    """The body of an error for a caller."""
    known = STATUSES.get(fault.kind) == fault.status
    name = fault.kind if known else _NAMES.get(fault.status) or ("INTERNAL" if fault.status >= 500 else _NAMES[400])
    error: dict[str, object] = {"code": fault.status, "message": fault.message, "status": name}
    if fault.retry_after is not None:
        delay = f"{fault.retry_after:.3f}".rstrip("0").rstrip(".") + "s"
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    return _encode({"error": error})


def _error(body: bytes) -> _Error | None:
    try:
        found = _decode(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, list):  # of a stream that was not asked for as events
        return next((each.error for each in found if each.error is not None), None)
    return found.error


def _plain_message(body: bytes) -> str:
    """What an error says whose other fields are not what Google's are."""
    try:
        found = _decode_plain(body)
    except (ValueError, RecursionError):
        return ""
    error = next((each.error for each in found), None) if isinstance(found, list) else found.error
    return (error.message or "") if error is not None else ""


def _meant(status: int, name: str, reason: str) -> int:
    """The status that an error should have had."""
    if reason == "API_KEY_INVALID":
        return 401
    if name == "FAILED_PRECONDITION" and status == 400:  # no billing, or not in this country
        return 403
    return status


def _seconds(delay: str | None) -> float | None:
    found = _DELAY.fullmatch(delay) if delay else None
    return min(float(found[1]), _MOST_SECONDS) if found is not None else None
