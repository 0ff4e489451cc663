"""Server-sent events as bytes. Lines may end in LF or CRLF; the network may cut anywhere."""

import re
from collections.abc import Iterator

_END = re.compile(rb"\n\n|\r\n\r\n")


def last_event_end(data: bytes) -> int:
    """Where the last whole event ends, 0 where there is none."""
    by_lf, by_crlf = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(by_lf + 2 if by_lf >= 0 else 0, by_crlf + 4 if by_crlf >= 0 else 0)


def payloads(data: bytes) -> Iterator[bytes]:
    """The JSON of each event that has an object, in their order."""
    for event in _END.split(data):
        lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
        payload = lines[0] if len(lines) == 1 else b"\n".join(lines)
        if payload.startswith(b"{"):
            yield payload
