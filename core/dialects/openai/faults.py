"""Errors on the OpenAI wire, read from providers and written for callers.

    {"error": {"message": …, "type": …, "param": …, "code": …}}

OpenAI's SDK raises the class of the HTTP status, so a status that a vendor gets wrong is put right by what the
error says: https://platform.openai.com/docs/guides/error-codes
"""

import re
from typing import Final

import msgspec

from core.dialects.canonical import Fault
from core.dialects.openai import answer as wire

_STATUSES: Final = {
    "invalid_api_key": 401,
    "authentication_error": 401,
    "unauthorized": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "context_length_exceeded": 400,
    "invalid_request_error": 400,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "rate_limit_reached": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "insufficient_balance": 429,
    "overloaded_error": 503,
    "engine_overloaded_error": 503,
    "service_unavailable": 503,
    "server_error": 500,
}
"""By the code or the type of an error; the code says more, and comes first."""

_BY_STATUS: Final = {402: 429, 422: 400, 498: 503, 529: 503}
"""No money left (OpenAI: insufficient_quota), a body that is not valid, Groq's and Anthropic's words for busy."""

_WRONG_KEY: Final = re.compile(
    r"\b(api|access) ?key\b.*\b(invalid|incorrect|not valid)|\b(invalid|incorrect) api.?key", re.I
)
_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_CODES: Final = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_KINDS: Final = frozenset(
    {"invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "server_error"}
    | {"insufficient_quota", "not_found_error", "requests", "tokens"}
)
_NO_QUOTA: Final = "insufficient_quota"
_MOST_TEXT: Final = 4000

_encode = msgspec.json.Encoder().encode


def read_fault(status: int, body: bytes) -> Fault:
    """An error answer, or an error inside a stream; never raises."""
    said = wire.read_fault(body)
    message = said.message or _plain_text(body) or f"the provider answered with status {status}"
    told = _told(status, said, message)
    code = said.code
    if told == 429 and (status == 402 or said.code == "402"):
        code = _NO_QUOTA
    return Fault(told, message[:_MOST_TEXT], said.type, "" if code.isdigit() else code, said.param)


def write_fault(fault: Fault) -> bytes:
    """The body of an error answer."""
    return _encode({"error": error_of(fault)})


def error_of(fault: Fault) -> dict[str, str | None]:
    """The object of an error."""
    kind = fault.kind if fault.kind in _KINDS else _kind(fault)
    code = fault.code or _CODES.get(fault.status)
    return {"message": fault.message, "type": kind, "param": fault.param or None, "code": code or None}


def _kind(fault: Fault) -> str:
    if fault.code == _NO_QUOTA:
        return _NO_QUOTA
    return _TYPES.get(fault.status, "server_error" if fault.status >= 500 else "invalid_request_error")


def _told(status: int, said: wire.Fault, message: str) -> int:
    """The status that an error should have had."""
    if status < 400 or status == 502:  # inside a stream, or a proxy's: vendors give the number in the error
        number = int(said.code) if said.code.isdigit() and len(said.code) == 3 else 0
        status = number if 400 <= number <= 599 else max(status, 502)
    status = _BY_STATUS.get(status, status)
    named = _STATUSES.get(said.code.lower()) or _STATUSES.get(said.type.lower())
    if named == 500:
        return max(status, named)
    if (named == 400 or named is None) and status in (400, 500) and _WRONG_KEY.search(message[:500]):
        return 401
    if named == 400 and status < 500:
        return status  # the type that OpenAI gives to all that is the caller's fault
    return named or status


def _plain_text(body: bytes) -> str:
    """A body that is no JSON, as its text: proxies answer in HTML and in a few words."""
    text = body[:_MOST_TEXT].decode(errors="replace").strip()
    return "" if text.startswith(("{", "[", "<")) else text
