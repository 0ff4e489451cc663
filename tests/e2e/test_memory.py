"""Memory: many streams at once, one of them read by nobody."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from tests.support.openai_upstream import Gate, OpenAIUpstream, sse, stream
from tests.support.router import until
from tests.support.service import Service, StartService

pytestmark = pytest.mark.usefixtures("limit")

STREAMS = 500
MIB = 1024 * 1024
# What a process may take more for all of them. A stream costs some tens of kB on its way; the one that
# is not read would bring 64 MiB if nobody held its provider up.
MOST = 32 * MIB
UNREAD = 64 * MIB
CHAT = "/v1/chat/completions"


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096


def body_of(model: str) -> bytes:
    return json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}).encode()


async def read(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.post(url, data=body_of("many")) as answer:
        return await answer.read()


async def test_many_streams_and_one_that_nobody_reads_take_bounded_memory(
    start_service: StartService, openai_upstream: OpenAIUpstream
):
    service: Service = start_service()
    event = b'data: {"choices":[{"delta":{"content":"' + b"x" * 8100 + b'"}}]}\n\n'
    gate = Gate(2 * STREAMS)
    openai_upstream.models = ["many", "unread"]
    openai_upstream.always(stream(["a", "b", "c"], gate=gate), model="many")
    openai_upstream.always(sse([event] * (UNREAD // len(event))), model="unread")
    await service.add_provider(openai_upstream.base_url)
    url, headers = f"{service.base_url}{CHAT}", {"Authorization": f"Bearer {service.key}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers, read_bufsize=1024) as session:
        await read_one_through(session, url, gate)
        before = {pid: resident(pid) for pid in (service.core_pid, service.facade_pid)}
        async with session.post(url, data=body_of("unread")) as unread:
            assert unread.status == 200
            readers = [asyncio.create_task(read(session, url)) for _ in range(STREAMS)]
            await until(lambda: len(openai_upstream.requests) == STREAMS + 2)
            during = {pid: resident(pid) - memory for pid, memory in before.items()}
            gate.open()
            texts = await asyncio.gather(*readers)
            after = {pid: resident(pid) - memory for pid, memory in before.items()}
    assert all(text.endswith(b"data: [DONE]\n\n") for text in texts)
    assert max(*during.values(), *after.values()) < MOST, (during, after)


async def read_one_through(session: aiohttp.ClientSession, url: str, gate: Gate) -> None:
    """What the first request makes the processes load counts for nobody."""
    gate.let(8)
    assert (await read(session, url)).endswith(b"data: [DONE]\n\n")
