"""HTTP through a proxy, by aiohttp's client: it knows CONNECT and what else proxies want.

A provider that is reached directly is asked the faster way of core/providers/direct.py.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from core.clock import Clock
from core.errors import ProviderError, StreamInterrupted
from core.providers.answer_head import AnswerHead
from core.providers.endpoint import Endpoint
from core.providers.upstream import MAX_ANSWER_BYTES
from core.providers.wire import Headers

_GONE_STALE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)

# Which connection the request of this task may have, and then which one it got.
_ANY, _KEPT, _NEW = "any", "kept", "new"
_connection: ContextVar[str] = ContextVar("connection", default=_ANY)


class ProxiedReply:
    """A provider's answer over HTTP."""

    __slots__ = (
        *("_content", "_pending", "_response", "_seen", "_taken", "_tell", "_watching"),
        *("content_type", "headers", "retry_after", "status"),
    )

    def __init__(self, response: aiohttp.ClientResponse, clock: Clock) -> None:
        self._response = response
        self._content = response.content
        self._pending = b""  # read already, not taken yet
        self._seen = 0  # bytes of the body that were read
        self._tell: Callable[[], None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._taken = asyncio.Event()
        head = AnswerHead(response.status, [(name.lower(), value) for name, value in response.raw_headers])
        self.status = head.status
        self.content_type = head.content_type
        self.headers = head.passed_on()
        self.retry_after = head.retry_after(clock)

    async def read(self) -> bytes:
        content = self._response.content
        try:
            data = await content.readany()
            if content.at_eof():
                return data
            pieces, size = [data], len(data)
            while data := await content.readany():
                size += len(data)
                if size > MAX_ANSWER_BYTES:
                    raise ProviderError("the provider's answer is too large")
                pieces.append(data)
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderError("the provider's answer broke off") from error
        return b"".join(pieces)

    @property
    def over(self) -> bool:
        return not self._pending and self._content.at_eof()

    def arrived(self) -> bytes:
        content = self._content
        self._taken.set()
        if self._pending:
            data, self._pending = self._pending, b""
            return data
        if content.total_bytes != self._seen and (data := self._take()):
            return data
        if content.exception() is not None:
            raise StreamInterrupted from content.exception()
        return b""

    async def more(self) -> None:
        if self._pending:
            return
        try:
            self._pending = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            self._pending = self._take()
            if not self._pending:
                raise StreamInterrupted from error
        self._seen = -1  # reading lets aiohttp go on, so there may be more already

    def notify(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._watching = asyncio.get_running_loop().create_task(self._watch(tell))

    async def _watch(self, tell: Callable[[], None]) -> None:
        """Tells of everything that comes: aiohttp has no way to be called."""
        ended = False
        while not ended:
            try:
                self._taken.clear()
                await self.more()
            except StreamInterrupted:
                ended = True
            ended = ended or self._content.at_eof()
            tell()
            if not ended:
                await self._taken.wait()

    def _take(self) -> bytes:
        """What is there, also of a body that has broken off since: the public `read_nowait` would withhold that."""
        self._seen = self._content.total_bytes
        return self._content._read_nowait(-1)  # pyright: ignore[reportPrivateUsage] - as above

    def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        # Closing rather than releasing: the provider shall stop, and the rest must not be read.
        self._response.close()


class Proxied:
    """The way to one provider through a proxy."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        origin: URL,
        endpoints: Mapping[str, Endpoint],
        proxy: URL,
        connect_timeout: float,
        clock: Clock,
    ) -> None:
        """endpoints: by operation, all at `origin`. connect_timeout: in seconds."""
        self._session = session
        self._origin = str(origin.with_path("")).rstrip("/")  # with the user that may be in it
        self._endpoints = endpoints
        self._proxy = proxy
        self._clock = clock
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=None)

    async def send(self, operation: str, target: bytes, headers: Headers, body: bytes) -> ProxiedReply:
        """Sends a request; returns when the head of the answer is there. Raises aiohttp.ClientError, OSError."""
        url = URL(self._origin + target.decode(), encoded=True)
        headers = [*self._endpoints[operation].headers.items(), *headers]
        _connection.set(_ANY)
        try:
            response = await self._post(url, headers, body)
        except _GONE_STALE as error:
            if _connection.get() != _KEPT or not _before_a_byte(error):
                raise
            _connection.set(_NEW)  # the others that we keep may be as old
            response = await self._post(url, headers, body)
        return ProxiedReply(response, self._clock)

    async def _post(self, url: URL, headers: Headers, body: bytes) -> aiohttp.ClientResponse:
        return await self._session.post(
            url,
            data=body,
            headers=CIMultiDict(headers),
            timeout=self._timeout,
            proxy=self._proxy,
            allow_redirects=False,
        )


def _before_a_byte(error: Exception) -> bool:
    """Whether a connection ended before anything of an answer came: the provider had closed what we kept."""
    return not isinstance(error, aiohttp.ServerDisconnectedError) or isinstance(error.message, str)


class KeptConnections(aiohttp.TCPConnector):
    """The pool, which says whether it gave a connection that was kept, and gives a new one on demand."""

    async def _get(self, key: Any, traces: Any) -> Any:
        if _connection.get() == _NEW:
            return None
        kept = await super()._get(key, traces)
        if kept is not None:
            _connection.set(_KEPT)
        return kept
