"""The way straight to a provider: which connections are opened, kept, replaced and given up."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.dialects.openai.chat import CHAT
from core.errors import ProviderError, StreamInterrupted
from core.providers import direct as module
from core.providers.direct import Direct, Origin
from core.providers.http_upstream import HttpUpstream
from core.providers.session import Session
from core.providers.upstream import Reply, Target
from tests.support.certificates import self_signed
from tests.support.raw_server import LOCALHOST, Talk, closed, request, serve_raw
from tests.support.router import until

CLOCK = SystemClock()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
async def direct() -> AsyncIterator[Direct]:
    direct = Direct()
    yield direct
    direct.close()


async def send(origin: Origin, body: bytes = b"{}", timeout: float = 5.0) -> Reply:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with asyncio.timeout(10):
        return await origin.send(head, body, timeout, CLOCK)


async def ask(origin: Origin, body: bytes = b"{}") -> bytes:
    reply = await send(origin, body)
    async with asyncio.timeout(10):
        return await reply.read()


async def take_all(reply: Reply, into: bytearray) -> None:
    """Takes what comes of a body, to its end."""
    async with asyncio.timeout(10):
        while not reply.over:
            await reply.more()
            into += reply.arrived()


async def take_when_told(reply: Reply, told: asyncio.Event, into: bytearray) -> None:
    """The same, for who is told that something has come."""
    async with asyncio.timeout(10):
        while not reply.over:
            await told.wait()
            told.clear()
            while data := reply.arrived():
                into += data


def answering(*pieces: bytes) -> Talk:
    """Answers every request of a connection with these bytes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()

    return talk


def once(answer: bytes) -> Talk:
    """Answers the first request of a connection, and closes it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(answer)

    return talk


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with what it was asked, in chunks."""
    while True:
        _, body = await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body))
        await writer.drain()
        writer.write(b"0\r\n\r\n")


# Connections that are kept


async def test_many_at_once_share_their_connections_and_get_their_own_answers(direct: Direct):
    async with serve_raw(echo) as server:
        origin = direct.origin("http", LOCALHOST, server.port)

        async def client(number: int) -> None:
            for turn in range(20):
                said = f"{number} {turn}".encode() * 50
                assert await ask(origin, said) == said

        await asyncio.gather(*map(client, range(32)))
        assert 1 <= server.opened <= 32
        assert await ask(origin, b"again") == b"again"
        assert server.opened <= 32


async def test_a_connection_that_the_server_closed_is_not_used_again(direct: Direct):
    async with serve_raw(once(OK)) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        for turn in range(3):
            assert await ask(origin) == b"ok"
            await until(lambda turn=turn: server.open == 0 and server.opened == turn + 1)


async def test_only_one_new_connection_is_tried_for_one_that_was_stale(direct: Direct):
    answered = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        await request(reader)
        if answered == 0:
            writer.write(OK)
            answered += 1
            await request(reader)

    async with serve_raw(talk) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        assert await ask(origin) == b"ok"
        with pytest.raises(ProviderError):
            await ask(origin)
        assert server.opened == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
    ],
)
async def test_an_answer_after_which_the_server_closes_is_whole(direct: Direct, answer: bytes):
    async with serve_raw(once(answer)) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        assert [await ask(origin), await ask(origin)] == [b"ok", b"ok"]
        assert server.opened == 2


@pytest.mark.parametrize("after", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", b"junk", b"HTTP/1.1 500 "])
async def test_what_comes_after_an_answer_is_nobodys_answer(direct: Direct, after: bytes):
    async with serve_raw(answering(OK + after)) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        assert [await ask(origin), await ask(origin)] == [b"ok", b"ok"]
        assert server.opened == 2


async def test_an_answer_that_nobody_asked_for_ends_an_idle_connection(direct: Direct):
    asked = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(OK)
        await asked.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await closed(reader)

    async with serve_raw(talk) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        assert await ask(origin) == b"ok"
        asked.set()
        await until(lambda: server.open == 0)
        assert (await send(origin)).status == 200
        assert server.opened == 2


async def test_idle_connections_are_closed_after_a_while(direct: Direct, monkeypatch: pytest.MonkeyPatch):
    async with serve_raw(answering(OK)) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        await ask(origin)
        origin.close_idle(0.0)
        await ask(origin)
        assert (server.open, server.opened) == (1, 1)
        monkeypatch.setattr(module, "KEEP_SECONDS", 0.0)
        await ask(origin)  # even where the sweep has not come yet
        assert server.opened == 2
        monkeypatch.setattr(module, "_SWEEP_SECONDS", 0.01)
        sweeping = Direct()
        await ask(sweeping.origin("http", LOCALHOST, server.port))
        assert server.opened == 3
        direct.close()
        await until(lambda: server.open == 0)
        sweeping.close()


# Answers that are none


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    ],
)
async def test_what_is_no_answer_is_a_failure(direct: Direct, answer: bytes):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(answer)
        if len(answer) > 50_000:
            await closed(reader)

    async with serve_raw(talk) as server:
        with pytest.raises(ProviderError):
            await send(direct.origin("http", LOCALHOST, server.port))
        await until(lambda: server.open == 0)


async def test_interim_answers_are_passed_over(direct: Direct):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Encoding: gzip\r\n\r\n"
    async with serve_raw(answering(b"HTTP/1.1 100 Continue\r\n\r\n", early, OK)) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        assert [await ask(origin), await ask(origin)] == [b"ok", b"ok"]
        assert server.opened == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n",
    ],
)
async def test_a_body_that_breaks_off_is_not_whole(direct: Direct, answer: bytes):
    async with serve_raw(once(answer)) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        with pytest.raises(ProviderError):
            await ask(origin)
        reply = await send(origin)
        said = bytearray()
        with pytest.raises(StreamInterrupted):
            await take_all(reply, said)
        assert said == b"half"


async def test_a_body_that_is_too_large_ends(direct: Direct, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.providers.connection.MAX_ANSWER_BYTES", 1_000_000)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 100_000)
            await writer.drain()

    async with serve_raw(talk) as server:
        with pytest.raises(ProviderError, match="too large"):
            await ask(direct.origin("http", LOCALHOST, server.port))
        await until(lambda: server.open == 0)


async def test_endless_trailers_end(direct: Direct):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        while True:
            writer.write(b"X-Trailer: x\r\n" * 1000)
            await writer.drain()

    async with serve_raw(talk) as server:
        reply = await send(direct.origin("http", LOCALHOST, server.port))
        with pytest.raises(StreamInterrupted):
            await take_all(reply, bytearray())
        await until(lambda: server.open == 0)


# Slow readers, and those who go


async def test_who_does_not_take_holds_up_the_server(direct: Direct):
    sent = 0
    total = 32 * 1024 * 1024

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent < total:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with serve_raw(talk) as server:
        reply = await send(direct.origin("http", LOCALHOST, server.port))
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.02)
        assert sent < total, "no buffers on the way hold so much"
        first = reply.arrived()
        assert 0 < len(first) <= 64 * 1024
        size = len(first)
        async with asyncio.timeout(20):
            while not reply.over:
                await reply.more()
                data = reply.arrived()
                assert len(data) <= 64 * 1024
                size += len(data)
        assert size == total


async def test_whoever_is_to_be_told_is_told_of_data_of_the_end_and_of_a_break(direct: Direct):
    async with serve_raw(answering(OK)) as server:
        reply = await send(direct.origin("http", LOCALHOST, server.port))
        told = asyncio.Event()
        reply.notify(told.set)  # it may all be there already
        said = bytearray()
        await take_when_told(reply, told, said)
        assert said == b"ok"
    gate = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha")
        await gate.wait()
        writer.write(b"lf")

    async with serve_raw(talk) as server, asyncio.timeout(10):
        reply = await send(direct.origin("http", LOCALHOST, server.port))
        told = asyncio.Event()
        reply.notify(told.set)
        await told.wait()
        assert reply.arrived() == b"ha"
        told.clear()
        gate.set()
        said = bytearray()
        with pytest.raises(StreamInterrupted):
            await take_when_told(reply, told, said)
        assert said == b"lf"
        assert not reply.over


async def test_who_closes_a_stream_ends_the_servers_work(direct: Direct):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha")
        await closed(reader)

    async with serve_raw(talk) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        reply = await send(origin)
        reply.close()
        await until(lambda: server.open == 0)
        assert (await send(origin)).status == 200
        assert server.opened == 2


@pytest.mark.parametrize("kept", [False, True])
async def test_who_goes_before_the_head_comes_ends_the_connection(direct: Direct, kept: bool):
    asked = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if kept:
            await request(reader)
            writer.write(OK)
        await request(reader)
        asked.set()
        await closed(reader)

    async with serve_raw(talk) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        if kept:
            await ask(origin)
        asking = asyncio.create_task(send(origin))
        await asked.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: server.open == 0)
        assert server.opened == 1


async def test_who_goes_at_the_moment_when_the_head_comes_does_not_leave_a_body_to_the_next(direct: Direct):
    """Whenever the cancellation comes, the next caller gets an answer of its own."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, body = await request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body) + 1, body))
            await writer.drain()
            writer.write(b".")

    async with serve_raw(talk) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        for turns in range(25):
            asking = asyncio.create_task(send(origin, b"one"))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            (given,) = await asyncio.gather(asking, return_exceptions=True)
            if not isinstance(given, BaseException):
                given.close()
            assert await ask(origin, b"other") == b"other."


async def test_a_server_that_refuses_a_large_request_early_is_heard(direct: Direct):
    answer = b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        await closed(reader)

    async with serve_raw(talk) as server:
        origin = direct.origin("http", LOCALHOST, server.port)
        reply = await send(origin, bytes(20 * 1024 * 1024))
        assert (reply.status, await reply.read()) == (413, b"large")
        await until(lambda: server.open == 0)


async def test_a_server_that_answers_early_and_reads_no_more_is_left(direct: Direct):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)  # it would keep the connection
        while not writer.transport.is_closing():
            await asyncio.sleep(0.01)
            writer.write(b"x")  # which fails as soon as nobody is there

    async with serve_raw(talk) as server:
        assert await ask(direct.origin("http", LOCALHOST, server.port), bytes(20 * 1024 * 1024)) == b"ok"
        await until(lambda: server.open == 0)


async def test_a_large_request_arrives_whole(direct: Direct):
    async with serve_raw(echo) as server:
        body = bytes(range(256)) * (20 * 4096)
        assert await ask(direct.origin("http", LOCALHOST, server.port), body) == body


# Compressed answers


async def test_an_encoding_that_we_do_not_know_is_a_failure(direct: Direct):
    answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 9\r\n\r\nx"
    async with serve_raw(answering(answer)) as server:
        with pytest.raises(ProviderError):
            await send(direct.origin("http", LOCALHOST, server.port))
        await until(lambda: server.open == 0)


# Reaching the server


async def test_tls_with_a_certificate_that_is_known(direct: Direct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    async with serve_raw(echo, tls=certificate.serving()) as server:
        origin = direct.origin("https", "localhost", server.port)
        large = bytes(range(256)) * 4096  # many records
        assert [await ask(origin, b"one"), await ask(origin, large), await ask(origin, b"two")] == [
            b"one",
            large,
            b"two",
        ]
        assert server.opened == 1


@pytest.mark.parametrize("name", ["another.example", "localhost"])
async def test_tls_with_a_certificate_that_is_not(
    direct: Direct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    certificate = self_signed(tmp_path, name)
    if name != "localhost":  # known, but another's
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    async with serve_raw(echo, tls=certificate.serving()) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await send(direct.origin("https", "localhost", server.port))


def upstream_at(base_url: str, session: Session) -> HttpUpstream:
    target = Target(
        id=1,
        name="here",
        type="openai",
        base_url=base_url,
        api_key="",
        connect_timeout=5.0,
        first_byte_timeout=5.0,
        idle_timeout=5.0,
    )
    return HttpUpstream(target, session, CLOCK, {})


@pytest.mark.parametrize(
    ("host", "place", "line"),
    [
        (LOCALHOST, LOCALHOST, b""),
        (LOCALHOST, f"user:p%40ss@{LOCALHOST}", b"\r\nauthorization: basic dxnlcjpwqhnz\r\n"),
        ("::1", "[::1]", b""),
    ],
)
async def test_base_urls_with_an_address_or_a_user(host: str, place: str, line: bytes):
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await request(reader))[0])
        writer.write(OK)

    try:
        context = serve_raw(talk, host=host)
        server = await context.__aenter__()
    except OSError:
        pytest.skip("this machine has no IPv6")
    try:
        async with Session() as session:
            reply = await upstream_at(f"http://{place}:{server.port}/v1", session).send(CHAT, b"{}")
            assert await reply.read() == b"ok"
    finally:
        await context.__aexit__(None, None, None)
    (head,) = heads
    shown = f"[{host}]" if ":" in host else host
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert f"\r\nHost: {shown}:{server.port}\r\n".encode() in head
    assert line in head.lower()


async def test_a_server_that_takes_no_connection_is_waited_for_so_long(direct: Direct):
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind((LOCALHOST, 0))
        listening.listen(0)
        place = listening.getsockname()
        for _ in range(3):  # which fill its backlog
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(place)
        origin = direct.origin("http", *place)
        with pytest.raises(TimeoutError):
            await send(origin, timeout=0.1)
        connecting = asyncio.create_task(send(origin))
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting


async def test_nobody_at_the_address_is_a_failure(direct: Direct):
    with socket.socket() as bound:
        bound.bind((LOCALHOST, 0))
        with pytest.raises(OSError):
            await send(direct.origin("http", *bound.getsockname()))


NAME = "a.example"
Addresses = list[tuple[Any, ...]]


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: Addresses | Exception) -> list[str]:
    """Looks names up so: one answer after the other, the last for ever. What it returns has the names asked for."""
    asked: list[str] = []
    left = list(answers)

    real = asyncio.get_running_loop().getaddrinfo

    async def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Addresses:
        if host != NAME:  # uvloop asks for addresses too
            return await real(host, *arguments, **options)
        asked.append(host)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


def address(port: int) -> tuple[Any, ...]:
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (LOCALHOST, port))


async def test_a_name_is_looked_up_once_and_a_failure_is_not_remembered(
    direct: Direct, monkeypatch: pytest.MonkeyPatch
):
    async with serve_raw(once(OK)) as server:
        asked = resolving(monkeypatch, socket.gaierror("unknown"), [address(server.port)])
        origin = direct.origin("http", NAME, server.port)
        with pytest.raises(socket.gaierror):
            await send(origin)
        assert await asyncio.gather(*(ask(origin) for _ in range(5))) == [b"ok"] * 5
        await ask(origin)
        assert len(asked) == 2
        monkeypatch.setattr(module, "_DNS_SECONDS", -1.0)
        await ask(origin)
        assert len(asked) == 3


async def test_a_failure_that_nobody_waited_for_is_not_remembered_either(
    direct: Direct, monkeypatch: pytest.MonkeyPatch
):
    async with serve_raw(once(OK)) as server:
        resolving(monkeypatch, socket.gaierror("unknown"), [address(server.port)])
        origin = direct.origin("http", NAME, server.port)
        asking = asyncio.create_task(send(origin))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0)
        assert await ask(origin) == b"ok"


async def test_an_address_that_refuses_leaves_the_next(direct: Direct, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as bound:
        bound.bind((LOCALHOST, 0))
        async with serve_raw(once(OK)) as server:
            resolving(monkeypatch, [address(bound.getsockname()[1]), address(server.port)])
            assert await ask(direct.origin("http", NAME, 1)) == b"ok"


async def test_an_address_that_is_silent_leaves_the_next(direct: Direct, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_NEXT_ADDRESS", 0.02)
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind((LOCALHOST, 0))
        listening.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listening.getsockname())
        async with serve_raw(once(OK)) as server:
            resolving(monkeypatch, [address(listening.getsockname()[1]), address(server.port)])
            assert await ask(direct.origin("http", NAME, 1)) == b"ok"
