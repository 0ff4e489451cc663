"""Connections to a provider are kept, and one that the provider has closed meanwhile costs nobody an answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.clock import SystemClock
from core.dialects.openai_chat import CHAT
from core.errors import ProviderError
from core.providers.http_upstream import HttpUpstream, open_session
from core.providers.upstream import Target
from tests.support.openai_upstream import Gate, OpenAIUpstream, Received, Wire, chat, refuse

BODY = b'{"model":"gpt-test","messages":[]}'
KEPT = 4


@pytest.fixture
async def upstream(openai_upstream: OpenAIUpstream) -> AsyncIterator[HttpUpstream]:
    target = Target(
        id=1,
        name="kept",
        type="openai",
        base_url=openai_upstream.base_url,
        api_key="",
        connect_timeout=5.0,
        first_byte_timeout=5.0,
        idle_timeout=5.0,
    )
    async with open_session() as session:
        yield HttpUpstream(target, session, SystemClock(), {})


async def ask(upstream: HttpUpstream) -> bytes:
    reply = await upstream.send(CHAT, BODY)
    return await reply.read()


async def test_a_connection_is_used_again(upstream: HttpUpstream, openai_upstream: OpenAIUpstream):
    first, second = await ask(upstream), await ask(upstream)
    assert first == second
    assert openai_upstream.connections == 1


async def test_connections_that_have_gone_stale_are_replaced_at_once(
    upstream: HttpUpstream, openai_upstream: OpenAIUpstream
):
    gate, used = Gate(), set[Wire]()

    async def once(request: Received, wire: Wire) -> None:
        """Answers the first request of each connection, and breaks it at the second."""
        if wire in used:
            wire.reset()
            return
        used.add(wire)
        await gate.wait()
        await chat()(request, wire)

    openai_upstream.always(once)
    asking = asyncio.gather(*(ask(upstream) for _ in range(KEPT)))
    for _ in range(KEPT):
        await openai_upstream.received()
    gate.open()
    await asking  # now so many connections are kept, and all of them are stale
    assert b"Hello there." in await ask(upstream)
    assert len(openai_upstream.requests) == KEPT + 2, "one on a stale connection, and one on a new one"


async def test_a_new_connection_that_breaks_is_a_failure(upstream: HttpUpstream, openai_upstream: OpenAIUpstream):
    openai_upstream.always(refuse())
    with pytest.raises(ProviderError):
        await ask(upstream)
    assert len(openai_upstream.requests) == 1
