"""An HTTP proxy, as companies have them: requests in absolute form, and CONNECT for what is encrypted.

async with serve_http_proxy() as proxy:
    … HTTP_PROXY=proxy.url …
    proxy.asked        the first line of everything that it was asked for
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.support.raw_server import LOCALHOST, serve_raw


class HttpProxy:
    """Make it with `serve_http_proxy`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, _, headers = head.partition("\r\n")
        self.asked.append(line)
        method, target, version = line.split(" ")
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            there, back = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            url = urlsplit(target)
            there, back = await asyncio.open_connection(url.hostname, url.port)
            path = f"{url.path}?{url.query}" if url.query else url.path
            back.write(f"{method} {path} {version}\r\n{headers}".encode("latin-1"))
        ways = [asyncio.ensure_future(_copy(reader, back)), asyncio.ensure_future(_copy(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(64 * 1024):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def serve_http_proxy() -> AsyncGenerator[HttpProxy]:
    """Starts one on a free port."""
    proxy = HttpProxy()
    async with serve_raw(proxy.talk) as server:
        proxy.url = f"http://{LOCALHOST}:{server.port}"
        yield proxy
