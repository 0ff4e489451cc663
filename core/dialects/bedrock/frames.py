"""The event stream of AWS as bytes: a frame for each event, with check sums, torn anywhere by the network.

    total length, 4 │ length of headers, 4 │ CRC-32 of these, 4 │ headers │ payload │ CRC-32 of all before, 4

A payload does not say which event it is of; its headers do. What comes out here is one JSON object for both,
as in `{"messageStop":{"stopReason":"end_turn"}}`; an exception is such an event too.

Form: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from struct import Struct, error
from zlib import crc32

import msgspec

from core.dialects.events import MAX_EVENT_BYTES
from core.dialects.sides import Unreadable

MEDIA_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = Struct(">III")
_CRC = Struct(">I")
_SHORT = Struct(">H")
_LEAST = _PRELUDE.size + _CRC.size
_MOST_HEADERS = 128 * 1024
_NAME = re.compile(r"[A-Za-z0-9_.#-]{1,200}")

# Types of headers, and how many bytes the values have; those with a length before them are not here.
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES, _STRING = 6, 7

_encode = msgspec.json.Encoder().encode


class EventStreamFrames:
    """Cuts one stream into its events."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are complete now. Raises Unreadable: behind a broken frame no other can be found."""
        rest = self._rest
        rest += data
        payloads: list[bytes] = []
        start = 0
        while len(rest) - start >= _LEAST:
            total, headers, check = _PRELUDE.unpack_from(rest, start)
            if crc32(rest[start : start + 8]) != check:
                raise Unreadable("the stream is not what AWS sends: a frame's check sum is wrong")
            if total > MAX_EVENT_BYTES or headers > min(_MOST_HEADERS, total - _LEAST) or total < _LEAST:
                raise Unreadable("a frame of the stream is too large, or too small")
            if len(rest) - start < total:
                break
            payloads.append(_event(bytes(rest[start : start + total]), headers))
            start += total
        del rest[:start]
        return payloads

    def end(self) -> list[bytes]:
        """A frame that broke off says nothing."""
        self._rest.clear()
        return []


def _event(frame: bytes, headers: int) -> bytes:
    """One frame, of the right length, as JSON. Raises Unreadable."""
    end = len(frame) - _CRC.size
    if crc32(frame[:end]) != _CRC.unpack_from(frame, end)[0]:
        raise Unreadable("a frame of the stream has a wrong check sum")
    body = _PRELUDE.size + headers
    name, message = _told(frame[_PRELUDE.size : body])
    payload = _encode({"message": message}) if message else frame[body:end] or b"{}"
    return b'{"%b":%b}' % (name.encode(), payload)


@lru_cache(maxsize=64)
def _told(headers: bytes) -> tuple[str, str]:
    """The name of a frame's event, and what an error without a payload says. Raises Unreadable."""
    try:
        told = dict(_headers(headers))
    except (error, IndexError, KeyError, UnicodeDecodeError) as cause:
        raise Unreadable("a frame of the stream has broken headers") from cause
    match told.get(":message-type"):
        case "exception":
            name, message = told.get(":exception-type", ""), ""
        case "error":
            code = told.get(":error-code", "")
            name = code if code.endswith("Exception") else f"{code}Error"
            message = told.get(":error-message", "") or "the provider ended the stream with an error"
        case _:
            name, message = told.get(":event-type", ""), ""
    if not _NAME.fullmatch(name):
        raise Unreadable("a frame of the stream does not say what it is")
    return name, message


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    """Those headers that are text."""
    at = 0
    while at < len(data):
        name = data[at + 1 : at + 1 + data[at]].decode()
        at += 1 + data[at]
        kind = data[at]
        at += 1
        if kind not in (_BYTES, _STRING):
            at += _SIZES[kind]
            continue
        (size,) = _SHORT.unpack_from(data, at)
        at += _SHORT.size
        if kind == _STRING:
            yield name, data[at : at + size].decode()
        at += size
