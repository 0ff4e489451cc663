"""A TCP proxy between two parts, which a test can cut: what a broken network or a dead machine looks like.

async with proxy_to("127.0.0.1:50051") as proxy:
    … connect to proxy.target …
    proxy.cut()      every connection breaks at once, and none is accepted
    proxy.mend()
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

LOCALHOST = "127.0.0.1"


class Proxy:
    """Make it with `proxy_to`."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._host, self._port = host, int(port)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._whole = True
        self.target = ""  # where to connect to

    def cut(self) -> None:
        """Breaks all connections, without a proper end."""
        self._whole = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """Lets connections through again."""
        self._whole = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if self._whole:
                await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            with suppress(OSError):
                writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._host, self._port)
        self._writers.add(back)
        try:
            ways = [asyncio.ensure_future(_copy(reader, back)), asyncio.ensure_future(_copy(there, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._writers.discard(back)
            back.close()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def proxy_to(target: str) -> AsyncGenerator[Proxy]:
    """Starts a proxy on a free port. target: "host:port"."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, LOCALHOST, 0)
    proxy.target = f"{LOCALHOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.stop()
        await server.wait_closed()
