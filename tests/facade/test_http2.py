"""HTTP/2 as far as the link speaks it: bytes torn anywhere, windows of any size, and peers that are none."""

import asyncio

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facade import http2
from facade.http2 import MAX_WINDOW, PREFACE, ProtocolError
from tests.support.http2_peer import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW,
    PADDED,
    PING,
    PRIORITISED,
    PRIORITY,
    PUSH,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Frame,
    Peer,
    frames_in,
    message,
    setting,
    update,
)

INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, HEADER_TABLE_SIZE = 4, 5, 1
CUTS = st.lists(st.integers(0, 100_000), max_size=12)


def torn(data: bytes, places: list[int]) -> list[bytes]:
    cuts = sorted({place % (len(data) + 1) for place in places})
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def padded(payload: bytes, size: int) -> bytes:
    return bytes([size]) + payload + bytes(size)


# What comes


@given(st.lists(st.binary(max_size=200), max_size=8), CUTS, CUTS, st.integers(0, 255))
@settings(deadline=None)
def test_however_messages_are_framed_and_torn_they_are_the_same(
    messages: list[bytes], framing: list[int], tearing: list[int], padding: int
):
    stream = b"".join(map(message, messages))
    frames = [Frame(DATA, PADDED, 1, padded(piece, padding)) for piece in torn(stream, framing)]
    wire = b"".join(map(bytes, [*frames, Frame(DATA, END_STREAM)]))
    peer = Peer()
    for piece in torn(wire, tearing):
        peer.data_received(piece)
    assert peer.messages == messages
    assert peer.ends == [None]


@given(st.lists(st.binary(max_size=40_000), max_size=5), CUTS)
@settings(deadline=None, max_examples=40)
def test_what_one_end_sends_the_other_gets(messages: list[bytes], tearing: list[int]):
    here, there = Peer(), Peer()
    here.begin(PREFACE)
    there.begin(b"")
    here.data_received(there.sent())  # its windows
    here.send_headers([("a", "b"), ("c", "é")])
    for data in messages:
        here.send_message(data)
    here.send_headers([("grpc-status", "0")], last=True)
    wire = here.sent().removeprefix(PREFACE)
    for piece in torn(wire, tearing):
        there.data_received(piece)
    assert there.headers == [([("a", "b"), ("c", "é")], False), ([("grpc-status", "0")], True)]
    assert there.messages == messages
    assert there.ends == [None]


@pytest.mark.parametrize("size", [0, 1, 20 * 1024 * 1024])
def test_a_large_message_is_one_message(size: int):
    here, there = Peer(), Peer()
    there.begin(b"")
    here.data_received(there.sent())
    here.send_message(bytes(size))
    here.send_message(b"next")
    assert here.waiting == 0
    there.data_received(here.sent())
    assert list(map(len, there.messages)) == [size, 4]


def test_headers_may_be_padded_prioritised_and_continued():
    encoder = hpack.Encoder()
    block = encoder.encode([("x", "y" * 300), ("z", "")])
    first, second, third = block[:10], block[10:20], block[20:]
    peer = Peer()
    peer.receive(
        Frame(HEADERS, PADDED | PRIORITISED | END_STREAM, 1, padded(bytes(5) + first, 7)),
        Frame(CONTINUATION, 0, 1, second),
        Frame(CONTINUATION, END_HEADERS, 1, third),
    )
    assert peer.headers == [([("x", "y" * 300), ("z", "")], True)]
    assert peer.ends == [None]


def test_a_ping_is_answered_and_its_answer_is_not():
    peer = Peer()
    peer.receive(Frame(PING, 0, 0, b"12345678"), Frame(PING, ACK, 0, b"12345678"))
    assert peer.frames() == [Frame(PING, ACK, 0, b"12345678")]


def test_settings_are_acknowledged():
    peer = Peer()
    peer.receive(setting(HEADER_TABLE_SIZE, 0), setting(99, 5), Frame(SETTINGS, ACK, 0))
    assert peer.frames() == [Frame(SETTINGS, ACK, 0)] * 2


def test_a_reset_ends_the_stream_and_the_connection_once():
    peer = Peer()
    peer.receive(Frame(RST_STREAM, 0, 1, bytes(4)))
    peer.connection_lost(None)
    assert list(map(type, peer.ends)) == [ConnectionResetError]
    assert peer.nowhere.closed


def test_a_goaway_and_what_nobody_knows_change_nothing():
    peer = Peer()
    unknown = Frame(200, 255, 1, b"what is it?")
    peer.receive(Frame(GOAWAY, 0, 0, bytes(8)), Frame(PRIORITY, 0, 1, bytes(5)), unknown)
    assert peer.ends == []
    assert not peer.nowhere.closed


def test_what_comes_after_the_end_is_nothing():
    peer = Peer()
    peer.receive(Frame(DATA, END_STREAM), Frame(DATA, 0, 1, message(b"late")), Frame(DATA, END_STREAM))
    block = hpack.Encoder().encode([("x", "y")])
    peer.receive(Frame(HEADERS, END_HEADERS, 1, block))
    assert (peer.messages, peer.headers, peer.ends) == ([], [], [None])


# What goes


@given(
    st.lists(st.binary(max_size=3000), max_size=8),
    st.lists(
        st.tuples(st.sampled_from(["stream", "connection", "initial", "frame"]), st.integers(0, 4000)), max_size=30
    ),
)
@settings(deadline=None)
def test_windows_of_any_size_are_kept_to_and_everything_arrives(messages: list[bytes], events: list[tuple[str, int]]):
    peer, sent = Peer(), bytearray()
    initial, stream, connection, largest = INITIAL_WINDOW, INITIAL_WINDOW, INITIAL_WINDOW, 16_384
    # Everybody begins with 65,535 bytes; what fills that is of no interest.
    peer.send_message(bytes(INITIAL_WINDOW - 5))
    for frame in peer.frames():
        stream, connection = stream - len(frame.payload), connection - len(frame.payload)
    assert stream == 0
    for data in messages:
        peer.send_message(data)

    def take() -> None:
        nonlocal stream, connection
        for frame in peer.frames():
            if frame.kind == DATA:
                assert len(frame.payload) <= largest
                stream, connection = stream - len(frame.payload), connection - len(frame.payload)
                assert stream >= 0
                assert connection >= 0
                sent.extend(frame.payload)

    for kind, value in events:
        if kind == "stream":
            stream += value
            peer.receive(update(1, value))
        elif kind == "connection":
            connection += value
            peer.receive(update(0, value))
        elif kind == "initial":
            stream, initial = stream + value - initial, value  # it may become negative
            peer.receive(setting(INITIAL_WINDOW_SIZE, value))
        else:
            largest = 16_384 + value
            peer.receive(setting(MAX_FRAME_SIZE, largest))
        take()
        assert peer.waiting == sum(map(len, map(message, messages))) - len(sent)
    stream, connection = stream + 10**6, connection + 10**6
    peer.receive(update(1, 10**6), update(0, 10**6))
    take()
    assert bytes(sent) == b"".join(map(message, messages))
    assert (peer.waiting, peer.held_up, peer.ends) == (0, False, [])


async def test_who_waits_until_it_is_drained_waits_for_the_windows():
    peer = Peer()
    await peer.drained()
    peer.send_message(bytes(100_000))
    waiting = asyncio.create_task(peer.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    peer.receive(update(1, 100_000))
    await asyncio.sleep(0)
    assert not waiting.done()
    peer.receive(update(0, 100_000))
    await waiting
    peer.pause_writing()
    waiting = asyncio.create_task(peer.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    peer.connection_lost(None)
    await waiting


def test_windows_are_replenished_before_they_are_empty(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http2, "_REPLENISH", 100_000)
    peer = Peer()
    used = {0: 0, 1: 0}
    for size in (1, 99_999, 1, 500, 400_000, 30_000, 30_000, 30_000, 30_000):
        frame = Frame(DATA, PADDED, 1, padded(message(bytes(size)), 9))
        peer.receive(frame)
        used = {stream: number + len(frame.payload) for stream, number in used.items()}
        for sent in peer.frames():
            assert sent.kind == WINDOW_UPDATE
            used[sent.stream] -= int.from_bytes(sent.payload)
        assert used[0] == used[1] <= 100_000


# Peers that are none

BLOCK = hpack.Encoder().encode([("x", "y")])


@pytest.mark.parametrize(
    "frames",
    [
        [Frame(HEADERS, END_HEADERS, 3, BLOCK)],
        [Frame(HEADERS, END_HEADERS, 0, BLOCK)],
        [Frame(DATA, 0, 3, message(b""))],
        [Frame(DATA, 0, 0, message(b""))],
        [Frame(DATA, PADDED, 1)],
        [Frame(DATA, PADDED, 1, b"\5abcd")],
        [Frame(HEADERS, PADDED | END_HEADERS, 1)],
        [Frame(HEADERS, PADDED | END_HEADERS, 1, b"\xff" + BLOCK)],
        [Frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff")],
        [Frame(HEADERS, 0, 1, bytes(16_384)), *[Frame(CONTINUATION, 0, 1, bytes(16_384))] * 5],
        [Frame(HEADERS, END_HEADERS, 1, hpack.Encoder().encode([("x", "y" * 3000)]) + b"\xbe" * 30)],
        [Frame(DATA, 0, 1, message(b"x", compressed=1))],
        [Frame(DATA, 0, 1, message(b"x" * 2000))],
        [Frame(DATA, 0, 1, message(b"x" * 2000)[:900])],
        [Frame(DATA, END_STREAM, 1, message(b"xyz")[:6])],
        [Frame(PING, 0, 0, b"short")],
        [Frame(RST_STREAM, 0, 0, bytes(4))],
        [update(1, MAX_WINDOW)],
        [update(0, MAX_WINDOW)],
        [setting(INITIAL_WINDOW_SIZE, 2**31)],
        [setting(MAX_FRAME_SIZE, 0)],
        [setting(MAX_FRAME_SIZE, 2**24)],
    ],
)
def test_what_is_not_allowed_ends_the_connection(frames: list[Frame]):
    peer = Peer(max_message=1000)
    peer.receive(*frames)
    (end,) = peer.ends
    assert isinstance(end, ProtocolError | hpack.HPACKError)
    assert peer.nowhere.closed
    assert peer.frames()[-1].kind == GOAWAY
    assert peer.messages == []


def test_a_frame_of_any_size_is_refused_by_its_head():
    peer = Peer()
    peer.data_received((2**24 - 1).to_bytes(3) + bytes([DATA, 0]) + (1).to_bytes(4))
    assert len(peer.ends) == 1
    assert peer.nowhere.closed


def test_a_server_of_another_protocol_is_refused():
    for said in (
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        peer = Peer()
        peer.data_received(said)
        assert len(peer.ends) == 1


FRAMES = st.builds(
    Frame,
    kind=st.sampled_from([DATA, HEADERS, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION]),
    flags=st.integers(0, 255),
    stream=st.sampled_from([0, 1, 2, 3, 2**31 - 1]),
    payload=st.binary(max_size=40),
)


@given(st.lists(FRAMES, max_size=12), st.binary(max_size=60), CUTS)
@settings(deadline=None, max_examples=500)
def test_no_bytes_raise(frames: list[Frame], noise: bytes, tearing: list[int]):
    peer = Peer(max_message=1000)
    peer.send_message(bytes(70_000))
    for piece in torn(b"".join(map(bytes, frames)) + noise, tearing):
        peer.data_received(piece)
        if peer.nowhere.closed:
            break
    peer.connection_lost(None)
    assert len(peer.ends) == 1
    assert all(len(data) <= 1000 for data in peer.messages)
    assert frames_in(peer.sent())
