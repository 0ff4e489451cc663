"""A server whose connections a test talks on itself, byte by byte.

async def talk(reader, writer):             once for each connection, which is closed afterwards
    await request(reader)
    writer.write(b"HTTP/1.1 200 OK\\r\\n…")

async with serve_raw(talk) as server:
    … ask 127.0.0.1 at server.port …
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

LOCALHOST = "127.0.0.1"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """Make it with `serve_raw`."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.opened = 0  # connections so far
        self.open = 0  # connections now

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.opened += 1
        self.open += 1
        try:
            await self._talk(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._tasks.discard(task)
            self.open -= 1
            with suppress(OSError, RuntimeError):  # of TLS on a connection that broke
                writer.close()
                await writer.wait_closed()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def serve_raw(
    talk: Talk, *, host: str = LOCALHOST, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[RawServer]:
    """Starts a server on a free port."""
    raw = RawServer(talk)
    server = await asyncio.start_server(raw.serve, host, 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        await raw.stop()


async def request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next HTTP request. Raises EOFError where there is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await reader.readexactly(lengths[0] if lengths else 0)


async def closed(reader: asyncio.StreamReader) -> None:
    """Returns when the client has closed the connection."""
    with suppress(OSError):
        while await reader.read(64 * 1024):
            pass
