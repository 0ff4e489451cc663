"""Providers over HTTP, on the wires of their vendor: straight, or through the proxy that the environment names.

Everything that does not change from request to request (URLs, headers, the proxy) is made once.
There are no timers here: core/routing/active.py watches all calls with one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.request import proxy_bypass_environment  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType] - not in its stubs

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from core import __version__
from core.clock import Clock
from core.dialects.table import PROVIDERS
from core.errors import ProviderError, RefreshFailed
from core.providers.declared import understood
from core.providers.endpoint import Endpoint, address, endpoint
from core.providers.objects import BATCHES, FILES, ProviderObjects
from core.providers.proxied import Proxied
from core.providers.session import Session
from core.providers.upstream import Reply, Target
from core.providers.vendors import UNKNOWN, Capability, StreamUsage, Vendor, vendor_for
from core.providers.ways import Reshaped, Signed, Straight, Way
from core.providers.wire import Headers, Wire

_MODELS_TIMEOUT = 10.0
_MAX_MODELS_BYTES = 32 * 1024 * 1024
_MAX_MODELS = 20_000
# What a vendor answers that has no list of models, or has it on a wire of its own.
_NOT_LISTED = frozenset({401, 403, 404, 405, 501})
_OBJECT_PATHS = ((FILES, Capability.FILES), (BATCHES, Capability.BATCHES))
_UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError, ValueError)


class HttpUpstream:
    """One provider over HTTP."""

    def __init__(self, target: Target, session: Session, clock: Clock, environ: Mapping[str, str]) -> None:
        """environ: where HTTP_PROXY, HTTPS_PROXY and NO_PROXY are looked for.

        Raises ValueError for an address or a key with which its vendor can't be reached.
        """
        self.target = target
        self._session = session.aiohttp
        vendor = vendor_for(target.type) or UNKNOWN
        base_url = understood(vendor, target.base_url)
        wires = vendor.wires_at(base_url)
        self._credential = vendor.credential(target, environ, clock) if vendor.credential else None
        endpoints = _endpoints(vendor, wires, base_url, "" if self._credential else target.api_key)
        self._endpoints = endpoints
        self.asks_usage = vendor.stream_usage is StreamUsage.ASK
        self.operations = frozenset(endpoints)
        self.translates_to = next((operation for operation in endpoints if operation in PROVIDERS), "")
        self._wire = wires[0]
        self._lists_models = Capability.MODELS in vendor.capabilities
        self._models_url = (
            URL(vendor.models_url(base_url)) if vendor.models_url else address(base_url, vendor.models_path)
        )
        self._models_headers = _headers(vendor, wires[0], "" if self._credential else target.api_key)
        self._proxy = _proxy(address(base_url, ""), environ)
        self._way = self._make_way(address(base_url, ""), session, clock)
        self.objects = self._make_objects(vendor, base_url)

    def _make_way(self, base: URL, session: Session, clock: Clock) -> Way:
        timeout = self.target.connect_timeout
        way: Way = (
            Straight(session.direct, base, self._endpoints, timeout, clock)
            if self._proxy is None
            else Proxied(session.aiohttp, base, self._endpoints, self._proxy, timeout, clock)
        )
        if self._credential is not None:
            way = Signed(way, base, self._credential)
        reshaped = {
            operation: each.wire.reshaped[operation]
            for operation, each in self._endpoints.items()
            if operation in each.wire.reshaped
        }
        return Reshaped(way, reshaped) if reshaped else way

    def _make_objects(self, vendor: Vendor, base_url: str) -> ProviderObjects | None:
        paths = {path for path, capability in _OBJECT_PATHS if capability in vendor.capabilities}
        if not paths or not self._wire.has_objects:
            return None
        return ProviderObjects(
            self._session,
            self.target,
            base_url,
            self._models_headers,
            paths=frozenset(paths),
            proxy=self._proxy,
            credential=self._credential,
        )

    async def send(
        self, operation: str, body: bytes, headers: Headers = (), *, model: str = "", streamed: bool = False
    ) -> Reply:
        endpoint = self._endpoints[operation]
        try:
            target = endpoint.target(model, streamed=streamed)
            return await self._way.send(operation, target, endpoint.passed_on(headers), body)
        except _UNREACHABLE as error:
            raise ProviderError(f"the provider '{self.target.name}' could not be reached") from error

    async def models(self) -> list[str]:
        listing, names = self._wire.listing, list[str]()
        try:
            async with asyncio.timeout(_MODELS_TIMEOUT):
                if listing is None:
                    await self._shown(self._models_url)  # so that a key which is none is found out
                    return []
                first = listing.first(self._models_url)
                page: URL | None = first
                while page is not None and len(names) < _MAX_MODELS:
                    body = await self._page(page)
                    if body is None:
                        break
                    names += listing.names(body)
                    page = listing.following(first, body)
        except RefreshFailed:
            raise
        except ProviderError as error:
            raise RefreshFailed(error.message) from error
        except _UNREACHABLE as error:
            raise RefreshFailed(f"the provider could not be reached: {_plain_cause(error)}") from error
        return list(dict.fromkeys(names))[:_MAX_MODELS]

    async def _shown(self, url: URL) -> Headers:
        """The headers of a question for models. Raises ProviderError."""
        headers = [*self._models_headers.items(), *self._wire.passed_on(())]
        return (
            headers if self._credential is None else [*headers, *await self._credential.headers("GET", str(url), b"")]
        )

    async def _page(self, url: URL) -> bytes | None:
        """A page of the list of models; None of a vendor that is known to have none. Raises RefreshFailed."""
        headers = CIMultiDict(await self._shown(url))
        async with self._session.get(url, headers=headers, proxy=self._proxy, allow_redirects=False) as response:
            if not self._lists_models and response.status in _NOT_LISTED:
                return None
            if response.status != 200:
                raise RefreshFailed(f"the provider answered {response.status} when asked for its models")
            return await _bounded(response, _MAX_MODELS_BYTES)


def _endpoints(vendor: Vendor, wires: Sequence[Wire], base_url: str, api_key: str) -> dict[str, Endpoint]:
    """Operation → its endpoint, for those that the vendor has, its own wire's first."""
    return {
        operation: endpoint(base_url, path, wire.of(operation), _headers(vendor, wire.of(operation), api_key))
        for wire in wires
        for operation, path in wire.paths.items()
        if vendor.has(operation)
    }


def _headers(vendor: Vendor, wire: Wire, api_key: str) -> CIMultiDict[str]:
    """What all requests on a wire have in their heads. api_key: "" for none."""
    headers = CIMultiDict(
        {
            **dict(wire.always()),
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": f"llmrouter/{__version__}",
        }
    )
    headers.update(vendor.default_headers)
    if api_key:
        name, value = wire.key(api_key)
        headers[name] = value
    return headers


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
