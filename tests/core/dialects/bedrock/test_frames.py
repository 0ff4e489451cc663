"""The frames of an event stream, torn and broken."""

import json
import struct
import zlib
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.bedrock.frames import EventStreamFrames
from core.dialects.events import MAX_EVENT_BYTES
from core.dialects.sides import Unreadable
from tests.core.dialects.chats import cut_bytes
from tests.support.bedrock_upstream import event, events, exception, frame, text, thought, tool

STREAM = b"".join(events(thought("Hm", "m."), text("Hel", "lo"), tool()))


def cut(data: bytes) -> list[bytes]:
    frames = EventStreamFrames()
    return [*frames.feed(data), *frames.end()]


def test_an_event_becomes_one_object_that_says_which_it_is():
    (payload,) = cut(event("messageStop", stopReason="end_turn"))
    assert json.loads(payload) == {"messageStop": {"stopReason": "end_turn", "p": "abcdefg"}}


@given(st.lists(st.integers(0, 2**16), max_size=8))
def test_it_does_not_matter_where_the_network_cuts(places: list[int]):
    frames = EventStreamFrames()
    found = [payload for piece in cut_bytes(STREAM, places) for payload in frames.feed(piece)]
    assert [*found, *frames.end()] == cut(STREAM)


def test_byte_by_byte_is_the_same():
    frames = EventStreamFrames()
    assert [payload for at in range(len(STREAM)) for payload in frames.feed(STREAM[at : at + 1])] == cut(STREAM)


def test_it_is_cut_as_amazons_own_library_cuts_it():
    buffer: Any = EventStreamBuffer()
    buffer.add_data(STREAM)
    theirs: list[Any] = [{message.headers[":event-type"]: json.loads(message.payload)} for message in buffer]
    assert [json.loads(payload) for payload in cut(STREAM)] == theirs


@given(st.integers(0, len(STREAM) * 8 - 1))
def test_a_bit_that_is_wrong_is_found(bit: int):
    broken = bytearray(STREAM)
    broken[bit // 8] ^= 1 << bit % 8
    frames = EventStreamFrames()
    with pytest.raises(Unreadable):
        frames.feed(bytes(broken))


@pytest.mark.parametrize("sizes", [(MAX_EVENT_BYTES + 1, 0), (100, 90), (15, 0), (2**32 - 1, 2**32 - 1)])
def test_a_frame_of_impossible_size_is_not_waited_for(sizes: tuple[int, int]):
    start = struct.pack(">II", *sizes)
    with pytest.raises(Unreadable):
        EventStreamFrames().feed(start + struct.pack(">I", zlib.crc32(start)) + b"\x00" * 4)


def test_a_frame_that_broke_off_says_nothing():
    frames = EventStreamFrames()
    assert frames.feed(STREAM[:-1]) == cut(STREAM)[:-1]
    assert frames.end() == []


def test_an_exception_is_an_event_by_its_own_name():
    (payload,) = cut(exception("throttlingException", "slower"))
    assert json.loads(payload) == {"throttlingException": {"message": "slower"}}


def test_an_error_stands_in_the_headers_alone():
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": 'a "bad" day'}
    (payload,) = cut(frame(headers, b""))
    assert json.loads(payload) == {"InternalFailureError": {"message": 'a "bad" day'}}


def with_headers(headers: bytes, payload: bytes = b"{}") -> bytes:
    start = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start += struct.pack(">I", zlib.crc32(start)) + headers + payload
    return start + struct.pack(">I", zlib.crc32(start))


def test_headers_of_all_types_are_passed_over():
    values = [b"\x00", b"\x01", b"\x02\x07", b"\x03\x00\x07", b"\x04" + bytes(4), b"\x05" + bytes(8)]
    values += [b"\x06\x00\x02ab", b"\x08" + bytes(8), b"\x09" + bytes(16)]
    others = b"".join(b"\x01x" + value for value in values)
    (payload,) = cut(with_headers(others + b"\x0b:event-type\x07\x00\x08metadata"))
    assert payload == b'{"metadata":{}}'


@pytest.mark.parametrize(
    "headers", [b"", b"\x01", b"\x01x\x0a", b"\x01x\x07\x00", b"\x0b:event-type\x07\x00\x02\xff\xfe"]
)
def test_broken_headers_are_unreadable(headers: bytes):
    with pytest.raises(Unreadable):
        cut(with_headers(headers))


def test_a_name_can_not_smuggle_json():
    with pytest.raises(Unreadable):
        cut(frame({":event-type": 'a":1,"metadata', ":message-type": "event"}, b"{}"))
