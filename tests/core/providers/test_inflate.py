"""Answers that are compressed although nobody asked for it."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from core.clock import SystemClock
from core.errors import ProviderError, StreamInterrupted
from core.providers.direct import Direct
from core.providers.upstream import Reply
from tests.support.raw_server import LOCALHOST, RawServer, request, serve_raw

PLAIN = b"data: something that is said again and again\n\n" * 2000


@pytest.fixture
async def direct() -> AsyncIterator[Direct]:
    direct = Direct()
    yield direct
    direct.close()


async def streamed(reply: Reply) -> bytes:
    """A body, taken as it comes."""
    body = b""
    async with asyncio.timeout(10):
        while not reply.over:
            await reply.more()
            body += reply.arrived()
    return body


class Answered:
    """Gives replies with a body in an encoding."""

    def __init__(self, direct: Direct, port: int) -> None:
        self._origin = direct.origin("http", LOCALHOST, port)

    async def reply(self) -> Reply:
        async with asyncio.timeout(10):
            return await self._origin.send(b"POST / HTTP/1.1\r\n\r\n", b"", 5.0, SystemClock())


def serving(encoding: str, body: bytes, *, bounded: bool = True) -> AbstractAsyncContextManager[RawServer]:
    """A server that answers everything so, in pieces; bounded: whether it says how much it is, or closes after it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            length = f"Content-Length: {len(body)}\r\n" if bounded else ""
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n{length}\r\n".encode())
            for start in range(0, len(body), 50):
                writer.write(body[start : start + 50])
                await writer.drain()
            if not bounded:
                break

    return serve_raw(talk)


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(PLAIN)),
        ("X-Gzip", gzip.compress(PLAIN)),
        ("deflate", zlib.compress(PLAIN)),
        ("identity", PLAIN),
        ("gzip", b""),
    ],
)
async def test_it_is_unpacked(direct: Direct, encoding: str, packed: bytes, bounded: bool):
    plain = PLAIN if packed else b""
    async with serving(encoding, packed, bounded=bounded) as server:
        answered = Answered(direct, server.port)
        assert await (await answered.reply()).read() == plain
        assert await streamed(await answered.reply()) == plain


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("packed", [b"not packed at all", gzip.compress(PLAIN)[:-20]])
async def test_what_is_not_whole_is_not_taken_for_it(direct: Direct, packed: bytes, bounded: bool):
    async with serving("gzip", packed, bounded=bounded) as server:
        answered = Answered(direct, server.port)
        reply = await answered.reply()
        with pytest.raises(ProviderError):
            await reply.read()
        reply = await answered.reply()
        with pytest.raises(StreamInterrupted):
            await streamed(reply)
        reply.close()


async def test_a_small_answer_does_not_become_a_huge_one(direct: Direct, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.providers.inflate.MAX_ANSWER_BYTES", 100_000)
    async with serving("gzip", gzip.compress(bytes(10_000_000))) as server:
        answered = Answered(direct, server.port)
        reply = await answered.reply()
        with pytest.raises(ProviderError):
            await reply.read()
        reply = await answered.reply()
        with pytest.raises(StreamInterrupted):
            await streamed(reply)
        reply.close()
