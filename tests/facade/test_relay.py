"""The facade's link to the core: calls that lose it, and what the accounts hear of them."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from facade import relay
from facade.call import new_request_id
from facade.relay import Exchange
from llmrouter.v1 import router_pb2 as pb
from tests.support.database import on_sqlite
from tests.support.facade import serve_facade
from tests.support.inference import Inference
from tests.support.openai_upstream import MODEL, Gate, OpenAIUpstream, silent, sse, stream
from tests.support.proxy import Proxy, proxy_to
from tests.support.router import CHAT, Router, until

pytestmark = on_sqlite


@pytest.fixture
async def proxy(inference: Inference) -> AsyncIterator[Proxy]:
    """Between the facade and the core."""
    async with proxy_to(inference.core.target) as proxy:
        yield proxy


@pytest.fixture
async def router(inference: Inference, openai_upstream: OpenAIUpstream, proxy: Proxy) -> AsyncIterator[Router]:
    """A facade that reaches the core through the proxy."""
    key, key_id = await inference.core.credential(inference.person.id)
    async with (
        serve_facade(inference.core, core_targets=(proxy.target,)) as site,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        await until(lambda: site.facade.relay.ready)
        yield Router(inference, site, openai_upstream, session, key, key_id)


def message_of(body: bytes) -> str:
    return json.loads(body)["error"]["message"]


async def test_a_link_that_breaks_fails_its_calls_and_is_opened_again(router: Router, proxy: Proxy):
    gate = Gate(2)
    router.upstream.script(silent(), stream(["a", "b"], gate=gate))
    asking = asyncio.create_task(router.answer())
    await router.upstream.received()
    async with router.chat(stream=True) as answer:
        body = await answer.content.readany()
        proxy.cut()
        body += await answer.read()
    status, said = await asking
    assert (status, message_of(said)) == (503, "the service was interrupted while it answered; try again")
    assert b"[DONE]" not in body
    assert message_of(body.split(b"\n\n")[-2].removeprefix(b"data: ")).startswith("the service was interrupted")
    await until(lambda: router.upstream.hang_ups == 2)
    proxy.mend()
    await until(lambda: router.site.facade.relay.ready)
    assert (await router.answer())[0] == 200
    records = await router.records(3)
    assert sorted(record.outcome for record in records) == ["answered", "hung_up", "hung_up"]


async def test_a_call_that_the_core_never_saw_is_reported_with_its_model(
    router: Router, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(relay, "_PATIENCE", 0.5)
    proxy.cut()
    asking = asyncio.create_task(router.answer())  # its frames have nowhere to go
    status, _ = await asking
    assert status == 503
    await router.records(0)
    proxy.mend()
    await until(lambda: router.site.facade.relay.ready)
    assert (await router.answer())[0] == 200
    lost, answered = sorted(await router.records(2), key=lambda record: record.outcome, reverse=True)
    assert (answered.outcome, lost.outcome, lost.status_code) == ("answered", "lost", 503)
    assert (lost.requested_model, lost.surface, lost.credential_id) == (MODEL, answered.surface, router.key_id)


async def test_a_core_that_is_not_there_is_waited_for_and_then_not(
    router: Router, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
):
    proxy.cut()
    await until(lambda: not router.site.facade.relay.ready)
    asking = asyncio.create_task(router.answer())
    await asyncio.sleep(0.05)
    proxy.mend()
    assert (await asking)[0] == 200  # the client has noticed nothing

    proxy.cut()
    await until(lambda: not router.site.facade.relay.ready)
    monkeypatch.setattr(relay, "_PATIENCE", 0.05)
    status, said = await router.answer()
    assert (status, message_of(said)) == (503, "the service is not available right now")
    proxy.mend()
    await until(lambda: router.site.facade.relay.ready)
    records = await router.records(2)
    assert [(record.outcome, record.requested_model) for record in records] == [("answered", MODEL), ("lost", MODEL)]


async def test_a_client_who_does_not_wait_for_the_core_is_in_the_accounts(router: Router, proxy: Proxy):
    proxy.cut()
    await until(lambda: not router.site.facade.relay.ready)
    asking = asyncio.create_task(router.answer())
    await asyncio.sleep(0.05)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await asyncio.sleep(0.05)
    proxy.mend()
    await until(lambda: router.site.facade.relay.ready)
    assert [record.outcome for record in await router.records(1)] == ["lost"]


async def test_reports_that_got_lost_are_made_again(router: Router, proxy: Proxy):
    link = router.link
    link.abandon(pb.CallOpen(request_id="lost_1", api_key=router.key, surface="openai"), b"{}", 1_764_000_000.0)
    for _ in range(3):  # each session may or may not get as far as the report
        proxy.cut()
        await until(lambda: not link.connected.is_set())
        proxy.mend()
        await until(link.connected.is_set)
    assert (await router.answer())[0] == 200
    records = {record.request_id: record for record in await router.records(2)}
    assert (records["lost_1"].outcome, records["lost_1"].requested_model) == ("lost", "")


# One call that goes wrong in the facade


@asynccontextmanager
async def exchange_of(router: Router, **fields: Any) -> AsyncGenerator[Exchange]:
    """A call without an HTTP client."""
    body = json.dumps({"model": MODEL, "messages": [], **fields}).encode()
    opened = pb.CallOpen(
        request_id=new_request_id(), operation=pb.OPERATION_CHAT_COMPLETION, surface="openai", api_key=router.key
    )
    exchange = await router.site.facade.relay.open(opened, body)
    try:
        yield exchange
    finally:
        exchange.cancel()


async def test_a_sink_that_fails_fails_its_own_call_alone(router: Router, caplog: pytest.LogCaptureFixture):
    gates = [Gate(2), Gate(2)]
    router.upstream.script(*(stream(["a", "b", "c"], gate=gate) for gate in gates))
    taken: list[bytes] = []

    def fail(data: bytes) -> None:
        raise ZeroDivisionError

    async with exchange_of(router, stream=True) as bad:
        await bad.first  # so that the first gate is its own
        async with exchange_of(router, stream=True) as good:
            await good.first
            good.attach(taken.append)
            bad.sink = fail
            gates[0].let()
            problem = await bad.done
            assert problem is not None
            assert problem.reason == "INTERNAL"
            gates[1].open()
            assert await good.done is None
    assert b"[DONE]" in b"".join(taken)
    assert "ZeroDivisionError" in caplog.text
    assert sorted(record.outcome for record in await router.records(2)) == ["answered", "hung_up"]
    assert router.link.load == 0


async def test_a_head_that_comes_for_a_client_who_has_just_gone_does_not_hide_the_cancel(router: Router):
    gate = Gate(2)
    router.upstream.script(stream(["a", "b"], gate=gate))
    async with exchange_of(router, stream=True) as exchange:
        exchange.first.cancel()  # what happens to a handler that is cancelled, just before it hears of it
        await until(lambda: len(router.upstream.requests) == 1)
        received = await router.upstream.received()
        await until(lambda: gate.waiting == 1)
        assert not received.hung_up.is_set()
    async with asyncio.timeout(10):
        await received.hung_up.wait()
    assert (await router.record()).outcome == "hung_up"


async def test_a_client_whose_connection_breaks_while_it_is_answered_is_hung_up_on(
    router: Router, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: object) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    gate = Gate(2)
    router.upstream.script(stream(["a", "b"], gate=gate))
    monkeypatch.setattr("aiohttp.web.StreamResponse.write", fail)
    with pytest.raises(aiohttp.ClientError):
        await router.answer(stream=True)
    await until(lambda: router.upstream.hang_ups == 1)
    assert (await router.record()).outcome == "hung_up"
    assert router.link.load == 0


# Clients who read slowly


def endless() -> Any:
    """A stream that no socket's buffers hold."""
    event = b'data: {"choices":[{"delta":{"content":"' + b"x" * 8000 + b'"}}]}\n\n'
    return sse([event] * 8000 + [b"data: [DONE]\n\n"])


async def test_a_client_who_reads_slowly_holds_up_its_own_provider_and_nobody_else(router: Router):
    router.upstream.always(endless(), model="slow")
    router.upstream.models.append("slow")
    await router.inference.core.deps.catalog.refresh(1)
    async with router.site.connect() as (reader, writer):
        body = json.dumps({"model": "slow", "messages": [], "stream": True}).encode()
        writer.write(head_for(router, body) + body)
        received = await router.upstream.received()
        assert await reader.read(1)
        (slow,) = router.inference.active.all()
        await until(lambda: slow.idle_limit == 600.0)  # its window is used up
        for _ in range(20):  # it reads a byte now and then
            assert await reader.read(1)
            statuses = await asyncio.gather(*(_stream_through(router) for _ in range(25)))
            assert statuses == [True] * 25
        assert not received.answered.is_set()
        assert not received.hung_up.is_set()
        assert slow.idle_limit == 600.0
    async with asyncio.timeout(10):
        await received.hung_up.wait()
    records = await router.records(501)
    assert sorted({record.outcome for record in records}) == ["answered", "hung_up"]


def head_for(router: Router, body: bytes) -> bytes:
    """The head of a request that is written by hand."""
    credential = f"Authorization: Bearer {router.key}"
    return f"POST {CHAT} HTTP/1.1\r\nHost: x\r\n{credential}\r\nContent-Length: {len(body)}\r\n\r\n".encode()


async def _stream_through(router: Router) -> bool:
    """Whether a stream comes whole, while another client sleeps."""
    async with router.chat(stream=True) as answer:
        return (await answer.read()).endswith(b"data: [DONE]\n\n")


async def test_a_client_who_goes_on_reading_gets_everything(router: Router):
    event = b'data: {"choices":[{"delta":{"content":"' + b"x" * 8000 + b'"}}]}\n\n'
    router.upstream.script(sse([event] * 500 + [b"data: [DONE]\n\n"]))
    async with router.chat(stream=True) as answer:
        await answer.content.read(1)
        (call,) = router.inference.active.all()
        # Held up, or taken whole by the kernel's buffers, whose size is not ours to say.
        await until(lambda: call.idle_limit == 600.0 or not router.inference.active.contains(call.request_id))
        size = 1 + len(await answer.read())
    assert size == 500 * len(event) + len(b"data: [DONE]\n\n")
    assert (await router.record()).outcome == "answered"


async def test_a_client_who_closes_its_sending_half_is_hung_up_or_answered_but_not_lost(router: Router):
    async with router.site.connect() as (reader, writer):
        body = json.dumps({"model": MODEL, "messages": []}).encode()
        writer.write(head_for(router, body) + body)
        await router.upstream.received()
        writer.write_eof()
        await reader.read()
    assert (await router.record()).outcome in ("answered", "hung_up")
