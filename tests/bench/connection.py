"""The load client's side of one HTTP connection: raw, for a library would cost more than the service."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import cast

from .payloads import MARK, STAMP

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
STAMPED = re.compile(MARK + rb"(\d{8}\.\d{6})")
LAST_CHUNK = b"\r\n0\r\n\r\n"
TAIL = 96
"""Enough of an answer's end to hold [DONE] and the last HTTP chunk, however the gateway framed them."""

now = time.monotonic


class Connection(asyncio.Protocol):
    """Sends the same request again and again, one at a time.

    `answered` is called with each complete answer, still inside the read that completed it, and says whether
    the next request goes out at once. `idle` resolves when it does not.
    """

    def __init__(self, request: bytes, answered: Callable[["Connection"], bool], stamped: bool) -> None:
        self.request, self.answered, self.stamped = request, answered, stamped
        self.transport: asyncio.Transport | None = None
        self.idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.active = False
        self.reset()

    def reset(self) -> None:
        self.sent = self.first = self.done = 0.0
        self.status = self.chunks = 0
        self.whole = False
        self.keep_alive = True
        self.head: bytes | None = b""
        self.left: int | None = None
        self.chunked = False
        self.tail = b"\r\n"
        self.rest = b""
        self.delays: list[float] = []
        self.arrivals: list[float] = []

    def send(self) -> None:
        assert self.transport is not None
        self.reset()
        self.active = True
        self.sent = now()
        self.transport.write(self.request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio.Transport
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.active:
            # an answer with neither length nor chunks ends with its connection
            self.whole = exc is None and self.head is None and self.left is None and not self.chunked
            self.finish()

    def data_received(self, data: bytes) -> None:
        if not self.active:
            return
        if self.head is not None:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self.head[end + 4 :]
            self.read_head(self.head[:end])
        if found := data.count(MARK):
            arrived = now()
            if not self.chunks:
                self.first = arrived
            self.chunks += found
            if self.stamped:
                self.read_stamps(data, arrived)
        elif self.rest:
            self.read_stamps(data, now())
        self.read_end(data)

    def read_head(self, head: bytes) -> None:
        self.head = None
        self.status = int(head[9:12])
        length = LENGTH.search(head)
        self.left = int(length[1]) if length else None
        self.chunked = CHUNKED.search(head) is not None
        self.keep_alive = CLOSE.search(head) is None

    def read_stamps(self, data: bytes, arrived: float) -> None:
        data = self.rest + data
        for stamp in STAMPED.findall(data):
            self.delays.append(arrived - float(stamp))
            self.arrivals.append(arrived)
        last = data.rfind(MARK)
        # a stamp cut by the edge of a read is finished by the next one
        self.rest = data[last:] if last >= 0 and len(data) - last <= len(STAMP) else b""

    def read_end(self, data: bytes) -> None:
        if self.left is not None:
            self.left -= len(data)
            self.whole = self.left == 0
        elif self.chunked:
            self.tail = (self.tail + data)[-TAIL:]
            self.whole = self.tail.endswith(LAST_CHUNK)
        if self.whole:
            self.finish()

    def finish(self) -> None:
        self.done = now()
        self.active = False
        if self.transport and not self.keep_alive:
            self.transport.close()
            self.transport = None
        if self.answered(self) and self.transport:
            self.send()
        elif not self.idle.done():
            self.idle.set_result(None)
