"""Providers over HTTP: connections that are kept, and bodies that break off."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.clock import SystemClock
from core.dialects.openai.chat import CHAT, COMPLETION, EMBEDDING
from core.dialects.passthrough import endpoints
from core.dialects.table import PROVIDERS
from core.errors import ProviderError, StreamInterrupted
from core.providers.http_upstream import HttpUpstream
from core.providers.session import Session
from core.providers.upstream import Reply
from core.providers.vendors import VENDORS, Vendor
from tests.support.openai_upstream import Gate, OpenAIUpstream, Received, Wire, chat, events, refuse, sse
from tests.support.targets import here, target

BODY = b'{"model":"gpt-test","messages":[]}'
KEPT = 4


@pytest.fixture
async def upstream(openai_upstream: OpenAIUpstream) -> AsyncIterator[HttpUpstream]:
    async with Session() as session:
        yield HttpUpstream(target("openai", openai_upstream.base_url), session, SystemClock(), {})


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


async def broken_reply(upstream: HttpUpstream, openai_upstream: OpenAIUpstream) -> tuple[Reply, bytes]:
    """A stream whose rest came, and whose connection broke, before anybody looked; and that rest."""
    first, *rest = events(["one", "two"])
    gate = Gate(passes=1)
    openai_upstream.script(sse([first, *rest], gate=gate, cut=True))
    reply = await upstream.send(CHAT, BODY)
    while not (taken := reply.arrived()):
        await reply.more()
    assert taken == first
    gate.open()
    async with asyncio.timeout(10):
        while openai_upstream.connections:
            await asyncio.sleep(0)
    await upstream.models()  # after this way there and back, what was closed before it is known to be closed
    return reply, b"".join(rest)


async def test_what_came_before_a_break_is_taken(upstream: HttpUpstream, openai_upstream: OpenAIUpstream):
    reply, rest = await broken_reply(upstream, openai_upstream)
    assert reply.arrived() == rest
    with pytest.raises(StreamInterrupted):
        reply.arrived()
    with pytest.raises(StreamInterrupted):
        await reply.more()
    reply.close()


async def test_what_came_before_a_break_is_waited_for(upstream: HttpUpstream, openai_upstream: OpenAIUpstream):
    reply, rest = await broken_reply(upstream, openai_upstream)
    await reply.more()
    assert not reply.over
    assert reply.arrived() == rest
    with pytest.raises(StreamInterrupted):
        reply.arrived()
    reply.close()


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.type)
async def test_every_vendor_can_be_asked_for_a_chat(vendor: Vendor):
    """On its own wire, and for nothing else than what its row says that it has."""
    async with Session() as session:
        upstream = HttpUpstream(target(vendor.type, vendor.base_url or here(vendor)), session, SystemClock(), {})
    assert upstream.translates_to in PROVIDERS
    assert upstream.translates_to in vendor.wires[0].paths
    assert all(map(vendor.has, upstream.operations))


async def test_a_type_without_a_row_is_taken_for_the_openai_wire():
    async with Session() as session:
        upstream = HttpUpstream(target("unheard-of", "http://127.0.0.1:9/v1"), session, SystemClock(), {})
    assert upstream.operations == {CHAT, COMPLETION, EMBEDDING, *endpoints.ALL}
    assert upstream.translates_to == CHAT
