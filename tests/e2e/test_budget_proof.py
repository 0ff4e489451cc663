"""The budget's promise under fire: it is never passed, and nothing of it is lost.

A short ordeal in every run of the tests; `make proof` takes minutes over it and prints what it counted.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy as sa

from core.store.database import Database
from llmrouter.v1 import admin_pb2_grpc, budget_pb2
from tests.e2e.proof import CAP, CLIENTS, CONFIG, MODEL, USAGE, Ordeal, assert_exact, core_pids, wait_for
from tests.support.core import open_channel
from tests.support.database import on_postgres, on_sqlite
from tests.support.openai_upstream import OpenAIUpstream, Received, Wire, chat, stream
from tests.support.proxy import Proxy, proxy_to
from tests.support.service import Service, StartService

pytestmark = pytest.mark.e2e

SECONDS = float(os.environ.get("PROOF_SECONDS", "4"))
KILL_EVERY = 1.5
CUT_EVERY, CUT_FOR = 4.0, 1.5


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        yield session


def environ(folder: Path, cores: int) -> dict[str, str]:
    config = folder / "prices.yaml"
    config.write_text(CONFIG)
    return {
        "LLMROUTER_CONFIG": str(config),
        "LLMROUTER_CORE_WORKERS": str(cores),
        "LLMROUTER_FACADE_WORKERS": "1",
        "LLMROUTER_LOG_LEVEL": "error",
    }


async def ordeal_on(
    service: Service, upstream: OpenAIUpstream, database: Database, session: aiohttp.ClientSession
) -> Ordeal:
    """The service with its provider, and a dollar for the whole deployment."""
    upstream.models = [MODEL]
    await service.add_provider(upstream.base_url)

    async def answer(request: Received, wire: Wire) -> None:
        await asyncio.sleep(0.05)  # so that there is something to kill
        kind = stream(["one ", "two ", "three "], usage=USAGE) if request.streamed else chat(usage=USAGE)
        await kind(request, wire)

    upstream.always(answer)
    async with open_channel(service.grpc_target) as channel:
        await admin_pb2_grpc.AdminServiceStub(channel).CreateBudget(
            budget_pb2.CreateBudgetRequest(
                scope=budget_pb2.BUDGET_SCOPE_DEPLOYMENT,
                period=budget_pb2.BUDGET_PERIOD_TOTAL,
                limit_nanousd=CAP,
                hard=True,
            ),
            metadata=(("x-api-key", service.key),),
            wait_for_ready=True,
        )
    await asyncio.sleep(1.5)  # until every process has heard of it
    return Ordeal(service, upstream, database, session, service.key)


async def kill_cores(ordeal: Ordeal, until: float) -> None:
    while time.monotonic() < until - 1.0:
        await asyncio.sleep(KILL_EVERY)
        ordeal.kill_a_core()


async def cut_the_database(ordeal: Ordeal, proxy: Proxy, until: float) -> None:
    while time.monotonic() < until - CUT_FOR - 1.0:
        await asyncio.sleep(CUT_EVERY - CUT_FOR)
        proxy.cut()
        ordeal.counts["cut"] += 1
        await asyncio.sleep(CUT_FOR)
        proxy.mend()


def audited(service: Service) -> str:
    """What `llmrouter audit` says; fails where it finds a difference."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "core.cli", "audit"],
        env=service.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@on_postgres
async def test_a_dollar_on_postgresql_with_four_core_processes(
    start_service: StartService,
    database_url: str,
    session: aiohttp.ClientSession,
    openai_upstream: OpenAIUpstream,
    tmp_path: Path,
):
    url = sa.make_url(database_url)
    database = Database(database_url)
    async with asyncio.timeout(SECONDS + 150), proxy_to(f"{url.host}:{url.port or 5432}") as proxy:
        port = int(proxy.target.rpartition(":")[2])
        through = url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        service = await asyncio.to_thread(
            start_service, supervised=True, database_url=through, environ=environ(tmp_path, 4)
        )
        ordeal = await ordeal_on(service, openai_upstream, database, session)
        assert len(core_pids(service)) == 4
        until = time.monotonic() + SECONDS
        await asyncio.gather(
            kill_cores(ordeal, until),
            cut_the_database(ordeal, proxy, until),
            ordeal.watch(until),
            *(ordeal.client(until) for _ in range(CLIENTS)),
        )
        assert ordeal.counts["killed"]
        assert ordeal.counts["cut"]
        await wait_for(database)
        await asyncio.to_thread(service.wait_ready)
        await asyncio.sleep(3.0)  # the heirs of the killed processes ship what those left, and give the rest back
        await ordeal.spend_the_rest(patience=60.0)
        await asyncio.to_thread(service.stop)
        await assert_exact(ordeal)
        print(await asyncio.to_thread(audited, service))
    await database.close()


@on_sqlite
async def test_a_dollar_on_sqlite_with_one_core_process(
    start_service: StartService,
    database_url: str,
    session: aiohttp.ClientSession,
    openai_upstream: OpenAIUpstream,
    tmp_path: Path,
):
    database = Database(database_url)
    async with asyncio.timeout(SECONDS + 120):
        service = await asyncio.to_thread(
            start_service, supervised=True, database_url=database_url, environ=environ(tmp_path, 1)
        )
        ordeal = await ordeal_on(service, openai_upstream, database, session)
        until = time.monotonic() + SECONDS
        await asyncio.gather(
            kill_cores(ordeal, until), ordeal.watch(until), *(ordeal.client(until) for _ in range(CLIENTS))
        )
        assert ordeal.counts["killed"]
        await asyncio.to_thread(service.wait_ready)
        await asyncio.sleep(3.0)
        await ordeal.spend_the_rest(patience=60.0)
        await asyncio.to_thread(service.stop)
        await assert_exact(ordeal)
        print(await asyncio.to_thread(audited, service))
    await database.close()
