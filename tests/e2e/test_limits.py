"""Limits of a service with several core processes: exact for all of them, with Redis or without, and after kill -9."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL, Gate, OpenAIUpstream, chat, stream
from tests.support.router import CHAT
from tests.support.service import Service, StartService

if TYPE_CHECKING:
    from tests.support.limits import RedisServer

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit"), on_sqlite]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    # A connection each, so that the clients spread over the processes.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        yield session


def limited(folder: Path, upstream: OpenAIUpstream, limit: str) -> dict[str, str]:
    """The environment of a service with two cores, a provider, and a limit for all together, known from the start."""
    upstream.models = [MODEL]
    path = folder / "limits.yaml"
    provider = f"{{name: main, type: openai-compatible, base_url: '{upstream.base_url}', models: [{MODEL}]}}"
    path.write_text(f"providers: [{provider}]\nlimits: [{{scope: deployment, {limit}}}]")
    return {"LLMROUTER_CORE_WORKERS": "2", "LLMROUTER_CONFIG": str(path)}


async def both_linked(service: Service, session: aiohttp.ClientSession) -> None:
    """Returns when the facade has its link to each core."""
    async with asyncio.timeout(20):
        while True:
            async with session.get(service.base_url + "/ready") as answer:
                cores = (await answer.json())["cores"]
            if all(state["relay"] == "ok" for state in cores.values()):
                return
            await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Outcome:
    """What a client had of its request."""

    status: int = 0  # 0: the connection broke
    whole: bool = False


async def ask(service: Service, session: aiohttp.ClientSession, **fields: bool) -> Outcome:
    """Sends a request."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **fields}
    headers = {"Authorization": f"Bearer {service.key}", "Content-Type": "application/json"}
    with suppress(aiohttp.ClientError):
        async with session.post(service.base_url + CHAT, data=json.dumps(body), headers=headers) as answer:
            return Outcome(answer.status, (await answer.read()).endswith(b"data: [DONE]\n\n"))
    return Outcome()


async def ask_many(service: Service, session: aiohttp.ClientSession, count: int, at_once: int = 30) -> "Counter[int]":
    """Sends so many requests; how often each status came."""
    statuses: Counter[int] = Counter()
    left = iter(range(count))

    async def client() -> None:
        for _ in left:
            statuses[(await ask(service, session)).status] += 1

    await asyncio.gather(*(client() for _ in range(at_once)))
    return statuses


@pytest.mark.parametrize("through", ["the machine's memory", "redis"])
async def test_all_core_processes_let_in_exactly_as_many_as_the_limit_allows(
    request: pytest.FixtureRequest,
    start_service: StartService,
    database_url: str,
    session: aiohttp.ClientSession,
    openai_upstream: OpenAIUpstream,
    tmp_path: Path,
    through: str,
):
    environ = limited(tmp_path, openai_upstream, "requests_per_day: 150")
    if through == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        environ["LLMROUTER_REDIS_URL"] = server.url
    service = start_service(supervised=True, database_url=database_url, environ=environ)
    openai_upstream.always(chat("Hello."))
    statuses = await ask_many(service, session, 200)
    async with asyncio.timeout(20):
        while statuses[200] < 150:  # through Redis, a part that one process had left is everybody's a moment later
            statuses += await ask_many(service, session, 10)
    statuses += await ask_many(service, session, 50)
    assert statuses[200] == 150
    assert statuses.keys() == {200, 429}
    assert len(openai_upstream.requests) == 150


async def test_the_places_of_a_core_that_was_killed_are_free_again(
    start_service: StartService,
    database_url: str,
    session: aiohttp.ClientSession,
    openai_upstream: OpenAIUpstream,
    tmp_path: Path,
):
    environ = limited(tmp_path, openai_upstream, "concurrent_requests: 12")
    service = start_service(supervised=True, database_url=database_url, environ=environ)
    await both_linked(service, session)  # else all streams may be on the one that lives on
    gate = Gate()
    openai_upstream.always(stream(["one ", "two "], gate=gate))
    running = [asyncio.ensure_future(ask(service, session, stream=True)) for _ in range(12)]
    async with asyncio.timeout(20):
        while len(openai_upstream.requests) < 12:
            await asyncio.sleep(0.01)
    assert (await ask(service, session)).status == 429
    service.kill_core()
    async with asyncio.timeout(20):
        while not any(each.done() for each in running):  # the facade knows that it is gone
            await asyncio.sleep(0.01)
    again = [asyncio.ensure_future(ask(service, session, stream=True)) for _ in range(12)]
    async with asyncio.timeout(20):
        while sum(each.done() for each in again) + len(openai_upstream.requests) < 24:  # let in, or refused
            await asyncio.sleep(0.01)
    gate.open()
    lost = sum(not each.whole for each in await asyncio.gather(*running))
    assert lost
    assert Counter(each.status for each in await asyncio.gather(*again)) == Counter({200: lost, 429: 12 - lost})
