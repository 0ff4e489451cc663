"""The link of our own facades: RouterService.Relay on a socket of its own, without the gRPC library in between.

    facade ─► Http2 ─► RelayStream ─► LinkOutbox ─► Http2 ─► facade

The wire is gRPC's. Only who knows the internal token is served here, and nothing but that RPC.
"""

import asyncio
import hmac
import logging
from collections.abc import Coroutine
from pathlib import Path

from google.protobuf.message import DecodeError

from core.auth import NOBODY, Secrets
from core.deps import Deps
from core.rpc.caller import Caller
from core.rpc.outbox import MAX_WAITING_BYTES
from core.rpc.relay import RelayStream
from facade.http2 import PREFACE, Headers, Http2, ProtocolError
from llmrouter.v1 import router_pb2 as pb

log = logging.getLogger("llmrouter.link")

_PATH = "/llmrouter.v1.RouterService/Relay"
_OK, _UNIMPLEMENTED, _UNAUTHENTICATED = "0", "12", "16"
_ENVELOPE = 1024 * 1024  # beside the body, and for other frames of the same message


class LinkOutbox:
    """The way over a link: written at once, for a connection that is not read is not read from either."""

    def __init__(self, link: Http2) -> None:
        self._link = link
        self._batch = pb.RelayResponse()
        self._loop = asyncio.get_running_loop()
        self._flushing = False

    def frame(self, call_id: int) -> pb.RouterFrame:
        return self._batch.frames.add(call_id=call_id)

    def count(self, size: int) -> None:
        pass  # the connection knows

    def ready(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Writes what was added."""
        self._flushing = False
        if self._batch.frames:
            batch, self._batch = self._batch, pb.RelayResponse()
            self._link.send_message(batch.SerializeToString())


class FacadeLink(Http2):
    """One facade's link."""

    def __init__(self, links: "Links") -> None:
        super().__init__(max_message=links.deps.settings.max_body + _ENVELOPE)
        self._links = links
        self._greeting = b""
        self._greeted = False
        self._outbox = LinkOutbox(self)
        self._stream: RelayStream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._links.open.add(self)
        self.begin(b"")

    def data_received(self, data: bytes) -> None:
        if not self._greeted:
            self._greeting += data
            if len(self._greeting) < len(PREFACE):
                return
            if not self._greeting.startswith(PREFACE):
                self.abort()
                return
            self._greeted, data = True, self._greeting[len(PREFACE) :]
        super().data_received(data)
        if self.waiting > MAX_WAITING_BYTES:
            self._wait_for_reader()

    def header_block(self, headers: Headers, *, last: bool) -> None:
        found = dict(headers)
        if self._stream is not None:
            raise ProtocolError("there is one stream on this connection")
        if found.get(":path") != _PATH:
            self._refuse(_UNIMPLEMENTED, "only the relay is served here")
        elif not hmac.compare_digest(found.get("x-llmrouter-internal", "").encode(), self._links.token.encode()):
            self._refuse(_UNAUTHENTICATED, "only our own facades are served here")
        else:
            deps = self._links.deps
            secrets = Secrets("", "", "", "")
            caller = Caller(NOBODY, deps.new_id("req"), "", "", secrets, is_facade=True)
            self._stream = RelayStream(deps.pipeline, deps.authenticator, deps.new_id, self._outbox, caller)
            self.send_headers([(":status", "200"), ("content-type", "application/grpc")])

    def message(self, data: bytes) -> None:
        if self._stream is None:
            return
        try:
            batch = pb.RelayRequest.FromString(data)
        except DecodeError:
            raise ProtocolError("a message is none of ours") from None
        self._stream.receive(batch)

    def ended(self, error: Exception | None) -> None:
        if self._stream is None:
            self.leave()
        elif error is None:
            self._links.background(self._finish(self._stream))
        else:
            self._stream.break_off()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._links.open.discard(self)
        if self._stream is not None:
            self._stream.break_off()

    def close(self) -> None:
        """Ends the link when what was said has left; calls that still run end with it."""
        self._outbox.flush()
        self.hang_up()
        if self._stream is not None:
            self._stream.break_off()

    async def _finish(self, stream: RelayStream) -> None:
        await stream.finish()
        self._outbox.flush()
        await self.drained()  # or the end would overtake what the facade's windows hold up
        self.send_headers([("grpc-status", _OK)], last=True)
        self.leave()

    def _refuse(self, code: str, why: str) -> None:
        opening = [(":status", "200"), ("content-type", "application/grpc")]
        self.send_headers([*opening, ("grpc-status", code), ("grpc-message", why)], last=True)
        self.leave()

    def _wait_for_reader(self) -> None:
        """Who does not read shall not ask for more either."""
        if self.held_up:
            self.abort()  # by its own windows, and how they open could not be read any more
            return
        self.stop_reading()
        self._links.background(self._go_on_when_drained())

    async def _go_on_when_drained(self) -> None:
        await self.drained()
        self.go_on_reading()


class Links:
    """The socket on which a core process takes links."""

    def __init__(self, deps: Deps, internal_token: str) -> None:
        self.deps = deps
        self.token = internal_token
        self.open: set[FacadeLink] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, path: Path) -> None:
        """Takes links at a Unix socket, which does not exist yet. Raises OSError."""
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: FacadeLink(self), str(path))

    def close(self) -> None:
        """Takes no more links, and ends those there are."""
        if self._server is not None:
            self._server.close()
        for link in tuple(self.open):
            link.close()

    def background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
