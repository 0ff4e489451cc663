"""A core that is stopped while facades hold their links to it: nothing waits longer than it has to."""

import asyncio
from typing import Any

import pytest

from tests.support.openai_upstream import MODEL, Gate, serve_upstream, stream
from tests.support.router import until
from tests.support.service import StartService

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

DRAIN = 1.0  # seconds
ENDING = 6.0  # what a busy machine needs beside it
CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": MODEL, "messages": [], "stream": True}


@pytest.mark.parametrize("supervised", [False, True])  # over TCP, and over the socket for links
async def test_a_stop_ends_within_the_time_to_drain_with_links_open(start_service: StartService, supervised: bool):
    part = "serve" if supervised else "core"
    service = start_service(supervised=supervised, environ={"LLMROUTER_DRAIN_TIMEOUT": str(DRAIN)})
    async with serve_upstream() as upstream, service.client(service.key) as client:
        upstream.always(stream(["a", "b"], gate=Gate(2)))  # it never ends
        await service.add_provider(upstream.base_url)
        asking = asyncio.create_task(client.post(CHAT, json=BODY))
        received = await upstream.received()
        took = await asyncio.to_thread(service.end, part)
        assert DRAIN <= took < DRAIN + ENDING
        answer = await asking
        assert b"[DONE]" not in answer.content
        assert b"the service is stopping" in answer.content
        await until(received.hung_up.is_set)
        service.start_part(part)
        await asyncio.to_thread(service.wait_ready)
        upstream.always(None)
        answer = await client.post(CHAT, json=BODY)
        assert b"[DONE]" in answer.content
        await service.records_when(lambda records: len(records) == 2)
