"""One end of an HTTP/2 connection for tests: it notes what comes, and its transport leads nowhere.

peer = Peer()
peer.data_received(PREFACE_OF_NOBODY)
peer.frames()        what it sent, frame by frame
"""

from dataclasses import dataclass
from typing import Any, Final

from facade.http2 import Headers, Http2

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20
INITIAL_WINDOW: Final = 65_535


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it is on the wire."""

    kind: int
    flags: int = 0
    stream: int = 1
    payload: bytes = b""

    def __bytes__(self) -> bytes:
        head = len(self.payload).to_bytes(3) + bytes([self.kind, self.flags]) + self.stream.to_bytes(4)
        return head + self.payload


def setting(name: int, value: int) -> Frame:
    return Frame(SETTINGS, 0, 0, name.to_bytes(2) + value.to_bytes(4))


def update(stream: int, increment: int) -> Frame:
    return Frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4))


def message(data: bytes, *, compressed: int = 0) -> bytes:
    """A message as gRPC frames it."""
    return bytes([compressed]) + len(data).to_bytes(4) + data


def frames_in(data: bytes) -> list[Frame]:
    """The frames that these bytes are; they must be whole."""
    found: list[Frame] = []
    while data:
        size = int.from_bytes(data[:3])
        assert len(data) >= 9 + size
        found.append(Frame(data[3], data[4], int.from_bytes(data[5:9]), data[9 : 9 + size]))
        data = data[9 + size :]
    return found


class Nowhere:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0


class Peer(Http2):
    """An end that notes what comes."""

    def __init__(self, max_message: int = 2**31) -> None:
        super().__init__(max_message)
        self.headers: list[tuple[Headers, bool]] = []
        self.messages: list[bytes] = []
        self.ends: list[Exception | None] = []
        self.nowhere = Nowhere()
        transport: Any = self.nowhere
        self.connection_made(transport)

    def header_block(self, headers: Headers, *, last: bool) -> None:
        self.headers.append((headers, last))

    def message(self, data: bytes) -> None:
        self.messages.append(data)

    def ended(self, error: Exception | None) -> None:
        self.ends.append(error)

    def receive(self, *frames: Frame) -> None:
        self.data_received(b"".join(map(bytes, frames)))

    def sent(self) -> bytes:
        """What it has sent since the last time."""
        sent = bytes(self.nowhere.written)
        self.nowhere.written.clear()
        return sent

    def frames(self) -> list[Frame]:
        """The same, frame by frame."""
        return frames_in(self.sent())
