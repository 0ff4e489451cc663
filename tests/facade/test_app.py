"""The life of a facade: hang-ups and the drain."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from llmrouter.v1 import account_pb2
from tests.support.database import on_sqlite
from tests.support.facade import Site, SiteFactory, one_answer
from tests.support.stub_core import stub_core

pytestmark = on_sqlite

ASK = b"GET /api/auth/me HTTP/1.1\r\nHost: x\r\n\r\n"


class Slow:
    """A core whose answer waits until the test lets it go."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.released = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def account(self, request: Any, context: Any) -> account_pb2.GetAccountResponse:
        self.asked.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return account_pb2.GetAccountResponse(user=account_pb2.User(id=1, role=account_pb2.USER_ROLE_USER))


@asynccontextmanager
async def slow_site(start: SiteFactory, **settings: Any) -> AsyncGenerator[tuple[Site, Slow]]:
    slow = Slow()
    async with (
        stub_core({"AccountService.GetAccount": slow.account}) as target,
        start(core_targets=(target,), **settings) as site,
    ):
        yield site, slow
        slow.released.set()


async def test_a_client_that_hangs_up_cancels_the_call(site_factory: SiteFactory):
    async with slow_site(site_factory) as (site, slow):
        async with site.connect() as (_, writer):
            writer.write(ASK)
            await slow.asked.wait()
        async with asyncio.timeout(5):
            await slow.cancelled.wait()


async def test_a_drain_lets_what_runs_finish_and_takes_nothing_new(site_factory: SiteFactory):
    async with slow_site(site_factory) as (site, slow), site.connect() as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await one_answer(reader))[0] == 200
        running = asyncio.create_task(site.client.get("/api/auth/me"))
        await slow.asked.wait()
        stopping = asyncio.create_task(site.facade.stop())
        while not site.facade.readiness.draining:
            await asyncio.sleep(0)

        with pytest.raises(httpx.ConnectError):
            await (await site.open_client()).get("/health")
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        answered = await reader.read()
        assert answered.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nConnection: close\r\n" in answered
        assert b'"code":"service_unavailable"' in answered

        slow.released.set()
        response = await running
        assert (response.status_code, response.json()["id"]) == (200, 1)
        assert response.headers["connection"] == "close"
        async with asyncio.timeout(5):
            await stopping


async def test_readiness_ends_with_the_drain(site_factory: SiteFactory):
    async with slow_site(site_factory) as (site, slow), site.connect() as (reader, writer):
        running = asyncio.create_task(site.client.get("/api/auth/me"))
        await slow.asked.wait()
        stopping = asyncio.create_task(site.facade.stop())
        while not site.facade.readiness.draining:
            await asyncio.sleep(0)
        writer.write(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        answered = await reader.read()
        assert answered.startswith(b"HTTP/1.1 503 ")
        assert b'"status":"stopping"' in answered
        slow.released.set()
        await asyncio.gather(running, stopping)


async def test_what_does_not_finish_in_time_is_cancelled(site_factory: SiteFactory):
    async with slow_site(site_factory, drain_timeout=0.1) as (site, slow):
        running = asyncio.create_task(site.client.get("/api/auth/me"))
        await slow.asked.wait()
        async with asyncio.timeout(5):
            await site.facade.stop()
            await slow.cancelled.wait()
        with pytest.raises(httpx.RemoteProtocolError):
            await running


async def test_hurry_ends_the_drain(site_factory: SiteFactory):
    async with slow_site(site_factory, drain_timeout=60.0) as (site, slow):
        running = asyncio.create_task(site.client.get("/api/auth/me"))
        await slow.asked.wait()
        hurry = asyncio.Event()
        stopping = asyncio.create_task(site.facade.stop(hurry))
        hurry.set()
        async with asyncio.timeout(5):
            await stopping
        with pytest.raises(httpx.RemoteProtocolError):
            await running


async def test_an_idle_facade_stops_at_once(site_factory: SiteFactory):
    async with site_factory(drain_timeout=60.0) as site:
        await site.client.get("/health")
        async with asyncio.timeout(2):
            await site.facade.stop()
