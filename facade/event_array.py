"""Streams as Google's APIs have them where nobody asked for events: one JSON array that grows as the answer does."""

import re
from typing import Final

CONTENT_TYPE: Final = "application/json; charset=utf-8"

_BLANK: Final = re.compile(rb"\n\n|\r\n\r\n")


class EventArray:
    """Makes the array of one stream of server-sent events, which may be torn anywhere."""

    __slots__ = ("_begun", "_rest")

    def __init__(self) -> None:
        self._begun = False
        self._rest = bytearray()  # less than an event

    def put(self, data: bytes) -> bytes:
        """Takes a piece of the stream; returns what the array gains by it, b"" for nothing yet."""
        seen = max(len(self._rest) - 3, 0)  # of a blank line that may have come by halves
        self._rest += data
        if _BLANK.search(self._rest, seen) is None:
            return b""
        *events, rest = _BLANK.split(bytes(self._rest))
        self._rest = bytearray(rest)
        return b"".join([self._item(payload) for event in events if (payload := _payload(event))])

    def end(self) -> bytes:
        """What closes the array."""
        last = self.put(b"\n\n") if self._rest else b""
        return last + (b"\n]" if self._begun else b"[]")

    def _item(self, payload: bytes) -> bytes:
        before, self._begun = b",\r\n" if self._begun else b"[", True
        return before + payload


def _payload(event: bytes) -> bytes:
    """The data of an event, b"" where it is a comment."""
    return b"\n".join([line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")])
