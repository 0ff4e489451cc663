"""Errors on the Anthropic wire: `{"type": "error", "error": {"type": …, "message": …}}`.

Wire: https://platform.claude.com/docs/en/api/errors
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from core.dialects.anthropic.stream import STATUSES
from core.dialects.canonical import Fault

_BAD_GATEWAY: Final = 502
_MOST_MESSAGE: Final = 4000  # characters of what is no JSON

_KINDS: Final[Mapping[int, str]] = {status: kind for kind, status in STATUSES.items()} | {
    408: "timeout_error",
    409: "conflict_error",
    503: "overloaded_error",
}


class _Details(msgspec.Struct):
    error_code: str | None = None


class Failure(msgspec.Struct):
    """The error object."""

    type: str | None = None
    message: str | None = None
    details: _Details | None = None


class _Body(msgspec.Struct):
    error: Failure | str | None = None
    message: str | None = None  # some vendors' proxies


_decode = msgspec.json.Decoder(_Body).decode
_encode = msgspec.json.Encoder().encode


def read_fault(status: int, body: bytes) -> Fault:
    """An error answer of a provider, whatever it is; what can't be read is the message as it stands."""
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _Body()
    if isinstance(found.error, Failure):
        return fault_of(found.error, status)
    text = found.error or found.message or body[:_MOST_MESSAGE].decode(errors="replace").strip()
    return Fault(status=_an_error(status, ""), message=text or "the provider answered with an error")


def fault_of(failure: Failure, status: int = 0) -> Fault:
    """An error object. status: of HTTP, 0 where it came in a stream."""
    kind = failure.type or ""
    return Fault(
        status=_an_error(status, kind),
        message=failure.message or kind or "the provider answered with an error",
        kind=kind,
        code=failure.details.error_code or "" if failure.details else "",
    )


def write_fault(fault: Fault) -> bytes:
    """The body of an error answer, which is that of an error event too."""
    return _encode({"type": "error", "error": {"type": kind_of(fault.status), "message": fault.message}})


def kind_of(status: int) -> str:
    """The type of an error by its HTTP status."""
    return _KINDS.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


def _an_error(status: int, kind: str) -> int:
    return status if status >= 400 else STATUSES.get(kind, _BAD_GATEWAY)
