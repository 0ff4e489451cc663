"""The RPC `RouterService.Relay` as the facade makes it: one gRPC stream on a connection of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

from google.protobuf.message import DecodeError

from facade.http2 import PREFACE, Headers, Http2, ProtocolError

_PATH = "/llmrouter.v1.RouterService/Relay"
_UNKNOWN, _UNAVAILABLE = 2, 14
_NO_GRPC = "the core's address does not answer as a gRPC server"
_PING_EVERY = 60.0  # seconds, so that a core whose machine is gone is noticed


class RelayFailed(Exception):
    """The stream could not be opened, or has ended."""

    def __init__(self, code: int, details: str) -> None:
        """code: of gRPC; details: the core's words, or ours."""
        super().__init__(details)
        self.code = code
        self.details = details


class RelayCall(Http2):
    """One such stream. Open it with `open_relay`."""

    def __init__(self, take: Callable[[bytes], None], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(max_message=2**31)
        self._take = take
        self._heard = True
        self._pinging: asyncio.TimerHandle | None = None
        self._loop = loop
        self._status: tuple[int, str] | None = None
        self.opened: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[RelayFailed] = loop.create_future()

    def start(self, authority: str, metadata: Sequence[tuple[str, str]]) -> None:
        """Asks for the stream."""
        self.begin(PREFACE)
        headers = [(":method", "POST"), (":scheme", "http"), (":path", _PATH), (":authority", authority)]
        self.send_headers([*headers, ("te", "trailers"), ("content-type", "application/grpc"), *metadata])
        self._ping()

    def header_block(self, headers: Headers, *, last: bool) -> None:
        found = dict(headers)
        if last:
            self._status = _status(found)
        elif found.get(":status") != "200":
            self._status = _UNAVAILABLE, _NO_GRPC
            self.reset()
        elif not self.opened.done():
            self.opened.set_result(None)

    def message(self, data: bytes) -> None:
        try:
            self._take(data)
        except DecodeError:
            raise ProtocolError("the core sent no message that we know") from None

    def ended(self, error: Exception | None) -> None:
        code, details = self._status or (_UNAVAILABLE, str(error or "the core has ended the stream"))
        failed = RelayFailed(code, details)
        if self._pinging is not None:
            self._pinging.cancel()
        if not self.opened.done():
            self.opened.set_exception(failed)
        if not self.over.done():
            self.over.set_result(failed)
        self.hang_up()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        super().data_received(data)

    def _ping(self) -> None:
        """Ends a connection on which nothing came since the last time, not even the answer to that."""
        if not self._heard:
            self.abort()
            return
        self._heard = False
        self.ping()
        self._pinging = self._loop.call_later(_PING_EVERY, self._ping)


def _status(found: Mapping[str, str]) -> tuple[int, str]:
    """Why the core ended the stream."""
    code = found.get("grpc-status")
    if code is None:
        return _UNAVAILABLE, _NO_GRPC
    known = code.isascii() and code.isdigit() and len(code) <= 2
    return int(code) if known else _UNKNOWN, unquote(found.get("grpc-message", ""))


async def open_relay(
    target: str, metadata: Sequence[tuple[str, str]], take: Callable[[bytes], None], patience: float
) -> RelayCall:
    """Opens the stream; every message that comes goes to `take`.

    target: a gRPC address, "unix:/…" or "host:port"; patience: in seconds. Raises RelayFailed.
    """
    loop = asyncio.get_running_loop()
    call: RelayCall | None = None
    try:
        async with asyncio.timeout(patience):
            if target.startswith("unix:"):
                path = target.removeprefix("unix:")
                _, call = await loop.create_unix_connection(lambda: RelayCall(take, loop), path)
                authority = "localhost"
            else:
                host, _, port = target.rpartition(":")
                _, call = await loop.create_connection(lambda: RelayCall(take, loop), host.strip("[]"), int(port))
                authority = target
            call.start(authority, metadata)
            await call.opened
    except (OSError, TimeoutError) as error:
        if call is not None:
            call.hang_up()
        raise RelayFailed(_UNAVAILABLE, str(error) or "the core does not answer") from error
    except BaseException:
        if call is not None:
            call.opened.cancel()
            call.hang_up()
        raise
    return call
