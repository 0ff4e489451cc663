"""Bedrock's errors: answers, and exceptions inside a stream.

An answer's body is `{"message": …}`; the name of the exception stands in a header, so that its status says
which it is. Some statuses mean something of their own there, and become what they mean everywhere else.
Names: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from core.dialects.canonical import Fault

_STATUSES: Final[Mapping[str, int]] = {
    "accessdenied": 403,
    "expiredtoken": 403,
    "internalfailure": 500,
    "internalserver": 500,
    "invalidsignature": 403,
    "modelerror": 502,
    "modelnotready": 503,
    "modelstreamerror": 502,
    "modeltimeout": 504,
    "resourcenotfound": 404,
    "servicequotaexceeded": 429,
    "serviceunavailable": 503,
    "throttling": 429,
    "unrecognizedclient": 403,
    "validation": 400,
}
_MEANINGS: Final[Mapping[int, int]] = {408: 504, 424: 502}
"""A model that took too long, and one that failed; both are told as if the caller had failed."""


class _Body(msgspec.Struct):
    message: str | None = None
    message_by_others: str | None = msgspec.field(default=None, name="Message")
    kind: str | None = msgspec.field(default=None, name="__type")


_decode = msgspec.json.Decoder(_Body).decode


def read_fault(status: int, body: bytes) -> Fault:
    """An error answer. Never raises."""
    told = _told(body)
    kind = (told.kind or "").rpartition("#")[2]
    message = told.message or told.message_by_others or f"the provider answered {status}"
    named = status_of(kind, 0)
    return Fault(status=named or _MEANINGS.get(status, status), message=message, kind=kind)


def read_exception(name: str, body: bytes | msgspec.Raw) -> Fault:
    """An exception inside a stream. Never raises."""
    told = _told(body)
    message = told.message or told.message_by_others or "the provider ended the stream with an error"
    return Fault(status=status_of(name, 500), message=message, kind=name)


def status_of(name: str, otherwise: int) -> int:
    """The status of an exception by its name, in whatever case it comes."""
    short = name.lower().removesuffix("exception")
    return _STATUSES.get(short, _STATUSES.get(short.removesuffix("error"), otherwise))


def _told(body: bytes | msgspec.Raw) -> _Body:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Body()
