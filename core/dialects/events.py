"""Server-sent events as bytes. Lines may end in LF or CRLF; the network may cut anywhere."""

import re
from collections.abc import Iterator

# An event larger than this is passed on unread, so that memory has a bound.
MAX_EVENT_BYTES = 4 * 1024 * 1024

_END = re.compile(rb"\n\n|\r\n\r\n")


def whole_events(data: bytes) -> tuple[bytes, bytes]:
    """The whole events that data begins with, and the torn one that waits for its rest."""
    if data.endswith(b"\n\n"):
        return data, b""
    by_lf, by_crlf = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    cut = max(by_lf + 2 if by_lf >= 0 else 0, by_crlf + 4 if by_crlf >= 0 else 0)
    return (data[:cut], data[cut:]) if len(data) - cut <= MAX_EVENT_BYTES else (data, b"")


def events(data: bytes) -> Iterator[bytes]:
    """The events of a block, each with the blank line that ends it."""
    start = 0
    for blank in _END.finditer(data):
        yield data[start : blank.end()]
        start = blank.end()
    if start < len(data):
        yield data[start:]


def payload(event: bytes) -> bytes:
    """The JSON object of an event, b"" for a comment, an end mark and whatever else is no object."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    data = lines[0] if len(lines) == 1 else b"\n".join(lines)
    return data if data.startswith(b"{") else b""


def payloads(data: bytes) -> Iterator[bytes]:
    """The JSON of each event that has an object, in their order."""
    return filter(None, map(payload, events(data)))
