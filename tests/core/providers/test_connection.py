"""One connection to a provider, byte by byte: however an answer is torn, it is the same answer."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SystemClock
from core.providers.connection import Broken, Connection, DirectReply, Stale

CLOCK = SystemClock()
NAMES = st.sampled_from([b"X-Request-Id", b"Content-Type", b"X"])


class Pipe:
    """A transport that leads nowhere."""

    def __init__(self) -> None:
        self.written = 0
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += len(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.written += sum(map(len, pieces))

    def abort(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@dataclass
class Kept:
    """Where connections are kept."""

    connections: list[Connection] = field(default_factory=list[Connection])

    def keep(self, connection: Connection) -> None:
        self.connections.append(connection)

    def forget(self, connection: Connection) -> None:
        if connection in self.connections:
            self.connections.remove(connection)


@dataclass
class Line:
    """A connection whose other end a test is."""

    kept: Kept = field(default_factory=Kept)
    pipe: Pipe = field(default_factory=Pipe)
    connection: Connection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = Connection(self.kept, asyncio.get_running_loop())
        transport: Any = self.pipe
        self.connection.connection_made(transport)

    def receive(self, data: bytes) -> None:
        """Something comes, as the event loop hands it over; never more than the buffer holds."""
        while data and not self.pipe.closing:
            buffer = self.connection.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size], data = data[:size], data[size:]
            self.connection.buffer_updated(size)

    async def exchange(self, *pieces: bytes) -> tuple[DirectReply, bytes]:
        """Asks, hears these pieces, and takes what there is of a body after each."""
        asking = asyncio.ensure_future(self.connection.exchange(b"", b"", CLOCK))
        await asyncio.sleep(0)
        reply, body = None, b""
        for piece in pieces:
            self.receive(piece)
            await asyncio.sleep(0)
            if reply is None and asking.done():
                reply = asking.result()
            if reply is not None:
                body += reply.arrived()
        return reply or await asking, body


def torn(data: bytes, places: list[int]) -> list[bytes]:
    cuts = sorted({place % (len(data) + 1) for place in places})
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An HTTP answer, and the body that is in it."""
    chunks = draw(st.lists(st.binary(min_size=1, max_size=60), max_size=5))
    body = b"".join(chunks)
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * draw(st.integers(0, 2))
    lines = [b"HTTP/1.1 200 OK"] + [name + b": value" for name in draw(st.lists(NAMES, max_size=4))]
    if draw(st.booleans()):
        extension = draw(st.sampled_from([b"", b";a=b", b';name="a value"']))
        framed = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
        trailers = b"Content-Encoding: nonsense\r\n" * draw(st.integers(0, 2))
        lines.append(b"Transfer-Encoding: chunked")
        rest = framed + b"0\r\n" + trailers + b"\r\n"
    else:
        lines.append(b"Content-Length: %d" % len(body))
        rest = body
    return interim + b"\r\n".join([*lines, b"", b""]) + rest, body


@given(st.lists(st.tuples(answers(), st.lists(st.integers(0, 10_000), max_size=12)), min_size=1, max_size=3))
@settings(deadline=None, max_examples=150)
def test_however_answers_are_torn_they_are_the_same(exchanges: list[tuple[tuple[bytes, bytes], list[int]]]):
    async def run() -> None:
        line = Line()
        for (answer, body), places in exchanges:
            reply, taken = await line.exchange(*torn(answer, places))
            assert (reply.status, reply.encoding, taken) == (200, b"", body)
            assert reply.over
            assert line.kept.connections.pop() is line.connection

    asyncio.run(run())


@given(answers(), st.binary(min_size=1, max_size=40), st.lists(st.integers(0, 10_000), max_size=6))
@settings(deadline=None, max_examples=150)
def test_whatever_comes_after_an_answer_changes_nothing_of_it(
    answered: tuple[bytes, bytes], after: bytes, places: list[int]
):
    answer, body = answered
    line_ends = not after.strip(b"\r\n")  # which are let through between answers, as HTTP wants it

    async def run() -> None:
        line = Line()
        *pieces, last = torn(answer, places)
        reply, taken = await line.exchange(*pieces, last + after)
        assert (taken, reply.over) == (body, True)
        assert line_ends or line.pipe.closing

    asyncio.run(run())


@given(st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]))
@settings(deadline=None, max_examples=300)
def test_no_bytes_at_all_raise_anything_but_what_is_said(noise: bytes, before: bytes):
    async def run() -> None:
        line = Line()
        asking = asyncio.ensure_future(line.connection.exchange(b"", b"", CLOCK))
        await asyncio.sleep(0)
        line.receive(before)
        line.receive(noise)
        line.connection.connection_lost(None)
        (given,) = await asyncio.gather(asking, return_exceptions=True)
        assert isinstance(given, DirectReply | Broken | Stale)
        assert line.kept.connections == []

    asyncio.run(run())


async def test_an_end_before_anything_came_is_told_from_one_in_the_middle_of_a_head():
    for said, expected in ((b"", Stale), (b"H", Broken), (b"HTTP/1.1 100 Continue\r\n\r\n", Broken)):
        line = Line()
        asking = asyncio.ensure_future(line.connection.exchange(b"", b"", CLOCK))
        await asyncio.sleep(0)
        line.receive(said)
        line.connection.connection_lost(None)
        with pytest.raises(expected):
            await asking


async def test_a_connection_that_has_ended_is_stale():
    line = Line()
    line.connection.connection_lost(None)
    with pytest.raises(Stale):
        await line.connection.exchange(b"", b"", CLOCK)
    line = Line()
    line.pipe.closing = True
    with pytest.raises(Stale):
        await line.connection.exchange(b"", b"", CLOCK)
