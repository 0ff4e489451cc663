"""A disk that is full: nobody is let in whom the accounts could not hold, and those who were are not lost."""

import asyncio
import resource
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest

from tests.support.database import on_sqlite
from tests.support.openai_upstream import Gate, OpenAIUpstream, stream
from tests.support.service import StartService

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit"), on_sqlite]

MODEL = "on-a-full-disk"
CHAT = "/v1/chat/completions"


@contextmanager
def no_room(pid: int) -> Generator[None]:
    """Lets no file of a process grow; what its files hold already may be written again."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def test_requests_are_refused_until_there_is_room_again(
    start_service: StartService, database_url: str, openai_upstream: OpenAIUpstream
):
    service = start_service(database_url=database_url)
    openai_upstream.models = [MODEL]
    await service.add_provider(openai_upstream.base_url)
    gate = Gate(2)
    openai_upstream.always(stream(["a", "b"], gate=gate))
    body: dict[str, Any] = {"model": MODEL, "messages": [], "stream": True}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {service.key}"}) as session:

        async def ask(name: str) -> tuple[int, str]:
            async with session.post(service.base_url + CHAT, json=body, headers={"X-Request-Id": name}) as answer:
                return answer.status, await answer.text()

        early = asyncio.create_task(ask("early"))
        await openai_upstream.received()
        with no_room(service.core_pid):
            statuses = [await ask(f"refused-{number}") for number in range(5)]
            assert {status for status, _ in statuses} == {503}
            assert all("journal" in text for _, text in statuses)
            gate.open()
            status, text = await early  # it was let in, and has its answer
            assert (status, text.endswith("data: [DONE]\n\n")) == (200, True)
            assert len(openai_upstream.requests) == 1
        async with asyncio.timeout(20):
            while (await ask("late"))[0] != 200:
                await asyncio.sleep(0.1)
    found = await service.records_when(
        lambda rows: any(row.outcome == "answered" and "late" in row.request_id for row in rows)
    )
    names = Counter(row.request_id.partition(".")[0] for row in found)
    assert names["early"] == 1
    assert all(names[f"refused-{number}"] == 1 for number in range(5))
    outcomes = {row.request_id.partition(".")[0]: row.outcome for row in found}
    assert (outcomes["early"], outcomes["refused-0"], outcomes["late"]) == ("answered", "failed", "answered")
