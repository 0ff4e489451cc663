"""Providers behind an HTTP proxy: another way, and the same replies."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.dialects.openai.chat import CHAT
from core.errors import ProviderError, StreamInterrupted
from core.providers.http_upstream import HttpUpstream
from core.providers.session import Session
from core.providers.upstream import Target
from tests.support.certificates import self_signed
from tests.support.http_proxy import HttpProxy, serve_http_proxy
from tests.support.openai_upstream import Gate, OpenAIUpstream, error, events, silent, sse
from tests.support.raw_server import LOCALHOST, request, serve_raw
from tests.support.router import until

BODY = b'{"model":"gpt-test","messages":[]}'


@pytest.fixture
async def proxy() -> AsyncIterator[HttpProxy]:
    async with serve_http_proxy() as proxy:
        yield proxy


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with Session() as session:
        yield session


def behind(proxy: HttpProxy, session: Session, base_url: str) -> HttpUpstream:
    """A provider that the environment says is behind the proxy."""
    target = Target(
        id=1,
        name="behind",
        type="openai",
        base_url=base_url,
        api_key="",
        connect_timeout=5.0,
        first_byte_timeout=5.0,
        idle_timeout=5.0,
    )
    return HttpUpstream(target, session, SystemClock(), {"HTTP_PROXY": proxy.url, "https_proxy": proxy.url})


@pytest.fixture
def upstream(proxy: HttpProxy, session: Session, openai_upstream: OpenAIUpstream) -> HttpUpstream:
    return behind(proxy, session, openai_upstream.base_url)


async def test_the_proxy_is_asked(upstream: HttpUpstream, openai_upstream: OpenAIUpstream, proxy: HttpProxy):
    first, second = await upstream.send(CHAT, BODY), await upstream.send(CHAT, BODY)
    assert b"Hello there." in await first.read()
    assert b"Hello there." in await second.read()
    assert set(proxy.asked) == {f"POST {openai_upstream.base_url}/chat/completions HTTP/1.1"}
    assert openai_upstream.requests[0].body == BODY


async def test_an_error_has_its_status_and_when_to_come_again(upstream: HttpUpstream, openai_upstream: OpenAIUpstream):
    openai_upstream.script(error(429, retry_after="7"))
    reply = await upstream.send(CHAT, BODY)
    assert (reply.status, reply.retry_after, reply.content_type) == (429, 7.0, "application/json")
    reply.close()


async def test_whoever_is_to_be_told_is_told_of_data_of_the_end_and_of_a_break(
    upstream: HttpUpstream, openai_upstream: OpenAIUpstream
):
    pieces = events(["one", "two"])
    for cut in (False, True):
        gate = Gate(1)
        openai_upstream.script(sse(pieces, gate=gate, cut=cut))
        reply = await upstream.send(CHAT, BODY)
        told, said = asyncio.Event(), b""
        reply.notify(told.set)
        broken = False
        async with asyncio.timeout(10):
            while not reply.over and not broken:
                await told.wait()
                told.clear()
                try:
                    while data := reply.arrived():
                        said += data
                except StreamInterrupted:
                    broken = True
                gate.open()
        assert (said, broken) == (b"".join(pieces), cut)
        reply.close()


async def test_who_closes_a_stream_ends_the_providers_work(upstream: HttpUpstream, openai_upstream: OpenAIUpstream):
    openai_upstream.script(sse(events(["one"]), gate=Gate(1)))
    reply = await upstream.send(CHAT, BODY)
    received = await openai_upstream.received()
    reply.notify(lambda: None)
    reply.close()
    await until(received.hung_up.is_set)


async def test_who_does_not_wait_for_the_head_ends_it_too(upstream: HttpUpstream, openai_upstream: OpenAIUpstream):
    openai_upstream.script(silent())
    asking = asyncio.create_task(upstream.send(CHAT, BODY))
    received = await openai_upstream.received()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await until(received.hung_up.is_set)


async def test_an_encrypted_provider_is_reached_through_a_tunnel(proxy: HttpProxy, session: Session, tmp_path: Path):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    certificate = self_signed(tmp_path)
    connector: Any = session.aiohttp.connector
    connector._ssl = ssl.create_default_context(cafile=str(certificate.path))
    async with serve_raw(talk, tls=certificate.serving()) as server:
        upstream = behind(proxy, session, f"https://{LOCALHOST}:{server.port}/v1")
        assert await (await upstream.send(CHAT, BODY)).read() == b"ok"
        assert proxy.asked == [f"CONNECT {LOCALHOST}:{server.port} HTTP/1.1"]


async def test_a_proxy_that_is_not_there_is_a_failure(session: Session, openai_upstream: OpenAIUpstream):
    proxy = HttpProxy()
    proxy.url = f"http://{LOCALHOST}:1"
    with pytest.raises(ProviderError):
        await behind(proxy, session, openai_upstream.base_url).send(CHAT, BODY)
    assert openai_upstream.requests == []
