"""The connections to all providers: ours for inference, and aiohttp's for everything else."""

from types import TracebackType
from typing import Self

import aiohttp

from core.providers.direct import KEEP_SECONDS, Direct
from core.providers.proxied import KeptConnections

# How much of an answer aiohttp reads before the provider is held up; twice as much is the most.
_READ_AHEAD = 32 * 1024


class Session:
    """Make it inside the running loop, and close it."""

    def __init__(self) -> None:
        self.direct = Direct()
        self.aiohttp = aiohttp.ClientSession(
            connector=KeptConnections(limit=0, ttl_dns_cache=60, keepalive_timeout=KEEP_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            read_bufsize=_READ_AHEAD,
        )

    async def close(self) -> None:
        self.direct.close()
        await self.aiohttp.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
