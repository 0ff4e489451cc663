"""As much of HTTP/2 (RFC 9113) as one long-lived gRPC stream needs, for either end of it.

    bytes ─► frames ─► header_block, message, ended        what the two ends make of it
    send_message ─► DATA frames, as far as the other side's windows go ─► bytes

A message of a busy stream costs a few microseconds here. The gRPC library hands each over between
three threads, which is ten times as much and a tenth of a millisecond of waiting. On the wire the two
are the same, so either end may be the library's.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, cast

import hpack

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_WINDOW: Final = 2**31 - 1

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_OF_THE_STREAM: Final = (_DATA, _HEADERS, _RST_STREAM, _CONTINUATION)
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 2, 4, 5
_PROTOCOL_ERROR: Final = 1
_LARGEST_FRAME: Final = 2**24 - 1
_CANCEL: Final = 8

_INITIAL_WINDOW = 65_535
_FRAME = 16_384  # the size that everybody takes
_OUR_FRAME = 1024 * 1024  # the size that we take
_MAX_HEADER_BLOCK = 64 * 1024
_REPLENISH = MAX_WINDOW // 2
_FAREWELL = 1.0  # seconds that the other side has to read the end and hang up too

Headers = Sequence[tuple[str, str]]


class ProtocolError(Exception):
    """The other side does not speak HTTP/2, or not as we understand it."""


class Http2(asyncio.Protocol):
    """One connection with one stream on it, number 1."""

    def __init__(self, max_message: int) -> None:
        """max_message: bytes; a longer one ends the connection."""
        self._max_message = max_message
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()  # less than a frame
        self._message = bytearray()  # less than a message
        self._block = bytearray()  # less than a block of headers
        self._block_ends = False
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self._decoder.max_header_list_size = _MAX_HEADER_BLOCK
        self._consumed = 0  # bytes since the other side's windows were replenished
        self._connection_window = self._stream_window = self._first_window = _INITIAL_WINDOW
        self._frame = _FRAME
        self._unsent: deque[memoryview] = deque()  # what the other side's windows hold up
        self._unsent_bytes = 0
        self._paused = False  # the transport has too much to write
        self._room = asyncio.Event()
        self._room.set()
        self._over = False
        self._leaving: asyncio.TimerHandle | None = None

    # What an end makes of it.

    def header_block(self, headers: Headers, *, last: bool) -> None:
        """Headers have come; last: nothing comes after them."""
        raise NotImplementedError

    def message(self, data: bytes) -> None:
        """A message has come."""
        raise NotImplementedError

    def ended(self, error: Exception | None) -> None:
        """Nothing more will come: the stream was ended, reset, or the connection lost. Called once."""
        raise NotImplementedError

    # What an end can do.

    @property
    def waiting(self) -> int:
        """Bytes that were sent and have not left yet."""
        buffered = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return buffered + self._unsent_bytes

    @property
    def held_up(self) -> bool:
        """Whether the other side's windows hold up what was sent."""
        return bool(self._unsent)

    def begin(self, preface: bytes) -> None:
        """Says what we take; the first thing that is sent."""
        values = ((_ENABLE_PUSH, 0), (_INITIAL_WINDOW_SIZE, MAX_WINDOW), (_MAX_FRAME_SIZE, _OUR_FRAME))
        settings = b"".join(name.to_bytes(2) + value.to_bytes(4) for name, value in values)
        opening = _frame(_SETTINGS, 0, 0, settings)
        self._write(preface + opening + _frame(_WINDOW_UPDATE, 0, 0, (MAX_WINDOW - _INITIAL_WINDOW).to_bytes(4)))

    def send_headers(self, headers: Headers, *, last: bool = False) -> None:
        flags = _END_HEADERS | (_END_STREAM if last else 0)
        self._write(_frame(_HEADERS, flags, 1, self._encoder.encode(headers)))

    def send_message(self, data: bytes) -> None:
        """Sends one gRPC message, uncompressed."""
        framed = b"\0" + len(data).to_bytes(4) + data
        size = len(framed)
        if self._unsent or size > self._frame or size > self._stream_window or size > self._connection_window:
            self._unsent.append(memoryview(framed))
            self._unsent_bytes += size
            self._send_unsent()
            return
        self._stream_window -= size
        self._connection_window -= size
        self._write(_frame(_DATA, 0, 1, framed))

    def reset(self) -> None:
        """Cancels the stream and ends the connection."""
        self._write(_frame(_RST_STREAM, 0, 1, _CANCEL.to_bytes(4)))
        self.hang_up()

    def ping(self) -> None:
        self._write(_frame(_PING, 0, 0, b"llmroute"))

    def hang_up(self) -> None:
        """Ends the connection when all that was sent has left."""
        if self._transport is not None:
            self._transport.close()

    def leave(self) -> None:
        """Lets the other side hang up once it has read the stream's end, for which it has some seconds.

        The gRPC library, when it is hung up on, often knows of that before it has looked at what was said last.
        """
        if self._transport is None or self._transport.is_closing() or self._leaving is not None:
            return
        self._write(_frame(_GOAWAY, 0, 0, (1).to_bytes(4) + bytes(4)))
        self._leaving = asyncio.get_running_loop().call_later(_FAREWELL, self.hang_up)
        self.go_on_reading()

    def abort(self) -> None:
        """Ends the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    async def drained(self) -> None:
        """Returns when the other side has taken most of what was sent."""
        await self._room.wait()

    def stop_reading(self) -> None:
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def go_on_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        self._paused = True
        self._note_room()

    def resume_writing(self) -> None:
        self._paused = False
        self._note_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._leaving is not None:
            self._leaving.cancel()
        self._unsent.clear()
        self._unsent_bytes, self._paused = 0, False
        self._note_room()
        self._end(exc or ConnectionResetError("the connection was closed"))

    def data_received(self, data: bytes) -> None:
        if self._leaving is not None:
            return
        if self._received:
            self._received += data
            whole = self._take_frames(self._received)
            del self._received[:whole]
        else:
            whole = self._take_frames(data)
            if whole != len(data):
                self._received += memoryview(data)[whole:]

    def _take_frames(self, data: bytes | bytearray) -> int:
        """Takes the whole frames; returns how many bytes they are."""
        start, end = 0, len(data)
        try:
            while end - start >= 9:
                size = int.from_bytes(data[start : start + 3])
                if size > _OUR_FRAME:
                    return self._give_up(ProtocolError("a frame is larger than we take"), end)
                stop = start + 9 + size
                if stop > end:
                    break
                stream = int.from_bytes(data[start + 5 : start + 9]) & MAX_WINDOW
                self._take_frame(data[start + 3], data[start + 4], stream, bytes(data[start + 9 : stop]))
                start = stop
        except (ProtocolError, hpack.HPACKError) as error:
            return self._give_up(error, end)
        return start

    def _give_up(self, error: Exception, taken: int) -> int:
        """Ends the connection; all that has come counts as taken."""
        self._write(_frame(_GOAWAY, 0, 0, bytes(4) + _PROTOCOL_ERROR.to_bytes(4)))
        if self._paused:
            self.abort()  # it does not read either
        self.hang_up()
        self._end(error)
        return taken

    def _take_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if stream > 1 or (stream == 0 and kind in _OF_THE_STREAM):
            raise ProtocolError("there is one stream on this connection")
        if kind == _DATA:
            self._take_data(flags, payload)
        elif kind in (_HEADERS, _CONTINUATION):
            self._take_headers(kind, flags, payload)
        elif kind == _WINDOW_UPDATE:
            self._take_increment(stream, payload)
        elif kind == _SETTINGS:
            if not flags & _ACK:
                self._take_settings(payload)
        elif kind == _PING:
            if len(payload) != 8:
                raise ProtocolError("a ping has eight bytes")
            if not flags & _ACK:
                self._write(_frame(_PING, _ACK, 0, payload))
        elif kind == _RST_STREAM:
            self.hang_up()
            self._end(ConnectionResetError("the stream was reset"))
        # GOAWAY says that no further stream will be served; ours ends with an end of its own.

    def _take_data(self, flags: int, payload: bytes) -> None:
        self._consumed += len(payload)
        if self._consumed > _REPLENISH:
            increment, self._consumed = self._consumed.to_bytes(4), 0
            self._write(_frame(_WINDOW_UPDATE, 0, 0, increment) + _frame(_WINDOW_UPDATE, 0, 1, increment))
        if flags & _PADDED:
            payload = _without_padding(payload)
        if self._over:
            return
        if not self._message and len(payload) >= 5 and int.from_bytes(payload[1:5]) == len(payload) - 5:
            self._take_message(payload)
        elif payload:
            self._message += payload
            self._take_messages()
        if flags & _END_STREAM:
            if self._message:
                raise ProtocolError("the stream ends in the middle of a message")
            self._end(None)

    def _take_increment(self, stream: int, payload: bytes) -> None:
        increment = int.from_bytes(payload[:4]) & MAX_WINDOW
        if stream:
            self._stream_window += increment
        else:
            self._connection_window += increment
        if self._stream_window > MAX_WINDOW or self._connection_window > MAX_WINDOW:
            raise ProtocolError("a window is larger than it can be")
        self._send_unsent()

    def _take_messages(self) -> None:
        """Takes the whole messages of what has come in pieces, or several at once."""
        data, start = self._message, 0
        while len(data) - start >= 5:
            size = int.from_bytes(data[start + 1 : start + 5])
            if size > self._max_message:
                raise ProtocolError("a message is larger than we take")
            if len(data) - start < 5 + size:
                break
            self._take_message(bytes(data[start : start + 5 + size]))
            start += 5 + size
        del data[:start]

    def _take_message(self, framed: bytes) -> None:
        if framed[0]:
            raise ProtocolError("a message is compressed")
        if len(framed) > 5 + self._max_message:
            raise ProtocolError("a message is larger than we take")
        self.message(framed[5:])

    def _take_headers(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _HEADERS:
            if flags & _PADDED:
                payload = _without_padding(payload)
            if flags & _PRIORITY:
                payload = payload[5:]
            self._block_ends = bool(flags & _END_STREAM)
        self._block += payload
        if len(self._block) > _MAX_HEADER_BLOCK:
            raise ProtocolError("the headers are too large")
        if flags & _END_HEADERS:
            block, self._block = bytes(self._block), bytearray()
            headers = [(_text(name), _text(value)) for name, value in self._decoder.decode(block, raw=True)]
            if self._over:
                return
            self.header_block(headers, last=self._block_ends)
            if self._block_ends:
                self._end(None)

    def _take_settings(self, payload: bytes) -> None:
        for start in range(0, len(payload) - 5, 6):
            name, value = int.from_bytes(payload[start : start + 2]), int.from_bytes(payload[start + 2 : start + 6])
            if name == _INITIAL_WINDOW_SIZE:
                if value > MAX_WINDOW:
                    raise ProtocolError("a window is larger than it can be")
                self._stream_window += value - self._first_window
                self._first_window = value
            elif name == _MAX_FRAME_SIZE:
                if not _FRAME <= value <= _LARGEST_FRAME:
                    raise ProtocolError("a largest frame that HTTP/2 does not have")
                self._frame = value
            elif name == 1:
                self._encoder.header_table_size = min(value, 4096)
        self._write(_frame(_SETTINGS, _ACK, 0, b""))
        self._send_unsent()

    def _send_unsent(self) -> None:
        """Sends of what waits as much as the windows let through."""
        while self._unsent:
            size = min(len(self._unsent[0]), self._frame, self._stream_window, self._connection_window)
            if size <= 0:
                break
            data = self._unsent.popleft()
            if size < len(data):
                self._unsent.appendleft(data[size:])
            self._unsent_bytes -= size
            self._stream_window -= size
            self._connection_window -= size
            self._write(_frame(_DATA, 0, 1, data[:size]))
        self._note_room()

    def _note_room(self) -> None:
        if self._paused or self._unsent:
            self._room.clear()
        else:
            self._room.set()

    def _end(self, error: Exception | None) -> None:
        if not self._over:
            self._over = True
            self.ended(error)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and self._leaving is None and not self._transport.is_closing():
            self._transport.write(data)


def _frame(kind: int, flags: int, stream: int, payload: bytes | memoryview) -> bytes:
    return b"%b%c%c%b%b" % (len(payload).to_bytes(3), kind, flags, stream.to_bytes(4), payload)


def _without_padding(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ProtocolError("there is more padding than there is of the frame")
    return payload[1 : len(payload) - payload[0]]


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
