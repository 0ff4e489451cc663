"""Server-sent events are read by their standard, however the network cuts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.events import MAX_EVENT_BYTES
from core.dialects.sides import Unreadable
from core.dialects.sse import SseFrames
from tests.core.dialects.chats import cut_bytes

CUTS = st.lists(st.integers(0, 10_000), max_size=20)
DATA = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20)
FRAMES = st.lists(st.lists(DATA, min_size=1, max_size=3), max_size=5)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
NOISE = st.sampled_from(["", ": a comment", ":", "event: message", "id: 7", "retry: 10", "nonsense", "dat: no"])


def read(pieces: list[bytes]) -> list[bytes]:
    frames = SseFrames()
    return [payload for piece in pieces for payload in frames.feed(piece)] + frames.end()


@given(FRAMES, LINE_ENDS, NOISE, CUTS, st.booleans(), st.booleans())
def test_events_are_the_same_wherever_they_are_cut(
    made: list[list[str]], line_end: str, noise: str, cuts: list[int], bom: bool, spaced: bool
):
    lines: list[str] = []
    space = " " if spaced else ""
    for data in made:
        lines += [noise] if noise else []
        lines += [f"data:{space}{text}" if spaced or not text.startswith(" ") else f"data: {text}" for text in data]
        lines.append("")
    stream = ("\ufeff" if bom else "").encode() + "".join(line + line_end for line in lines).encode()
    wanted = ["\n".join(data).encode() for data in made]
    assert read([stream]) == wanted
    assert read(cut_bytes(stream, cuts)) == wanted


def test_every_single_cut_of_a_stream_of_hard_places_is_the_same():
    hard = '{"a":"é€😀\u2028\u2029\x85"}'
    stream = f"\ufeffdata: {hard}\r\n\r\n: ping\r\rdata: b\ndata: c\n\n\n\ndata:\n\ndata: [DONE]\r\n\r\n".encode()
    wanted = [hard.encode(), b"b\nc", b"", b"[DONE]"]
    assert read([stream]) == wanted
    assert [read([stream[:place], stream[place:]]) for place in range(len(stream) + 1)] == [wanted] * (len(stream) + 1)
    assert read([stream[place : place + 1] for place in range(len(stream))]) == wanted


@pytest.mark.parametrize("stream", [b"", b"\n\n\n", b": only a comment\n\n", b"event: ping\n\n", b"data\n\n"])
def test_what_has_no_data_is_no_event(stream: bytes):
    assert read([stream]) == []


@pytest.mark.parametrize("stream", [b"data: a", b"data: a\n", b"data: a\r", b"data: a\r\n"])
def test_the_last_event_may_lack_its_end(stream: bytes):
    assert read([stream]) == [b"a"]


def test_an_event_of_a_megabyte_is_read_in_the_pieces_that_a_network_brings():
    payload = b'{"text":"' + b"a" * 1024 * 1024 + b'"}'
    stream = b"data: " + payload + b"\n\n"
    assert read([stream[start : start + 16_384] for start in range(0, len(stream), 16_384)]) == [payload]


@pytest.mark.parametrize("line_end", [b"", b"\ndata: "])
def test_an_event_without_end_is_refused(line_end: bytes):
    piece = b"a" * (64 * 1024) + line_end
    pieces = [b"data: ", *[piece] * (MAX_EVENT_BYTES // len(piece) + 2)]
    with pytest.raises(Unreadable):
        read(pieces)
