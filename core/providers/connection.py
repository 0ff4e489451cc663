"""One HTTP/1.1 connection to a provider, and the answer that comes on it.

    exchange() ─ one write ─► provider ─► parser (llhttp) ─► head: DirectReply ─► pieces of the body, as they come

No task, timer or stream object is made for any of it; core/providers/direct.py keeps the connections.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from core.clock import Clock
from core.errors import ProviderError, StreamInterrupted
from core.providers.answer_head import AnswerHead
from core.providers.upstream import MAX_ANSWER_BYTES

# How much of an answer may wait here for its caller before the provider is held up; twice as much is the most.
_READ_AHEAD = 32 * 1024
_MAX_HEAD_BYTES = 128 * 1024
# A body larger than this is written by itself rather than copied behind its head.
_LARGE_BODY = 64 * 1024


class Stale(Exception):
    """The connection ended before anything of an answer came."""


class Broken(Exception):
    """What came is not HTTP, or ended in the middle of a head."""


class Keeper(Protocol):
    """Where connections are between their exchanges."""

    def keep(self, connection: "Connection") -> None:
        """The connection may be used again."""
        ...

    def forget(self, connection: "Connection") -> None:
        """The connection has ended."""
        ...


class DirectReply:
    """A provider's answer, read from its connection as it comes."""

    __slots__ = (
        *("_broken", "_connection", "_rest", "_tell", "_waiter"),
        *("content_type", "encoding", "headers", "retry_after", "status"),
    )

    def __init__(self, connection: "Connection", head: AnswerHead, clock: Clock) -> None:
        self._connection: Connection | None = connection  # until the whole body is here
        self._rest = b""  # what has not been taken, once it is
        self._broken = False
        self._tell: Callable[[], None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.status = head.status
        self.content_type = head.content_type
        self.encoding = head.encoding
        self.headers = head.passed_on()
        self.retry_after = head.retry_after(clock)

    async def read(self) -> bytes:
        connection = self._connection
        if connection is not None:
            connection.gather()
            while self._connection is not None:
                await self._wait()
        rest, self._rest = self._rest, b""
        if self._broken:
            fault = "is too large" if len(rest) > MAX_ANSWER_BYTES else "broke off"
            raise ProviderError(f"the provider's answer {fault}")
        return rest

    @property
    def over(self) -> bool:
        return self._connection is None and not self._rest and not self._broken

    def arrived(self) -> bytes:
        if self._connection is not None:
            return self._connection.take()
        rest, self._rest = self._rest, b""
        if not rest and self._broken:
            raise StreamInterrupted
        return rest

    async def more(self) -> None:
        while self._connection is not None and not self._connection.pieces:
            await self._wait()
        if self._broken and not self._rest:
            raise StreamInterrupted

    def notify(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        if self._connection is None or self._connection.pieces:
            tell()

    def close(self) -> None:
        self._tell = None
        if self._connection is not None:
            self._connection.abort()

    def wake(self) -> None:
        """Something has come."""
        if self._tell is not None:
            self._tell()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self, rest: bytes, *, broken: bool) -> None:
        """Nothing more will come; rest: what has come and was not taken."""
        self._connection, self._rest, self._broken = None, rest, broken
        self.wake()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


class Connection(asyncio.BufferedProtocol):
    """One connection: one exchange at a time."""

    # All connections read into the same place, one after the other: what comes is parsed before the next is read.
    _buffer = bytearray(_READ_AHEAD)
    _view = memoryview(_buffer)

    def __init__(self, keeper: "Keeper", loop: asyncio.AbstractEventLoop) -> None:
        self._keeper = keeper
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[DirectReply] | None = None  # for the head of an answer
        self._reply: DirectReply | None = None
        self._clock: Clock | None = None
        self._head: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._waiting_bytes = 0
        self._most_bytes = _READ_AHEAD
        self._paused = False
        self._bounded = False  # the body says itself where it ends
        self._lasts = False  # the server keeps the connection open after the body
        self._whole = -1  # of how many pieces the body is, once it is complete
        self.pieces: list[bytes] = []  # of the body, not taken yet
        self.last_used = 0.0
        # The parser calls these once a header and once a chunk of the body: methods of lists cost it least.
        self.on_body = self.pieces.append
        self._parser = httptools.HttpResponseParser(self)
        # As tolerant of providers' servers as browsers and aiohttp are.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, head: bytes, body: bytes, clock: Clock) -> DirectReply:
        """Sends a request; returns when the head of the answer is there. Raises Stale, Broken."""
        if self._transport is None or self._transport.is_closing():
            raise Stale
        self._clock = clock
        self._head_bytes, self._whole = 0, -1
        waiting = self._waiting = self._loop.create_future()
        if len(body) < _LARGE_BODY:
            self._transport.write(head + body)
        else:
            self._transport.writelines([head, body])
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.cancelled():
                self.abort()
            elif waiting.exception() is None:  # its head came at the same moment
                waiting.result().close()
            raise

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        pieces = self.pieces
        if not pieces:
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._waiting_bytes = 0
        if self._paused:
            self._resume()
        return data

    def gather(self) -> None:
        """The whole body is wanted: the provider need not be held up for it."""
        self._most_bytes = MAX_ANSWER_BYTES
        if self._paused:
            self._resume()

    def abort(self) -> None:
        """Ends the connection at once, and with it the provider's work."""
        if self._transport is not None:
            self._transport.abort()

    def _resume(self) -> None:
        self._paused = False
        if self.usable:
            assert self._transport is not None
            self._transport.resume_reading()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view  # which TLS fills piece by piece: slices of a bytearray would be copies

    def buffer_updated(self, nbytes: int) -> None:
        reply = self._reply
        if reply is None and self._waiting is None:  # nothing was asked: a server that says why it closes, say
            self.abort()
            return
        try:
            self._parser.feed_data(self._view[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._whole < 0:
                self._break(Broken())
                return
            self._lasts = False  # the answer is whole, and what comes after it is nothing that was asked for
        if self._reply is None:
            self._head_bytes += nbytes
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._break(Broken())
            return
        if self._whole >= 0:
            self._finish()
            return
        self._waiting_bytes += nbytes
        if self._waiting_bytes > self._most_bytes:
            self._hold_up()
        if self.pieces:
            self._reply.wake()

    def _hold_up(self) -> None:
        """Too much waits here."""
        if self._most_bytes == MAX_ANSWER_BYTES or not self.pieces:  # the latter is no body, but what is around it
            self._break(Broken())
        elif not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        return None  # which closes the transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._keeper.forget(self)
        nothing_came = not self._head and self._head_bytes == 0
        if not self._disappoint(Stale() if nothing_came else Broken()):
            self._end_reply(broken=exc is not None or self._bounded)

    def _break(self, error: Exception) -> None:
        """What comes can't be used."""
        if not self._disappoint(error):
            self._end_reply(broken=True)
        self.abort()

    def _disappoint(self, error: Exception) -> bool:
        """Tells who waits for a head that there will be none; false where nobody waits."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return False
        if not waiting.done():
            waiting.set_exception(error)
        return True

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._whole >= 0:  # more than was asked for, which must not pass for the next exchange's answer
            self._lasts = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        head, self._head = AnswerHead(status, self._head), []
        waiting = self._waiting
        if status < 200 or waiting is None or waiting.done():
            return  # an interim answer, or one that nobody asked for
        assert self._clock is not None
        self._bounded = head.bounded
        self._waiting_bytes, self._most_bytes = 0, _READ_AHEAD
        self._reply = DirectReply(self, head, self._clock)
        self._waiting = None  # from here on another exchange may begin before who waits for this one comes round
        waiting.set_result(self._reply)

    def on_message_complete(self) -> None:
        if self._reply is not None and self._whole < 0:  # else of an interim answer, or of one nobody asked for
            self._whole = len(self.pieces)
            self._lasts = self._parser.should_keep_alive()
            self._head = []  # where the trailers are

    def _finish(self) -> None:
        """The body is whole; the connection may be used again."""
        assert self._transport is not None
        again = self._lasts and not self._transport.get_write_buffer_size()  # else it did not want the whole request
        del self.pieces[self._whole :]
        if self._paused:
            self._resume()
        self._end_reply(broken=False)
        if again:
            self.last_used = self._loop.time()
            self._keeper.keep(self)
        else:
            self.abort()

    def _end_reply(self, *, broken: bool) -> None:
        reply, self._reply = self._reply, None
        rest = b"".join(self.pieces)
        self.pieces.clear()
        if reply is not None:
            reply.end(rest, broken=broken)
