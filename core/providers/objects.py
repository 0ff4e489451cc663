"""Files and batches at a provider that speaks OpenAI's wire: small calls over aiohttp, off the hot path.

    ask() ─► the object's JSON, bounded          read() ─► Content, piece by piece
      └─ an error answer: UpstreamStatus           └─ likewise

https://platform.openai.com/docs/api-reference/files · https://platform.openai.com/docs/api-reference/batch
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from core.errors import ProviderError, ProviderTimeout, StreamInterrupted, UpstreamStatus
from core.providers.credential import Credential
from core.providers.endpoint import address
from core.providers.upstream import Target

FILES: Final = "/files"
BATCHES: Final = "/batches"

_PIECE: Final = 64 * 1024
_LARGEST: Final = 4 * 1024 * 1024  # bytes of an object's JSON
_LARGEST_ERROR: Final = 64 * 1024
_UNREACHABLE = (aiohttp.ClientError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent."""

    data: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a file, as it comes."""

    content_type: str
    pieces: AsyncGenerator[bytes]  # raises StreamInterrupted


class ProviderObjects:
    """What one provider keeps for its callers."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        target: Target,
        base_url: str,
        headers: Mapping[str, str],
        *,
        paths: frozenset[str],
        proxy: URL | None,
        credential: Credential | None,
    ) -> None:
        """headers: of all requests; paths: FILES, BATCHES, or both; credential: in place of a key's header."""
        self.paths = paths
        self._session = session
        self._target = target
        self._base_url = base_url
        self._headers = headers
        self._proxy = proxy
        self._credential = credential

    async def ask(self, method: str, path: str, query: Mapping[str, str], body: Body | None = None) -> bytes:
        """What the provider answers: a JSON text. Raises UpstreamStatus, ProviderError."""
        async with self._answer(method, path, query, body, self._target.first_byte_timeout) as response:
            return await _bounded(response, _LARGEST)

    @asynccontextmanager
    async def read(self, path: str) -> AsyncGenerator[Content]:
        """What is in a file. Raises UpstreamStatus, ProviderError."""
        async with self._answer("GET", path, {}, None, self._target.idle_timeout) as response:
            content_type = response.headers.get("Content-Type", "application/octet-stream")
            yield Content(content_type, self._pieces(response))

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
        try:
            async for piece in response.content.iter_chunked(_PIECE):
                yield piece
        except (TimeoutError, *_UNREACHABLE) as error:
            raise StreamInterrupted from error

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, query: Mapping[str, str], body: Body | None, patience: float
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """The head of a good answer. patience: seconds in which something must come."""
        url = address(self._base_url, path).update_query(query)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._target.connect_timeout, sock_read=patience)
        name = self._target.name
        try:
            response = await self._session.request(
                method,
                url,
                headers=await self._head(method, url, body),
                data=BytesIO(body.data) if body is not None else None,  # which aiohttp writes piece by piece
                timeout=timeout,
                proxy=self._proxy,
                allow_redirects=False,
            )
        except TimeoutError as error:
            raise ProviderTimeout from error
        except _UNREACHABLE as error:
            raise ProviderError(f"the provider '{name}' could not be reached") from error
        async with response:
            if response.status >= 400:
                said = await _bounded(response, _LARGEST_ERROR)
                wait = response.headers.get("Retry-After", "")
                retry_after = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 7 else None
                raise UpstreamStatus(status=response.status, body=said, retry_after=retry_after)
            if response.status >= 300:
                raise ProviderError(f"the provider '{name}' answered with status {response.status}")
            yield response

    async def _head(self, method: str, url: URL, body: Body | None) -> CIMultiDict[str]:
        head = CIMultiDict(self._headers)
        head.pop("Content-Type", None)
        if body is not None:
            head["Content-Type"] = body.content_type
        if self._credential is not None:
            head.extend(await self._credential.headers(method, str(url), body.data if body is not None else b""))
        return head


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces: list[bytes] = []
    try:
        async for data in response.content.iter_any():
            pieces.append(data)
            limit -= len(data)
            if limit < 0:
                raise ProviderError("the provider's answer is too large")
    except TimeoutError as error:
        raise ProviderTimeout from error
    except _UNREACHABLE as error:
        raise ProviderError("the provider's answer broke off") from error
    return b"".join(pieces)
