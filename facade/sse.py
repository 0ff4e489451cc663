"""Writes a stream to a client, chunk by chunk, at the client's own pace, as it is or in another form.

The head and the first chunk go through aiohttp; the chunks after it are framed here and written
straight to the transport, without waking a task for each: that is most of what a chunk costs.
"""

import asyncio

from aiohttp import web

from facade.event_array import EventArray
from facade.relay import CREDIT_BYTES, Exchange

# Above this much unsent data the client counts as slow, and gets no further credit until it has read.
_SLOW_BYTES = 32 * 1024


class ChunkWriter:
    """The sink of one exchange: attach `write` to it."""

    __slots__ = ("_chunked", "_draining", "_exchange", "_form", "_loop", "_transport", "_unreported", "_writer")

    def __init__(
        self, request: web.BaseRequest, exchange: Exchange, *, chunked: bool, form: EventArray | None = None
    ) -> None:
        """chunked: whether the client takes chunks (HTTP/1.1); else the end of the connection ends the body.

        form: what the client shall have in place of the events.
        """
        self._exchange = exchange
        self._form = form
        self._transport = request.transport
        self._writer = request.writer
        self._chunked = chunked
        self._loop = asyncio.get_running_loop()
        self._unreported = 0
        self._draining: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        """Writes a piece of the body; says so to the core once enough of it is on its way."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return  # the handler is being cancelled
        made = data if self._form is None else self._form.put(data)
        if made:
            transport.write(b"%x\r\n%b\r\n" % (len(made), made) if self._chunked else made)
        self.count(len(data))

    def count(self, size: int) -> None:
        """So many bytes were written."""
        self._unreported += size
        if self._unreported < CREDIT_BYTES or self._draining is not None:
            return
        if self._transport is not None and self._transport.get_write_buffer_size() > _SLOW_BYTES:
            self._draining = self._loop.create_task(self._drain())
        else:
            self._report()

    def close(self) -> None:
        """Nothing more is written."""
        self._exchange.sink = None  # else the two hold each other, and with them the memory of whole batches
        if self._draining is not None:
            self._draining.cancel()

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError:
            return  # the handler is being cancelled
        self._draining = None
        self._report()

    def _report(self) -> None:
        self._exchange.credit(self._unreported)
        self._unreported = 0
