"""Connections: limits on heads and bodies, in size and in time."""

import asyncio
import gzip
import json

import pytest

from tests.support.database import on_sqlite
from tests.support.facade import Site, SiteFactory, one_answer
from tests.support.router import until

pytestmark = on_sqlite

LOGIN = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = json.dumps({"email": "nobody@example.com", "password": "wrong password"}).encode()


async def answer_to(site: Site, sent: bytes) -> bytes:
    """All that comes until the server closes the connection."""
    async with site.connect() as (reader, writer):
        writer.write(sent)
        return await reader.read()


async def test_a_head_that_never_ends_is_cut_off(site_factory: SiteFactory):
    async with site_factory(header_timeout=0.2) as site:
        answered = await answer_to(site, b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: a")
        assert answered.startswith(b"HTTP/1.1 408 ")


async def test_a_connection_that_says_nothing_is_closed(site_factory: SiteFactory):
    async with site_factory(header_timeout=0.2) as site:
        assert b" 408 " in await answer_to(site, b"")


async def test_the_head_of_a_later_request_has_the_same_time(site_factory: SiteFactory):
    async with site_factory(header_timeout=0.2) as site, site.connect() as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await one_answer(reader))[0] == 200
        writer.write(b"GET /health HT")
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_an_idle_connection_may_outlive_the_time_for_a_head(site_factory: SiteFactory):
    async with site_factory(header_timeout=0.1) as site, site.connect() as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await one_answer(reader))[0] == 200
        with pytest.raises(TimeoutError):  # longer than it takes to find a late one
            await asyncio.wait_for(reader.read(1), 0.8)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await one_answer(reader))[0] == 200


async def test_a_body_may_take_longer_than_a_head_but_not_for_ever(site_factory: SiteFactory):
    async with site_factory(header_timeout=0.2, body_timeout=0.3) as site:
        started = LOGIN + b"Content-Length: 100\r\n\r\n{"
        async with site.connect() as (reader, writer):
            writer.write(started)
            assert await one_answer(reader) == (408, b'{"error":"request timeout"}')


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(1000)) + b"\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
    ],
)
async def test_what_is_too_large_or_not_http_is_400(site: Site, head: bytes):
    answered = await answer_to(site, head)
    assert answered.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b'{"error":' in answered
    assert b"x-request-id" in answered.lower()
    assert (await site.client.get("/health")).status_code == 200


async def test_an_announced_body_that_is_too_large_is_refused_before_it_comes(site: Site):
    async with site.connect() as (reader, writer):
        writer.write(LOGIN + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
        status, body = await one_answer(reader)
        assert (status, body) == (413, b'{"error":"request too large"}')


async def test_a_body_that_is_too_large_without_announcing_it_is_refused(site: Site):
    async with site.connect() as (reader, writer):
        writer.write(LOGIN + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(17):
            writer.write(chunk)
        assert (await one_answer(reader))[0] == 413


async def test_413_has_the_shape_of_its_surface(site_factory: SiteFactory):
    async with site_factory(max_body=1024) as site:
        response = await site.client.post("/v1/chat/completions", content=b"x" * 2000)
        assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")
        response = await site.client.post("/api/v1/chat/completions", content=b"x" * 2000)
        assert (response.status_code, response.json()) == (413, {"error": "request too large"})


async def test_a_client_that_waits_for_permission_gets_it(site: Site):
    async with site.connect() as (reader, writer):
        writer.write(LOGIN + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(BODY))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(BODY)
        assert await one_answer(reader) == (401, b'{"error":"invalid credentials"}')


async def test_a_body_in_pieces_and_in_chunks_is_put_together(site: Site):
    async with site.connect() as (reader, writer):
        writer.write(LOGIN + b"Transfer-Encoding: chunked\r\n\r\n")
        for piece in (BODY[:10], BODY[10:]):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        assert (await one_answer(reader))[0] == 401


async def test_broken_chunks_are_400(site: Site):
    async with site.connect() as (reader, writer):
        writer.write(LOGIN + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n")
        assert (await one_answer(reader))[0] == 400


async def test_a_compressed_body_is_unpacked(site: Site):
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    response = await site.client.post("/api/auth/login", content=gzip.compress(BODY), headers=headers)
    assert response.status_code == 401


async def test_a_compressed_body_that_is_large_when_unpacked_is_refused(site: Site):
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    bomb = gzip.compress(b" " * 50_000_000)
    response = await site.client.post("/api/auth/login", content=bomb, headers=headers)
    assert response.status_code == 413


async def test_a_body_that_is_not_what_it_says_is_400(site: Site):
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    response = await site.client.post("/api/auth/login", content=b"not gzip at all", headers=headers)
    assert response.status_code == 400


async def test_pipelined_requests_are_answered_in_order(site: Site):
    async with site.connect() as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        assert [(await one_answer(reader))[0] for _ in range(2)] == [200, 404]


async def test_http_1_0_is_answered_and_closed(site: Site):
    assert b'{"status":"healthy"}' in await answer_to(site, b"GET /health HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("header", [b"Authorization: Bearer \xff\xfe", b"X-API-Key: sk_\xff", b"X-Virtual-Key: \xe9"])
@pytest.mark.parametrize("target", [b"GET /v1/models", b"POST /v1/chat/completions"])
async def test_a_credential_that_is_no_text_is_no_credential(site: Site, header: bytes, target: bytes):
    await until(lambda: site.facade.relay.ready)
    async with site.connect() as (reader, writer):
        writer.write(target + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + header + b"\r\n\r\n{}")
        assert (await one_answer(reader))[0] == 401


async def test_a_session_that_is_no_text_is_no_session(site: Site):
    async with site.connect() as (reader, writer):
        writer.write(b"GET /api/stats/me HTTP/1.1\r\nHost: x\r\nCookie: session=\xff\xfe\r\n\r\n")
        assert (await one_answer(reader))[0] == 401


async def test_what_is_cut_off_has_a_request_id_too(site_factory: SiteFactory):
    async with site_factory(header_timeout=0.2, body_timeout=0.2) as site:
        for sent in (b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: a", LOGIN + b"Content-Length: 100\r\n\r\n{"):
            async with site.connect() as (reader, writer):
                writer.write(sent)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert b" 408 " in head
            assert b"\r\nx-request-id: " in head


async def test_what_is_not_http_has_a_request_id_too(site: Site):
    head = (await answer_to(site, b"GARBAGE\r\n\r\n")).partition(b"\r\n\r\n")[0].lower()
    assert b" 400 " in head
    assert b"\r\nx-request-id: " in head
