"""Events as one JSON array."""

import json

import pytest

from facade.event_array import EventArray

STREAM = b': ping\r\n\r\ndata: {"a":"1\\n\\n"}\r\n\r\ndata: {"b":2}\n\nevent: x\ndata: {"c":\ndata: 3}\n\n'
VALUES = [{"a": "1\n\n"}, {"b": 2}, {"c": 3}]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_stream_torn_anywhere_becomes_an_array(size: int):
    form = EventArray()
    pieces = [form.put(STREAM[start : start + size]) for start in range(0, len(STREAM), size)]
    assert json.loads(b"".join(pieces) + form.end()) == VALUES


def test_each_event_is_there_as_soon_as_it_is_whole():
    form = EventArray()
    assert form.put(b'data: {"a":1}\r\n') == b""
    assert form.put(b'\r\ndata: {"b"') == b'[{"a":1}'
    assert form.put(b":2}\r\n\r\n") == b',\r\n{"b":2}'
    assert form.end() == b"\n]"


def test_a_last_event_without_its_blank_line_counts():
    form = EventArray()
    assert json.loads(form.put(b'data: {"a":1}') + form.end()) == [{"a": 1}]


def test_a_stream_without_an_event_is_an_empty_array():
    form = EventArray()
    assert json.loads(form.put(b": nothing\n\n") + form.end()) == []
