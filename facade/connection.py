"""Connections: aiohttp's HTTP protocol with a limit on how long the head of a request may take.

    accepted ──first head──► handling ──answered──► idle ──first byte──► next head ──► handling
       └── header_timeout ──┘             └── keep-alive timeout ──┘ └ header_timeout ┘

One sweep a second over all connections, instead of a timer for each request, keeps it cheap.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from facade.call import Call, factory, new_request_id
from facade.problem import dumps
from facade.settings import FacadeSettings

log = logging.getLogger("llmrouter.http")

# What a client may leave unused before it is closed, in seconds.
_KEEPALIVE = 75.0
# A request line, a header and all headers together; a path can't be longer either.
_MAX_LINE = 16 * 1024
_MAX_HEADERS = 200
_SWEEP = 0.5

_HEAD_LATE = (
    "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n"
    "X-Request-Id: {request_id}\r\n"
    'Content-Length: 27\r\n\r\n{{"error":"request timeout"}}'
)


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_head_since",)

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, **options: Any) -> None:
        super().__init__(manager, loop=loop, **options)
        self._head_since = 0.0  # when the head that is being received began; 0 where none is

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._head_since = self._loop.time()

    def data_received(self, data: bytes) -> None:
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._head_since = 0.0
        elif not self._head_since and self._waiter is not None:  # nothing is being handled: a head begins
            self._head_since = self._loop.time()

    def close_if_late(self, begun_before: float) -> None:
        """Closes the connection where a head began before that time and is still not complete."""
        if 0.0 < self._head_since < begun_before and self.transport is not None:
            self.transport.write(_HEAD_LATE.format(request_id=new_request_id()).encode())
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers what is not HTTP, or not within the limits. Faults of ours don't come here."""
        if status >= 500:
            log.error("a fault outside every handler", exc_info=exc)
        said = "the request's head is too large" if isinstance(exc, LineTooLong) else "not a valid HTTP request"
        if status >= 500:
            said = "internal error"
        if request.writer.output_size > 0:
            raise ConnectionError("a part of an answer is sent already")
        response = web.Response(status=status, body=dumps({"error": said}), content_type="application/json")
        response.force_close()
        return response


class Server(web.Server):
    """Makes a Connection for each client and sweeps over them."""

    def __init__(self, handler: Callable[[Call], Awaitable[web.StreamResponse]], settings: FacadeSettings) -> None:
        super().__init__(
            handler,  # pyright: ignore[reportArgumentType] - the factory below makes each request a Call
            request_factory=factory(settings.max_body),
            handler_cancellation=True,
        )
        self._header_timeout = settings.header_timeout
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep)

    def __call__(self) -> Connection:
        return Connection(
            self,
            loop=self._loop,
            access_log=None,
            keepalive_timeout=_KEEPALIVE,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
            max_headers=_MAX_HEADERS,
        )

    def stop_sweeping(self) -> None:
        self._sweeper.cancel()

    def _sweep(self) -> None:
        begun_before = self._loop.time() - self._header_timeout
        for connection in self.connections:
            if isinstance(connection, Connection):
                connection.close_if_late(begun_before)
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep)
