"""The facade's end of the link against a server of the official gRPC library, and against servers that are none."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.message import DecodeError

from facade import relay_call
from facade.relay_call import RelayCall, RelayFailed, open_relay
from tests.support.http2_peer import Peer
from tests.support.raw_server import LOCALHOST, Talk, closed, serve_raw
from tests.support.router import until

PATIENCE = 10.0
LARGE = 20 * 1024 * 1024
METADATA = (("x-llmrouter-internal", "the token"),)

Serve = Callable[[Any], Awaitable[None]]


@asynccontextmanager
async def served(
    serve: Serve, target: str = f"{LOCALHOST}:0", options: Sequence[tuple[str, int]] = ()
) -> AsyncGenerator[str]:
    """A gRPC server whose Relay is `serve(context)`, and its target."""
    library: Any = grpc

    async def relay(_: Any, context: Any) -> None:
        await serve(context)

    handler = library.stream_stream_rpc_method_handler(relay)  # bytes in, bytes out
    handlers = library.method_handlers_generic_handler("llmrouter.v1.RouterService", {"Relay": handler})
    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), *options]
    server = grpc.aio.server(options=limits)
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port(target)
    await server.start()
    try:
        yield target.replace(":0", f":{port}") if port > 1 else target
    finally:
        await server.stop(grace=None)


async def echo(context: Any) -> None:
    """Gives every message back, and ends with the caller."""
    await context.send_initial_metadata(())
    while (said := await context.read()) is not grpc.aio.EOF:  # pyright: ignore[reportAttributeAccessIssue] - there at run time
        await context.write(said)


@asynccontextmanager
async def opened(target: str, take: Callable[[bytes], None]) -> AsyncGenerator[RelayCall]:
    call = await open_relay(target, METADATA, take, PATIENCE)
    try:
        yield call
    finally:
        call.reset()
        await call.over


@pytest.mark.parametrize("unix", [False, True])
async def test_messages_of_every_size_go_there_and_come_back(tmp_path: Path, unix: bool):
    target = f"unix:{tmp_path / 'core.sock'}" if unix else f"{LOCALHOST}:0"
    came: list[bytes] = []
    said = [b"", b"x", bytes(70_000), b"y" * 16_379, b"z" * 16_380, bytes(LARGE), b"last"]
    async with served(echo, target) as where, opened(where, came.append) as call:
        for data in said:
            call.send_message(data)
        await until(lambda: len(came) == len(said))
        await asyncio.wait_for(call.drained(), PATIENCE)
        assert call.waiting == 0
    assert came == said


async def test_many_small_messages_are_not_mixed_up():
    came: list[bytes] = []
    said = [b"%d" % number * (number % 50) for number in range(5000)]
    async with served(echo) as target, opened(target, came.append) as call:
        for data in said:
            call.send_message(data)
        await until(lambda: len(came) == len(said))
    assert came == said


async def test_a_server_that_does_not_read_holds_up_what_is_sent_until_it_does():
    go_on = asyncio.Event()
    sizes: list[int] = []

    async def serve(context: Any) -> None:
        await context.send_initial_metadata(())
        await go_on.wait()
        sizes.extend([len(await context.read()) for _ in range(3)])

    async with served(serve) as target, opened(target, lambda _: None) as call:
        for _ in range(3):
            call.send_message(bytes(LARGE))
        await until(lambda: call.held_up)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.drained(), 0.1)
        go_on.set()
        await until(lambda: len(sizes) == 3)
        assert sizes == [LARGE] * 3


async def test_the_credential_goes_with_it():
    seen: dict[str, str] = {}

    async def serve(context: Any) -> None:
        seen.update(dict(context.invocation_metadata()))
        await context.send_initial_metadata(())
        await context.read()

    async with served(serve) as target, opened(target, lambda _: None):
        pass
    assert seen["x-llmrouter-internal"] == "the token"


@pytest.mark.parametrize("after_opening", [False, True])
async def test_a_refusal_comes_with_its_code_and_words(after_opening: bool):
    async def serve(context: Any) -> None:
        if after_opening:
            await context.send_initial_metadata(())
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you? 100 % é")

    async with served(serve) as target:
        if after_opening:
            call = await open_relay(target, METADATA, lambda _: None, PATIENCE)
            failed = await asyncio.wait_for(call.over, PATIENCE)
        else:
            with pytest.raises(RelayFailed) as raised:
                await open_relay(target, METADATA, lambda _: None, PATIENCE)
            failed = raised.value
    assert (failed.code, failed.details) == (16, "who are you? 100 % é")


async def test_a_server_without_that_rpc_says_so():
    async with grpc_server_of_nothing() as target:
        with pytest.raises(RelayFailed) as raised:
            await open_relay(target, METADATA, lambda _: None, PATIENCE)
    assert raised.value.code == 12


@asynccontextmanager
async def grpc_server_of_nothing() -> AsyncGenerator[str]:
    server = grpc.aio.server()
    port = server.add_insecure_port(f"{LOCALHOST}:0")
    await server.start()
    try:
        yield f"{LOCALHOST}:{port}"
    finally:
        await server.stop(grace=None)


async def test_a_server_that_stops_ends_the_link():
    came: list[bytes] = []
    async with served(echo) as target:
        call = await open_relay(target, METADATA, came.append, PATIENCE)
        call.send_message(b"x")
        await until(lambda: came == [b"x"])
    assert (await asyncio.wait_for(call.over, PATIENCE)).code in (1, 14)


async def test_compressed_messages_are_refused():
    async def serve(context: Any) -> None:
        context.set_compression(grpc.Compression.Gzip)
        await context.send_initial_metadata(())
        await context.write(bytes(10_000))
        await context.read()

    async with served(serve) as target:
        call = await open_relay(target, METADATA, lambda _: None, PATIENCE)
        assert "compressed" in (await asyncio.wait_for(call.over, PATIENCE)).details


async def test_what_can_not_be_read_ends_the_link():
    def take(_: bytes) -> None:
        raise DecodeError

    async with served(echo) as target:
        call = await open_relay(target, METADATA, take, PATIENCE)
        call.send_message(b"x")
        assert "no message" in (await asyncio.wait_for(call.over, PATIENCE)).details


async def test_who_hangs_up_ends_the_rpc_in_the_core():
    ended = asyncio.Event()

    async def serve(context: Any) -> None:
        def note(_: object) -> None:
            ended.set()

        context.add_done_callback(note)
        await context.send_initial_metadata(())
        await context.read()

    async with served(serve) as target:
        call = await open_relay(target, METADATA, lambda _: None, PATIENCE)
        call.hang_up()
        await asyncio.wait_for(ended.wait(), PATIENCE)


def saying(data: bytes, *, stay: bool = True) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if stay:
            await closed(reader)

    return talk


def spoken(*headers: tuple[str, str], last: bool) -> bytes:
    """What an HTTP/2 server says that answers with these headers."""
    peer = Peer()
    peer.begin(b"")
    peer.send_headers(headers, last=last)
    return peer.sent()


@pytest.mark.parametrize(
    "talk",
    [
        saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        saying(b"", stay=False),
        saying(spoken((":status", "503"), last=True)),
        saying(spoken((":status", "404"), ("content-type", "text/html"), last=False)),
    ],
)
async def test_servers_that_are_no_grpc_servers_are_told_from_cores_that_refuse(talk: Talk):
    async with serve_raw(talk) as server:
        with pytest.raises(RelayFailed) as raised:
            await open_relay(f"{LOCALHOST}:{server.port}", METADATA, lambda _: None, PATIENCE)
        assert raised.value.code == 14
        assert raised.value.details
        await until(lambda: server.open == 0)


@pytest.mark.parametrize("code", ["", "²", "9" * 5000, "-1", "x"])
async def test_a_code_that_is_none_is_an_unknown_failure(code: str):
    talk = saying(spoken((":status", "200"), ("grpc-status", code), ("grpc-message", "%zz"), last=True))
    async with serve_raw(talk) as server:
        with pytest.raises(RelayFailed) as raised:
            await open_relay(f"{LOCALHOST}:{server.port}", METADATA, lambda _: None, PATIENCE)
    assert (raised.value.code, raised.value.details) == (2, "%zz")


async def test_a_server_that_says_nothing_is_waited_for_so_long():
    async with serve_raw(saying(b"")) as server:
        with pytest.raises(RelayFailed):
            await open_relay(f"{LOCALHOST}:{server.port}", METADATA, lambda _: None, 0.05)
        await until(lambda: server.open == 0)


async def test_nobody_at_the_address_is_unavailable(tmp_path: Path):
    for target in (f"unix:{tmp_path / 'nothing.sock'}", f"{LOCALHOST}:1"):
        with pytest.raises(RelayFailed) as raised:
            await open_relay(target, METADATA, lambda _: None, PATIENCE)
        assert raised.value.code == 14


async def test_who_does_not_wait_for_the_opening_leaves_nothing_open():
    async with serve_raw(saying(b"")) as server:
        opening = asyncio.create_task(open_relay(f"{LOCALHOST}:{server.port}", METADATA, lambda _: None, PATIENCE))
        await until(lambda: server.open == 1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await until(lambda: server.open == 0)


async def test_a_server_that_has_vanished_is_noticed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay_call, "_PING_EVERY", 0.03)
    async with serve_raw(saying(spoken((":status", "200"), last=False))) as server:  # it answers no ping
        call = await open_relay(f"{LOCALHOST}:{server.port}", METADATA, lambda _: None, PATIENCE)
        assert (await asyncio.wait_for(call.over, PATIENCE)).code == 14
        await until(lambda: server.open == 0)


async def test_a_server_that_only_answers_pings_is_alive(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay_call, "_PING_EVERY", 0.02)
    often = [("grpc.http2.min_ping_interval_without_data_ms", 1)]  # as the core has it, but that we ping oftener here
    async with served(echo, options=often) as target, opened(target, lambda _: None) as call:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(call.over), 0.2)
