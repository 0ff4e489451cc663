"""HTTP/1.1 straight to a provider: the way that nearly all inference goes.

    Direct ─► Origin (scheme, host, port) ─┬─ a connection that is kept, or
                                           └─ a new one: addresses, TCP, TLS
                                                  └─ exchange() ─► Reply

A third of what a general HTTP client costs a request, and less for each piece of a stream. A
provider behind an HTTP proxy is asked through aiohttp instead (core/providers/proxied.py).
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any

import aiohappyeyeballs

from core.clock import Clock
from core.errors import ProviderError
from core.providers.connection import Broken, Connection, DirectReply, Stale
from core.providers.inflate import IDENTITY, Inflated
from core.providers.upstream import Reply

# A connection that nothing was sent on for so many seconds is not used again.
KEEP_SECONDS = 75.0
_SWEEP_SECONDS = 15.0
# Seconds that a name's addresses are remembered, and that each of them gets before the next is tried too.
_DNS_SECONDS = 60.0
_NEXT_ADDRESS = 0.25


class Origin:
    """One server, and the connections to it that wait for their next exchange."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._kept: dict[Connection, None] = {}  # the one that was used last comes last
        self._lookup: asyncio.Task[Sequence[Any]] | None = None
        self._looked_up_at = 0.0

    async def send(self, head: bytes, body: bytes, connect_timeout: float, clock: Clock) -> Reply:
        """Sends a request; returns when the head of the answer is there.

        A connection that had gone stale is replaced at once. Raises ProviderError, OSError, TimeoutError.
        """
        kept = self._take()
        try:
            if kept is not None:
                try:
                    return _readable(await kept.exchange(head, body, clock))
                except Stale:
                    pass  # the others that are kept may be as old
            connection = await self._connect(connect_timeout)
            return _readable(await connection.exchange(head, body, clock))
        except (Stale, Broken) as error:
            raise ProviderError("the provider's answer was not HTTP, or broke off") from error

    def close(self) -> None:
        """Closes what waits here; exchanges under way have owners of their own."""
        self.close_idle(float("inf"))
        if self._lookup is not None:
            self._lookup.cancel()

    def keep(self, connection: Connection) -> None:
        self._kept[connection] = None

    def forget(self, connection: Connection) -> None:
        self._kept.pop(connection, None)

    def close_idle(self, since: float) -> None:
        """Closes the connections that nothing was sent on since then, in the loop's time."""
        for connection in [kept for kept in self._kept if kept.last_used < since]:
            self.forget(connection)
            connection.abort()

    def _take(self) -> Connection | None:
        """A connection that is kept, the one used last."""
        while self._kept:
            connection, _ = self._kept.popitem()
            if connection.usable and self._loop.time() - connection.last_used < KEEP_SECONDS:
                return connection
            connection.abort()
        return None

    async def _connect(self, timeout: float) -> Connection:
        async with asyncio.timeout(timeout):
            chosen = await aiohappyeyeballs.start_connection(
                await self._addresses(), happy_eyeballs_delay=_NEXT_ADDRESS, loop=self._loop
            )
            try:
                chosen.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                chosen.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self, self._loop),
                    sock=chosen,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
            except BaseException:
                chosen.close()
                raise
        return connection

    async def _addresses(self) -> Sequence[Any]:
        """The server's addresses; many new connections at once ask for them once."""
        now = self._loop.time()
        if self._lookup is None or now - self._looked_up_at > _DNS_SECONDS or _failed(self._lookup):
            looking = self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._lookup, self._looked_up_at = self._loop.create_task(looking), now
        return await asyncio.shield(self._lookup)


class Direct:
    """All origins. Made in the loop that uses it."""

    def __init__(self) -> None:
        self._origins: dict[tuple[str, str, int], Origin] = {}
        self._tls: ssl.SSLContext | None = None
        self._loop = asyncio.get_running_loop()
        self._sweeper = self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def origin(self, scheme: str, host: str, port: int) -> Origin:
        """scheme: "http" or "https"; host: a name, or an address without brackets."""
        place = (scheme, host, port)
        if place not in self._origins:
            self._origins[place] = Origin(host, port, self._context() if scheme == "https" else None)
        return self._origins[place]

    def close(self) -> None:
        self._sweeper.cancel()
        for origin in self._origins.values():
            origin.close()

    def _context(self) -> ssl.SSLContext:
        """The certificates that this machine trusts, read once."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _sweep(self) -> None:
        for origin in self._origins.values():
            origin.close_idle(self._loop.time() - KEEP_SECONDS)
        self._sweeper = self._loop.call_later(_SWEEP_SECONDS, self._sweep)


def _failed(lookup: asyncio.Task[Sequence[Any]]) -> bool:
    return lookup.done() and (lookup.cancelled() or lookup.exception() is not None)


def _readable(reply: DirectReply) -> Reply:
    """The reply without the encoding that some servers use unasked."""
    return reply if reply.encoding in IDENTITY else Inflated(reply, reply.encoding)
