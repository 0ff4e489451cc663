"""Providers over HTTP, on the wires of their vendor: straight, or through the proxy that the environment names.

Everything that does not change from request to request (URLs, headers, the proxy) is made once.
There are no timers here: core/routing/active.py watches all calls with one.
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Protocol
from urllib.request import proxy_bypass_environment  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType] - not in its stubs

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from core import __version__
from core.clock import Clock
from core.dialects.table import PROVIDERS
from core.errors import ProviderError, RefreshFailed
from core.providers.direct import Direct
from core.providers.proxied import Proxied
from core.providers.session import Session
from core.providers.upstream import Reply, Target
from core.providers.vendors import Capability, StreamUsage, vendor_for
from core.providers.wire import OPENAI, Endpoint, Headers, first_page, next_page

_MODELS_TIMEOUT = 10.0
_MAX_MODELS_BYTES = 32 * 1024 * 1024
_MAX_MODELS = 20_000
# What a vendor answers that has no list of models, or has it on a wire of its own.
_NOT_LISTED = frozenset({401, 403, 404, 405, 501})
_NO_LISTING = "the provider's list of models is not what the OpenAI API describes"
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError, ValueError)


class _Way(Protocol):
    """How inference reaches one provider."""

    async def send(self, operation: str, body: bytes, headers: Headers) -> Reply:
        """As Upstream.send; raises aiohttp.ClientError, OSError and TimeoutError as they come."""
        ...


class _Straight:
    """Without a proxy."""

    def __init__(self, direct: Direct, endpoints: Mapping[str, Endpoint], timeout: float, clock: Clock) -> None:
        """endpoints: by operation, all of one server. timeout: of connecting, in seconds."""
        url = next(iter(endpoints.values())).url
        assert url.host is not None
        assert url.port is not None
        self._origin = direct.origin(url.scheme, url.host, url.port)
        self._heads = {operation: _head(each.url, each.headers) for operation, each in endpoints.items()}
        self._timeout = timeout
        self._clock = clock

    async def send(self, operation: str, body: bytes, headers: Headers) -> Reply:
        more = "".join([f"{name}: {value}\r\n" for name, value in headers]).encode() if headers else b""
        head = self._heads[operation] % (more, len(body))
        return await self._origin.send(head, body, self._timeout, self._clock)


def _head(url: URL, headers: CIMultiDict[str]) -> bytes:
    """The head of a POST, but for the headers of one request, `%b`, and the length of its body: `%d`."""
    host = url.raw_host or ""
    host = f"[{host}]" if ":" in host else host
    lines = [f"POST {url.raw_path_qs} HTTP/1.1", f"Host: {host}" + ("" if url.is_default_port() else f":{url.port}")]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if url.user is not None and "Authorization" not in headers:
        user = b64encode(f"{url.user}:{url.password or ''}".encode())
        lines.append(f"Authorization: Basic {user.decode()}")
    head = "\r\n".join(lines)
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ValueError("a header must be one line")
    return head.replace("%", "%%").encode() + b"\r\n%bContent-Length: %d\r\n\r\n"


class HttpUpstream:
    """One provider over HTTP."""

    def __init__(self, target: Target, session: Session, clock: Clock, environ: Mapping[str, str]) -> None:
        """environ: where HTTP_PROXY, HTTPS_PROXY and NO_PROXY are looked for."""
        self.target = target
        self._session = session.aiohttp
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
        wires = vendor.wires if vendor else (OPENAI,)
        self._endpoints = {
            operation: Endpoint(URL(target.base_url + path), wire, headers, target.api_key)
            for wire in wires
            for operation, path in wire.paths.items()
        }
        self.operations = frozenset(self._endpoints)
        self.translates_to = next((operation for operation in self._endpoints if operation in PROVIDERS), "")
        self._lists_models = vendor is None or Capability.MODELS in vendor.capabilities
        models_url = URL(target.base_url + (vendor.models_path if vendor else "/models"))
        self._models = Endpoint(models_url, wires[0], headers, target.api_key)
        self._models_url = first_page(models_url) if self._models.paged else models_url
        self._proxy = _proxy(self._models_url, environ)
        self._way: _Way = (
            _Straight(session.direct, self._endpoints, target.connect_timeout, clock)
            if self._proxy is None
            else Proxied(session.aiohttp, self._endpoints, self._proxy, target.connect_timeout, clock)
        )

    async def send(
        self, operation: str, body: bytes, headers: Headers = (), *, model: str = "", streamed: bool = False
    ) -> Reply:
        endpoint = self._endpoints[operation]
        try:
            return await self._way.send(operation, body, endpoint.passed_on(headers))
        except _UNREACHABLE as error:
            raise ProviderError(f"the provider '{self.target.name}' could not be reached") from error

    async def models(self) -> list[str]:
        names: list[str] = []
        try:
            async with asyncio.timeout(_MODELS_TIMEOUT):
                page: URL | None = self._models_url
                while page is not None and len(names) < _MAX_MODELS:
                    body = await self._page(page)
                    if body is None:
                        break
                    names += _model_names(body)
                    page = next_page(self._models_url, body) if self._models.paged else None
        except _UNREACHABLE as error:
            raise RefreshFailed(f"the provider could not be reached: {_plain_cause(error)}") from error
        return list(dict.fromkeys(names))

    async def _page(self, url: URL) -> bytes | None:
        """A page of the list of models; None of a vendor that is known to have none. Raises RefreshFailed."""
        headers = CIMultiDict([*self._models.headers.items(), *self._models.passed_on(())])
        async with self._session.get(url, headers=headers, proxy=self._proxy, allow_redirects=False) as response:
            if not self._lists_models and response.status in _NOT_LISTED:
                return None
            if response.status != 200:
                raise RefreshFailed(f"the provider answered {response.status} when asked for its models")
            return await _bounded(response, _MAX_MODELS_BYTES)


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


def _proxy(url: URL, environ: Mapping[str, str]) -> URL | None:
    """The proxy for an address, by the usual variables in either case."""

    def variable(name: str) -> str:
        return environ.get(name.lower()) or environ.get(name.upper()) or ""

    proxy = variable(f"{url.scheme}_proxy") or variable("all_proxy")
    if not proxy or not url.host or proxy_bypass_environment(url.host, {"no": variable("no_proxy")}):
        return None
    return URL(proxy)
