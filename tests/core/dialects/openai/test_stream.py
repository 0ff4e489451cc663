"""The meter of a stream: it relays every byte but what it is told to hide, however the network cuts them."""

import json
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.openai.stream import StreamMeter
from core.dialects.tokens import COUNTED, PROVIDER, Tokens
from tests.support.openai_upstream import USAGE, events, resplit

REPORTED = Tokens(input=11, output=7, source=PROVIDER)


def follow(pieces: Sequence[bytes], *, hide_usage: bool = False) -> tuple[bytes, StreamMeter]:
    """What a caller has of a stream, and the meter at its end."""
    meter = StreamMeter(hide_usage=hide_usage)
    relayed = [meter.feed(piece) for piece in pieces]
    return b"".join([*relayed, meter.end()]), meter


def chunk(delta: dict[str, Any], **fields: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}], **fields}).encode() + b"\n\n"


TEXTS = st.lists(st.text(max_size=20), max_size=6)
CUTS = st.lists(st.integers(0, 4000), max_size=12)


def cut_at(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@given(
    texts=TEXTS,
    cuts=CUTS,
    line_end=st.sampled_from(["\n", "\r\n"]),
    comments=st.booleans(),
    reported=st.booleans(),
    done=st.booleans(),
    hide=st.booleans(),
)
def test_however_a_stream_is_cut_the_caller_and_the_accounts_have_the_same(
    texts: list[str], cuts: list[int], line_end: str, comments: bool, reported: bool, done: bool, hide: bool
):
    made = events(texts, usage=USAGE if reported else None, line_end=line_end, comments=comments, done=done)
    shown = made
    if reported and hide:
        shown = [event for event in made if b'"usage"' not in event]
    relayed, meter = follow(cut_at(b"".join(made), cuts), hide_usage=hide)
    whole_relayed, whole_meter = follow([b"".join(made)], hide_usage=hide)
    assert relayed == whole_relayed == b"".join(shown)
    assert meter.tokens(11) == whole_meter.tokens(11)
    assert (meter.usage == REPORTED) == reported
    assert meter.done == done
    assert meter.complete


@given(data=st.binary(max_size=600), cuts=CUTS, hide=st.booleans())
def test_a_stream_of_anything_at_all_is_relayed_whole(data: bytes, cuts: list[int], hide: bool):
    relayed, meter = follow(cut_at(data, cuts), hide_usage=hide)
    assert relayed == data
    assert meter.tokens(0).output >= 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_cuts_inside_characters_and_line_ends_change_nothing(size: int, line_end: str):
    data = b"".join(events(["Grüße ", "😀", " 漢字"], usage=USAGE, line_end=line_end)).replace(b"\\u00fc", "ü".encode())
    relayed, meter = follow(resplit(data, size))
    assert relayed == data
    assert meter.usage == REPORTED


def test_only_whole_events_are_relayed():
    meter = StreamMeter(hide_usage=False)
    assert meter.feed(b'data: {"choi') == b""
    assert meter.feed(b'ces":[]}\n') == b""
    assert meter.feed(b'\ndata: {"x"') == b'data: {"choices":[]}\n\n'
    assert meter.end() == b'data: {"x"'


def test_hiding_the_usage_hides_that_event_alone():
    before, usage, after = (
        chunk({"content": "a"}, usage=None),
        events([], usage=USAGE)[-2],
        b": bye\n\ndata: [DONE]\n\n",
    )
    relayed, meter = follow([before + usage + after], hide_usage=True)
    assert relayed == before + after
    assert meter.usage == REPORTED


def test_usage_beside_a_choice_is_not_hidden():
    event = chunk({"content": "a"}, usage=dict(USAGE))
    relayed, meter = follow([event, b"data: [DONE]\n\n"], hide_usage=True)
    assert relayed == event + b"data: [DONE]\n\n"
    assert meter.usage == REPORTED


def test_usage_of_an_unknown_shape_is_hidden_and_read_as_far_as_it_goes():
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": [1]}
    event = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
    relayed, meter = follow([chunk({"content": "a"}), event], hide_usage=True)
    assert relayed == chunk({"content": "a"})
    assert meter.usage == REPORTED


def test_of_several_reports_the_last_counts_and_zeros_do_not():
    first = chunk({"content": "a"}, usage={"prompt_tokens": 11, "completion_tokens": 1})
    last = chunk({"content": "b"}, usage=dict(USAGE))
    zeros = chunk({}, usage={"prompt_tokens": 0, "completion_tokens": 0})
    assert follow([first, last, zeros])[1].usage == REPORTED
    assert follow([zeros])[1].usage is None


@pytest.mark.parametrize(
    "said",
    ["[DONE]", "data: [DONE]", "\ndata: [DONE]\n\n", '"usage": {"prompt_tokens": 1}', 'finish_reason": "stop"'],
)
def test_what_a_model_says_is_never_taken_for_the_wire(said: str):
    event = chunk({"content": said})
    relayed, meter = follow([event], hide_usage=True)
    assert relayed == event
    assert meter.usage is None
    assert not meter.done
    assert not meter.complete


@pytest.mark.parametrize("mark", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]", b"data: [DONE]\r\n\r\n"])
def test_the_end_mark_comes_in_several_spellings(mark: bytes):
    relayed, meter = follow([chunk({"content": "a"}) + mark])
    assert relayed == chunk({"content": "a"}) + mark
    assert meter.done


def test_a_finish_reason_ends_a_stream_without_the_mark():
    assert follow(events(["a"], done=False))[1].complete
    assert not follow(events(["a"], done=False, finish=None))[1].complete


def test_what_nobody_reports_is_counted():
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"content": "Hello there,"},
        {"reasoning_content": "thinking"},
        {"refusal": "no"},
        {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city"'}}]},
    ]
    _, meter = follow([chunk(delta) for delta in deltas])
    tokens = meter.tokens(5)
    assert (tokens.input, tokens.source) == (5, COUNTED)
    assert 7 <= tokens.output <= 10


def test_texts_in_an_unknown_shape_are_counted_too():
    _, meter = follow([chunk({"content": [{"type": "text", "text": "Hello there"}]})])
    assert meter.output_tokens() == 2


def test_texts_of_completions_are_counted():
    assert follow(events(["Hello ", "there"], completion=True))[1].output_tokens() == 2


def test_a_long_stream_is_counted_and_not_kept():
    meter = StreamMeter(hide_usage=False)
    data = chunk({"content": "word "}) * 10
    tracemalloc.start()
    try:
        for _ in range(3000):
            meter.feed(bytes(bytearray(data)))  # a block of its own each time, as from the network
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 256 * 1024  # of two megabytes
    assert 30_000 <= meter.output_tokens() <= 30_300
    assert meter.rough_output_tokens() == 30_000


def test_how_far_a_stream_is_is_known_without_reading_it():
    meter = StreamMeter(hide_usage=False)
    meter.feed(chunk({"content": "a"}) * 3)
    assert meter.rough_output_tokens() == 3
    meter.feed(chunk({"content": "a"}) * 2)
    assert meter.rough_output_tokens() == 5


def test_an_event_beyond_all_bounds_is_passed_on_in_pieces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.dialects.events.MAX_EVENT_BYTES", 1000)
    data = chunk({"content": "x" * 5000}) + chunk({"content": "a"}, usage=dict(USAGE))
    meter = StreamMeter(hide_usage=True)
    relayed, fed = b"", 0
    for piece in resplit(data, 100):
        relayed += meter.feed(piece)
        fed += len(piece)
        assert fed - len(relayed) <= 1100
    assert relayed + meter.end() == data
    assert meter.usage == REPORTED


def test_json_that_is_nested_without_end_is_relayed_and_not_read():
    event = b'data: {"choices":' + b"[" * 100_000 + b"]" * 100_000 + b',"usage":{}}\n\n'
    relayed, meter = follow([event], hide_usage=True)
    assert relayed == event
    assert meter.tokens(3) == Tokens(input=3, output=0, source=COUNTED)
