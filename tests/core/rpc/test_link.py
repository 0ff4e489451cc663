"""The core's end of the link: against a client of the official gRPC library, and against peers who are none."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from core.rpc import link as module
from core.rpc.link import Links
from facade import http2
from facade.http2 import PREFACE, Headers, Http2
from llmrouter.v1 import router_pb2 as pb
from llmrouter.v1 import router_pb2_grpc
from tests.core.rpc.test_relay import Client, opened
from tests.support.core import Metadata
from tests.support.database import on_sqlite
from tests.support.http2_peer import HEADERS, PING, Frame, Peer
from tests.support.inference import Inference
from tests.support.openai_upstream import Gate, OpenAIUpstream, chat, silent, stream, whole
from tests.support.router import until

pytestmark = on_sqlite

PATH = "/llmrouter.v1.RouterService/Relay"
PATIENCE = 10.0
SMALL_WINDOWS = {"grpc.http2.lookahead_bytes": 65_535, "grpc.http2.bdp_probe": 0}


@pytest.fixture
async def links(inference: Inference, tmp_path: Path) -> AsyncIterator[Links]:
    links = Links(inference.core.deps, inference.core.internal_token)
    await links.listen(tmp_path / "relay.sock")
    yield links
    links.close()
    await until(lambda: not links.open)


@pytest.fixture
def socket(links: Links, tmp_path: Path) -> str:
    """Where they are."""
    return str(tmp_path / "relay.sock")


@asynccontextmanager
async def channel_to(socket: str, **options: Any) -> AsyncGenerator[Any]:
    """The router's methods as the gRPC library calls them there."""
    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), *options.items()]
    async with grpc.aio.insecure_channel(f"unix:{socket}", options=limits) as channel:
        yield router_pb2_grpc.RouterServiceStub(channel)


@asynccontextmanager
async def linked(inference: Inference, stub: Any, metadata: Metadata | None = None) -> AsyncGenerator[Client]:
    """A relay stream of the gRPC library's over the link's socket."""
    reached: Any = Reached(stub)
    client = Client(reached, inference.core.as_facade if metadata is None else metadata)
    try:
        yield client
    finally:
        client.rpc.cancel()
        await client.reading


class Reached:
    """An inference whose router is reached another way."""

    def __init__(self, router: Any) -> None:
        self.router = router


def asked(inference: Inference, call_id: int, body: Any = None, **fields: Any) -> pb.CallerFrame:
    """A call as a facade makes it."""
    return opened(call_id, body, session=inference.person.token, request_id=f"req_{call_id}", surface="x", **fields)


async def test_calls_are_answered_and_streamed(
    inference: Inference, openai_upstream: OpenAIUpstream, links: Links, socket: str
):
    openai_upstream.always(stream(["Hel", "lo"]))
    async with channel_to(socket) as stub, linked(inference, stub) as client:
        await client.send(asked(inference, 1), asked(inference, 2, {"stream": True}))
        assert b"Hello" in (await client.last(1)).answer.head.data
        assert (await client.last(2)).HasField("end")
    assert {record.request_id for record in await inference.records()} == {"req_1", "req_2"}


async def test_messages_of_many_megabytes_go_both_ways_through_the_librarys_small_windows(
    inference: Inference, openai_upstream: OpenAIUpstream, socket: str
):
    large = 20 * 1024 * 1024
    openai_upstream.always(whole(json.dumps({"choices": [], "said": "x" * large}).encode()))
    async with channel_to(socket, **SMALL_WINDOWS) as stub, linked(inference, stub) as client:
        content = [{"role": "user", "content": "y" * large}]
        await client.send(asked(inference, 1, {"messages": content}))
        assert len((await client.last(1)).answer.head.data) > large
        assert len(openai_upstream.requests[0].body) > large


async def test_a_caller_who_ends_has_its_running_calls_answered_first(
    inference: Inference, openai_upstream: OpenAIUpstream, socket: str
):
    gate = Gate()
    openai_upstream.script(whole(json.dumps({"choices": [], "said": "x" * 1_000_000}).encode(), gate=gate))
    openai_upstream.always(stream(["a", "b"], gate=gate))
    async with channel_to(socket, **SMALL_WINDOWS) as stub, linked(inference, stub) as client:
        await client.send(asked(inference, 1))
        await openai_upstream.received()
        await client.send(asked(inference, 2, {"stream": True}))
        await openai_upstream.received()
        await client.rpc.done_writing()
        gate.open()
        assert len((await client.last(1)).answer.head.data) > 1_000_000
        assert (await client.last(2)).HasField("end")
        assert await client.rpc.code() == grpc.StatusCode.OK
    assert [record.outcome for record in await inference.records()] == ["answered", "answered"]


async def test_who_goes_away_has_its_calls_cancelled(
    inference: Inference, openai_upstream: OpenAIUpstream, links: Links, socket: str
):
    openai_upstream.always(silent())
    async with channel_to(socket) as stub:
        async with linked(inference, stub) as client:
            await client.send(asked(inference, 1))
            received = await openai_upstream.received()
        async with asyncio.timeout(PATIENCE):
            await received.hung_up.wait()
        await until(lambda: not links.open and not len(inference.active))
    assert (await inference.record()).outcome == "hung_up"


@pytest.mark.parametrize("metadata", [(), (("x-llmrouter-internal", "wrong"),), (("x-llmrouter-internal", ""),)])
async def test_nobody_else_is_served(inference: Inference, links: Links, socket: str, metadata: Metadata):
    async with channel_to(socket) as stub, linked(inference, stub, metadata) as client:
        assert await client.rpc.code() == grpc.StatusCode.UNAUTHENTICATED
    await until(lambda: not links.open)


@asynccontextmanager
async def refused(socket: str) -> AsyncGenerator[asyncio.StreamWriter]:
    """A connection on which a stranger has read that it is refused."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_unix_connection(socket)
        stranger = Peer()
        stranger.begin(PREFACE)
        stranger.send_headers([(":method", "POST"), (":path", PATH)])
        writer.write(stranger.sent())
        while not stranger.headers:
            stranger.data_received(await reader.read(4096))
        (headers, last), *_ = stranger.headers
        assert (dict(headers)["grpc-status"], last) == ("16", True)
        yield writer
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_who_still_writes_while_it_is_refused_is_heard_out(links: Links, socket: str):
    async with refused(socket) as writer:
        assert len(links.open) == 1
        for _ in range(3):  # a connection that was closed would take one, and fail with the next
            writer.write(bytes(Frame(PING, 0, 0, bytes(8))))
            await writer.drain()
            await asyncio.sleep(0)
        assert len(links.open) == 1
    await until(lambda: not links.open)


async def test_who_is_refused_has_some_seconds_to_hang_up(links: Links, socket: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http2, "_FAREWELL", 0.01)
    async with refused(socket):
        await until(lambda: not links.open)


async def test_nothing_else_is_served(inference: Inference, socket: str):
    async with channel_to(socket) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.CompleteChat(pb.CompleteChatRequest(), metadata=inference.core.as_facade)
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_one_connection_has_one_stream(inference: Inference, socket: str):
    async with channel_to(socket) as stub, linked(inference, stub) as client:
        await client.send(asked(inference, 1))
        await client.last(1)
        async with linked(inference, stub):  # the library tries the connection that it has, and then another
            assert await client.rpc.code() != grpc.StatusCode.OK


async def test_compressed_messages_are_refused(inference: Inference, socket: str):
    compressing = {"grpc.default_compression_algorithm": 2}
    async with channel_to(socket, **compressing) as stub, linked(inference, stub) as client:
        await client.rpc.write(pb.RelayRequest(frames=[asked(inference, 1, {"long": "x" * 10_000})]))
        assert await client.rpc.code() != grpc.StatusCode.OK
    assert await inference.records() == []


# Peers who are none


class Facade(Http2):
    """A facade that says what a test wants."""

    def __init__(self) -> None:
        super().__init__(max_message=2**31)
        self.came = 0  # messages
        self.status = ""
        self.over = asyncio.get_running_loop().create_future()

    def header_block(self, headers: Headers, *, last: bool) -> None:
        self.status = dict(headers).get("grpc-status", "")

    def message(self, data: bytes) -> None:
        self.came += len(pb.RelayResponse.FromString(data).frames)

    def ended(self, error: Exception | None) -> None:
        self.over.set_result(None)

    def ask(self, *frames: pb.CallerFrame) -> None:
        self.send_message(pb.RelayRequest(frames=frames).SerializeToString())


@asynccontextmanager
async def facade_at(socket: str, inference: Inference, *headers: tuple[str, str]) -> AsyncGenerator[Facade]:
    _, facade = await asyncio.get_running_loop().create_unix_connection(Facade, socket)
    facade.begin(PREFACE)
    facade.send_headers([(":method", "POST"), (":path", PATH), *inference.core.as_facade, *headers])
    try:
        yield facade
    finally:
        facade.abort()
        await asyncio.wait_for(facade.over, PATIENCE)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        PREFACE[:-1] + b"x" * 30,
        PREFACE + b"\xff" * 9,
        PREFACE + bytes(Frame(HEADERS, 0x4, 3, b"\x82")),
    ],
)
async def test_who_speaks_something_else_is_hung_up_on(links: Links, socket: str, said: bytes):
    reader, writer = await asyncio.open_unix_connection(socket)
    for byte in said:
        writer.write(bytes([byte]))
    async with asyncio.timeout(PATIENCE):
        await reader.read()
    writer.close()
    await until(lambda: not links.open)


async def test_what_is_no_message_of_ours_ends_the_link(inference: Inference, links: Links, socket: str):
    async with facade_at(socket, inference) as facade:
        facade.send_message(b"\xff\xff\xff")
        await asyncio.wait_for(asyncio.shield(facade.over), PATIENCE)
    await until(lambda: not links.open)


async def test_a_message_larger_than_a_request_may_be_ends_the_link(inference: Inference, socket: str):
    async with facade_at(socket, inference) as facade:
        facade.send_message(bytes(inference.core.deps.settings.max_body + 2 * 1024 * 1024))
        await asyncio.wait_for(asyncio.shield(facade.over), PATIENCE)


async def test_a_facade_that_does_not_read_has_a_bound_and_leaves_the_others_alone(
    inference: Inference, openai_upstream: OpenAIUpstream, links: Links, socket: str, monkeypatch: pytest.MonkeyPatch
):
    bound, answer, many = 1024 * 1024, 64 * 1024, 200
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", bound)
    openai_upstream.always(chat("x" * answer))
    async with facade_at(socket, inference) as deaf, facade_at(socket, inference) as other:
        await until(lambda: len(links.open) == 2)
        deaf.stop_reading()
        most = 0
        for number in range(1, many):  # one after the other, until no more is taken
            deaf.ask(asked(inference, number))
            try:
                await asyncio.wait_for(_requests(openai_upstream, number), 0.3)
            except TimeoutError:
                break
            await until(lambda: not len(inference.active))
            most = max(most, *(link.waiting for link in links.open))
        assert bound < most < bound + 2 * answer
        assert len(openai_upstream.requests) < many / 2
        before = len(openai_upstream.requests)
        other.ask(asked(inference, 1))
        await until(lambda: other.came == 1)
        deaf.go_on_reading()
        await until(lambda: deaf.came > before)  # the one that was not taken too
    await until(lambda: not len(inference.active))


async def _requests(upstream: OpenAIUpstream, count: int) -> None:
    await until(lambda: len(upstream.requests) >= count)


async def test_a_peer_whose_windows_hold_up_more_than_the_bound_is_left(
    inference: Inference, openai_upstream: OpenAIUpstream, links: Links, socket: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 200_000)
    openai_upstream.always(chat("x" * 300_000))
    _, peer = await asyncio.get_running_loop().create_unix_connection(Facade, socket)
    peer.begin(PREFACE)
    peer._write(bytes(Frame(4, 0, 0, (4).to_bytes(2) + bytes(4))))  # pyright: ignore[reportPrivateUsage] - a window of nothing
    peer.send_headers([(":method", "POST"), (":path", PATH), *inference.core.as_facade])
    peer.ask(asked(inference, 1))
    await until(lambda: len(openai_upstream.requests) == 1 and not len(inference.active))
    peer.ping()
    await asyncio.wait_for(peer.over, PATIENCE)
    await until(lambda: not links.open)


async def test_a_stop_lets_what_was_said_leave_and_ends_the_links(
    inference: Inference, openai_upstream: OpenAIUpstream, links: Links, socket: str
):
    gate = Gate()
    openai_upstream.script(chat("x" * 1_000_000))
    openai_upstream.always(stream(["a", "b"], gate=gate))
    async with facade_at(socket, inference) as facade:
        facade.ask(asked(inference, 2, {"stream": True}))
        facade.ask(asked(inference, 1))
        await until(lambda: len(openai_upstream.requests) == 2)
        await until(lambda: len(inference.active) == 1)  # the answer is in the outbox by now
        links.close()
        await asyncio.wait_for(asyncio.shield(facade.over), PATIENCE)
        assert facade.came == 1
    await until(lambda: not links.open and not len(inference.active))
    assert sorted(record.outcome for record in await inference.records()) == ["answered", "hung_up"]


async def test_what_was_added_a_moment_before_a_stop_leaves_too(inference: Inference, links: Links, socket: str):
    async with facade_at(socket, inference) as facade:
        await until(lambda: any(link._stream for link in links.open))  # pyright: ignore[reportPrivateUsage] - else nothing can be
        (link,) = links.open
        outbox = link._outbox  # pyright: ignore[reportPrivateUsage] - the calls have it
        outbox.frame(1).end.SetInParent()
        outbox.ready()
        links.close()
        await asyncio.wait_for(asyncio.shield(facade.over), PATIENCE)
        assert facade.came == 1
