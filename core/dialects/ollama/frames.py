"""Streams of one JSON object a line (NDJSON), torn anywhere by the network."""

from core.dialects.events import MAX_EVENT_BYTES
from core.dialects.sides import Unreadable

MEDIA_TYPE = "application/x-ndjson"


class LineFrames:
    """Cuts one stream into its lines; empty ones are left out."""

    __slots__ = ("_rest", "_size")

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # pieces of the line that is not complete
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now. Raises Unreadable for a line without end."""
        if b"\n" not in data:
            self._keep(data)
            return []
        first, *lines = data.split(b"\n")
        lines.insert(0, b"".join([*self._rest, first]))
        self._rest, self._size = [], 0
        self._keep(lines.pop())
        return [line for each in lines if (line := each.strip())]

    def end(self) -> list[bytes]:
        """The last line, which may lack its end."""
        line = b"".join(self._rest).strip()
        self._rest, self._size = [], 0
        return [line] if line else []

    def _keep(self, data: bytes) -> None:
        if data:
            self._rest.append(data)
            self._size += len(data)
        if self._size > MAX_EVENT_BYTES:
            raise Unreadable("a line of the stream is too large")
