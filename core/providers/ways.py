"""How inference reaches one provider: straight or through a proxy, and what is put around either.

HttpUpstream ─► Reshaped ─► Signed ─┬─► Straight   core/providers/direct.py
                   │          │     └─► Proxied    core/providers/proxied.py
                   └──────────┴── only where there is need of them
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Protocol

from multidict import CIMultiDict
from yarl import URL

from core.clock import Clock
from core.providers.credential import Credential
from core.providers.direct import Direct
from core.providers.endpoint import Endpoint
from core.providers.upstream import Reply
from core.providers.wire import Headers


class Way(Protocol):
    """How inference reaches one provider."""

    async def send(self, operation: str, target: bytes, headers: Headers, body: bytes) -> Reply:
        """Sends a request; returns when the head of the answer is there, whatever its status.

        target: path and query as they stand in the request's first line; headers: what it has beside those that
        never change. Raises aiohttp.ClientError, OSError and TimeoutError as they come, and ProviderError.
        """
        ...


class Straight:
    """Without a proxy. The heads are made once, but for a few places in them."""

    def __init__(
        self, direct: Direct, origin: URL, endpoints: Mapping[str, Endpoint], timeout: float, clock: Clock
    ) -> None:
        """endpoints: by operation, all at `origin`. timeout: of connecting, in seconds."""
        assert origin.host is not None
        assert origin.port is not None
        self._origin = direct.origin(origin.scheme, origin.host, origin.port)
        self._heads = {operation: _head(origin, each.headers) for operation, each in endpoints.items()}
        self._timeout = timeout
        self._clock = clock

    async def send(self, operation: str, target: bytes, headers: Headers, body: bytes) -> Reply:
        more = "".join([f"{name}: {value}\r\n" for name, value in headers]).encode() if headers else b""
        head = self._heads[operation] % (target, more, len(body))
        return await self._origin.send(head, body, self._timeout, self._clock)


class Signed:
    """A way to a provider that must be shown anew who asks."""

    def __init__(self, way: Way, origin: URL, credential: Credential) -> None:
        self._way = way
        self._origin = str(origin.origin())
        self._credential = credential

    async def send(self, operation: str, target: bytes, headers: Headers, body: bytes) -> Reply:
        shown = await self._credential.headers("POST", self._origin + target.decode(), body)
        return await self._way.send(operation, target, [*headers, *shown], body)


class Reshaped:
    """A way to a provider that has a wire, but not quite as others have it."""

    def __init__(self, way: Way, reshaped: Mapping[str, Callable[[bytes], bytes]]) -> None:
        """reshaped: operation → what is done to its bodies; others stay as they are."""
        self._way = way
        self._reshaped = reshaped

    async def send(self, operation: str, target: bytes, headers: Headers, body: bytes) -> Reply:
        reshape = self._reshaped.get(operation)
        return await self._way.send(operation, target, headers, body if reshape is None else reshape(body))


def _head(origin: URL, headers: CIMultiDict[str]) -> bytes:
    """The head of a POST but for its target and the headers of one request, `%b`, and its body's length, `%d`."""
    host = origin.raw_host or ""
    host = f"[{host}]" if ":" in host else host
    lines = ["Host: " + host + ("" if origin.is_default_port() else f":{origin.port}")]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if origin.user is not None and "Authorization" not in headers:
        user = b64encode(f"{origin.user}:{origin.password or ''}".encode())
        lines.append(f"Authorization: Basic {user.decode()}")
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ValueError("a header must be one line")
    head = "\r\n".join(lines).replace("%", "%%").encode()
    return b"POST %b HTTP/1.1\r\n" + head + b"\r\n%bContent-Length: %d\r\n\r\n"
