"""Providers that speak the OpenAI wire over HTTP, through one pool of connections.

Everything that does not change from request to request (URLs, headers, the proxy) is made once.
There are no timers here: core/routing/active.py watches all calls with one.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.request import proxy_bypass_environment  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType] - not in its stubs

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from core import __version__
from core.clock import Clock
from core.errors import ProviderError, RefreshFailed, StreamInterrupted
from core.providers.upstream import MAX_ANSWER_BYTES, PATHS, Target
from core.providers.vendors import Capability, StreamUsage, vendor_for

_MODELS_TIMEOUT = 10.0
# How much of an answer may wait here for its caller before the provider is held up; twice as much is the most.
_READ_AHEAD = 32 * 1024
_MAX_MODELS_BYTES = 32 * 1024 * 1024
_MAX_MODELS = 20_000
_MAX_RETRY_AFTER = 24 * 3600.0
# What a vendor answers that has no list of models, or has it on a wire of its own.
_NOT_LISTED = frozenset({401, 403, 404, 405, 501})
_NO_LISTING = "the provider's list of models is not what the OpenAI API describes"
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
_GONE_STALE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)

# Which connection the request of this task may have, and then which one it got.
_ANY, _KEPT, _NEW = "any", "kept", "new"
_connection: ContextVar[str] = ContextVar("connection", default=_ANY)


class HttpReply:
    """A provider's answer over HTTP."""

    __slots__ = ("_content", "_pending", "_response", "_seen", "content_type", "headers", "retry_after", "status")

    def __init__(self, response: aiohttp.ClientResponse, clock: Clock) -> None:
        self._response = response
        self._content = response.content
        self._pending = b""  # read already, not taken yet
        self._seen = 0  # bytes of the body that were read
        headers = response.headers
        self.status = response.status
        self.content_type = _plain(headers.get("Content-Type", ""))
        self.headers: Sequence[tuple[str, str]] = ()
        request_id = headers.get("x-request-id")
        if request_id is not None:
            self.headers = (("x-upstream-request-id", _plain(request_id[:200])),)
        self.retry_after = None if response.status < 400 else _retry_after(headers.get("Retry-After"), clock)

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

    def _take(self) -> bytes:
        """What is there, also of a body that has broken off since: the public `read_nowait` would withhold that."""
        self._seen = self._content.total_bytes
        return self._content._read_nowait(-1)  # pyright: ignore[reportPrivateUsage] - as above

    def close(self) -> None:
        # Closing rather than releasing: the provider shall stop, and the rest must not be read.
        self._response.close()


class HttpUpstream:
    """One provider over HTTP."""

    def __init__(
        self, target: Target, session: aiohttp.ClientSession, clock: Clock, environ: Mapping[str, str]
    ) -> None:
        """environ: where HTTP_PROXY, HTTPS_PROXY and NO_PROXY are looked for."""
        self.target = target
        self._session = session
        self._clock = clock
        vendor = vendor_for(target.type)
        self.asks_usage = vendor is None or vendor.stream_usage is StreamUsage.ASK
        headers = CIMultiDict(
            {
                "Content-Type": "application/json",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "User-Agent": f"llmrouter/{__version__}",
            }
        )
        headers.update(vendor.default_headers if vendor else ())
        if target.api_key:
            headers["Authorization"] = f"Bearer {target.api_key}"
        self._headers = headers
        self._urls = {operation: URL(target.base_url + path) for operation, path in PATHS.items()}
        self._lists_models = vendor is None or Capability.MODELS in vendor.capabilities
        self._models_url = URL(target.base_url + (vendor.models_path if vendor else "/models"))
        self._proxy = _proxy(self._models_url, environ)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=target.connect_timeout, sock_read=None)

    async def send(self, operation: str, body: bytes) -> HttpReply:
        _connection.set(_ANY)
        try:
            try:
                response = await self._post(operation, body)
            except _GONE_STALE as error:
                if _connection.get() != _KEPT or not _before_a_byte(error):
                    raise
                _connection.set(_NEW)  # the others that we keep may be as old
                response = await self._post(operation, body)
        except _UNREACHABLE as error:
            raise ProviderError(f"the provider '{self.target.name}' could not be reached") from error
        return HttpReply(response, self._clock)

    async def _post(self, operation: str, body: bytes) -> aiohttp.ClientResponse:
        return await self._session.post(
            self._urls[operation],
            data=body,
            headers=self._headers,
            timeout=self._timeout,
            proxy=self._proxy,
            allow_redirects=False,
        )

    async def models(self) -> list[str]:
        timeout = aiohttp.ClientTimeout(total=_MODELS_TIMEOUT)
        try:
            async with self._session.get(
                self._models_url, headers=self._headers, timeout=timeout, proxy=self._proxy, allow_redirects=False
            ) as response:
                if not self._lists_models and response.status in _NOT_LISTED:
                    return []
                if response.status != 200:
                    raise RefreshFailed(f"the provider answered {response.status} when asked for its models")
                body = await _bounded(response, _MAX_MODELS_BYTES)
        except _UNREACHABLE as error:
            raise RefreshFailed(f"the provider could not be reached: {_plain_cause(error)}") from error
        return _model_names(body)


def _before_a_byte(error: Exception) -> bool:
    """Whether a connection ended before anything of an answer came: the provider had closed what we kept."""
    return not isinstance(error, aiohttp.ServerDisconnectedError) or isinstance(error.message, str)


class _Connections(aiohttp.TCPConnector):
    """The pool, which says whether it gave a connection that was kept, and gives a new one on demand."""

    async def _get(self, key: Any, traces: Any) -> Any:
        if _connection.get() == _NEW:
            return None
        kept = await super()._get(key, traces)
        if kept is not None:
            _connection.set(_KEPT)
        return kept


def open_session() -> aiohttp.ClientSession:
    """The pool of connections to all providers. Call it inside the running loop."""
    return aiohttp.ClientSession(
        connector=_Connections(limit=0, ttl_dns_cache=60, keepalive_timeout=75),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        read_bufsize=_READ_AHEAD,
    )


class _Listed(msgspec.Struct):
    id: str = ""
    name: str = ""


class _Listing(msgspec.Struct):
    data: list[_Listed] | None = None
    models: list[_Listed] | None = None


def _model_names(body: bytes) -> list[str]:
    """The ids in a list of models: `{"data": […]}`, or a bare array as some vendors have it."""
    try:
        listing: _Listing | list[_Listed] = msgspec.json.decode(body, type=_Listing | list[_Listed])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefreshFailed(_NO_LISTING) from error
    listed = listing if isinstance(listing, list) else listing.data if listing.data is not None else listing.models
    if listed is None:  # an error in a good answer's clothes, say, must not pass for a provider without models
        raise RefreshFailed(_NO_LISTING)
    names = dict.fromkeys(model.id or model.name for model in listed[:_MAX_MODELS])
    return [name for name in names if 0 < len(name) <= 300]


def _plain(value: str) -> str:
    """A header's value as it can be passed on: bytes that are no ASCII come as surrogates, which no protobuf takes."""
    return value if value.isascii() else value.encode("ascii", "replace").decode()


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces: list[bytes] = []
    async for data in response.content.iter_any():
        pieces.append(data)
        limit -= len(data)
        if limit < 0:
            raise RefreshFailed("the provider's list of models is too large")
    return b"".join(pieces)


def _plain_cause(error: Exception) -> str:
    """Why a connection failed, in words that hold no address or key."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not valid"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "the connection was refused"
    return "the connection broke off"


def _retry_after(value: str | None, clock: Clock) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, 10.2.3): a number or a date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - clock.now()).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER) if seconds == seconds else None


def _proxy(url: URL, environ: Mapping[str, str]) -> URL | None:
    """The proxy for an address, by the usual variables in either case."""

    def variable(name: str) -> str:
        return environ.get(name.lower()) or environ.get(name.upper()) or ""

    proxy = variable(f"{url.scheme}_proxy") or variable("all_proxy")
    if not proxy or not url.host or proxy_bypass_environment(url.host, {"no": variable("no_proxy")}):
        return None
    return URL(proxy)
