"""A provider's error under a status of 200, of whatever wire: an object with `error` and nothing of an answer.

As vendors have it:

    {"error": {"message": …, "code": 429}}      {"type": "error", "error": {…}}      {"error": "no such model"}
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from core.dialects.canonical import Fault

_BAD_GATEWAY: Final = 502
_NOTHING: Final = msgspec.Raw(b"")
# A quotation mark inside a JSON string is escaped, so this never matches what a model said.
_ERROR: Final = re.compile(rb'"error"\s*:\s*[{"]')
_OBJECT: Final = re.compile(rb"\s*\{")
_EMPTY: Final = frozenset((b"", b"null", b"[]", b"{}", b'""'))
_ANSWERS: Final = ("choices", "content", "candidates", "output", "data", "results", "embedding", "embeddings", "text")
_NUMBERS: Final = ("code", "status", "status_code")

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode


def reported_status(body: bytes) -> int | None:
    """None for an answer; of an error the HTTP status that it names as a number, 0 where it names none."""
    if _ERROR.search(body) is None or _OBJECT.match(body) is None:
        return None
    fields = _fields(body)
    error = bytes(fields.get("error", _NOTHING))
    if error in _EMPTY or not error.startswith((b"{", b'"')):
        return None
    if any(bytes(fields.get(name, _NOTHING)) not in _EMPTY for name in _ANSWERS):
        return None
    if bytes(fields.get("message", _NOTHING)).startswith(b"{"):  # Ollama's answer
        return None
    return _number(_fields(error)) or _number(fields)


def status_of(body: bytes, read_fault: Callable[[int, bytes], Fault]) -> int | None:
    """None for an answer; of an error the status that it would have had: as it names it, else by the wire's word."""
    status = reported_status(body)
    return None if status is None else status or read_fault(0, body).status or _BAD_GATEWAY


def is_json(body: bytes) -> bool:
    """Whether a body is JSON."""
    try:
        _decode_any(body)
    except (ValueError, RecursionError):
        return False
    return True


def _fields(data: bytes) -> Mapping[str, msgspec.Raw]:
    try:
        return _decode(data)
    except (ValueError, RecursionError):
        return {}


def _number(fields: Mapping[str, msgspec.Raw]) -> int:
    """A status by one of its names, as a number or as the text of one; 0 for none."""
    for name in _NUMBERS:
        text = bytes(fields.get(name, _NOTHING)).strip(b'"')
        if len(text) == 3 and text.isdigit() and text[:1] in b"45":
            return int(text)
    return 0
