"""Server-sent events, read by their standard: what translates a stream must understand every event.

Lines may end in LF, CRLF or CR, be torn anywhere, and an event's data may stand on several lines.
(core/dialects/events.py cuts streams that only pass, and reads as little as it can.)

Standard: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re

from core.dialects.events import MAX_EVENT_BYTES
from core.dialects.sides import Unreadable

_LINE = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class SseFrames:
    """Cuts one stream into the data of its events; comments, names and ids of events are left out."""

    __slots__ = ("_begun", "_data", "_rest", "_size")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that is complete now. Raises Unreadable for an event without end."""
        data = self._rest + data
        if not self._begun:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._rest = data
                return []
            self._begun = True
            data = data.removeprefix(_BOM)
        if data.endswith(b"\r"):  # perhaps the first half of CRLF
            data, held = data[:-1], b"\r"
        else:
            held = b""
        lines = _LINE.split(data) if b"\r" in data else data.split(b"\n")
        self._rest = lines.pop() + held
        payloads: list[bytes] = []
        for line in lines:
            self._take(line, payloads)
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise Unreadable("an event of the stream is too large")
        return payloads

    def end(self) -> list[bytes]:
        """The last event, if only the blank line is missing that ends it: vendors forget it."""
        payloads: list[bytes] = []
        for line in _LINE.split(self._rest):
            self._take(line, payloads)
        self._take(b"", payloads)
        self._rest = b""
        return payloads

    def _take(self, line: bytes, payloads: list[bytes]) -> None:
        if not line:
            if self._data:
                payloads.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
                self._size = 0
        elif line.startswith(b"data:"):
            value = line[6:] if line.startswith(b"data: ") else line[5:]
            self._data.append(value)
            self._size += len(value) + 1
