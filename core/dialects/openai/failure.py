"""A stream of the OpenAI wire that begins with an error.

Some providers have sent their status 200 by the time they find out.
"""

from typing import Any

import msgspec

_BAD_GATEWAY = 502


class _Failure(msgspec.Struct):
    code: Any = None


class _Event(msgspec.Struct):
    error: _Failure | str | None = None
    choices: msgspec.Raw | None = None


_decode_event = msgspec.json.Decoder(_Event).decode


def first_failure(first: bytes) -> tuple[int, bytes] | None:
    """The status and the body of the error that a stream begins with, None where it does not."""
    if b'"error"' not in first:
        return None
    payload = next(line for line in first.splitlines() if line.startswith(b"data:"))[5:].strip()
    try:
        event = _decode_event(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # not what we know; the caller may
    if event.error is None or event.choices is not None:
        return None
    code = event.error.code if isinstance(event.error, _Failure) else None
    return (code if isinstance(code, int) and 400 <= code <= 599 else _BAD_GATEWAY), payload
