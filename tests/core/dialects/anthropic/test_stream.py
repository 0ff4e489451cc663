"""Anthropic's wire as a stream: passed on to the letter and accounted for, however it is cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.anthropic.stream import STATUSES, MessageMeter, first_failure
from core.dialects.counting import count_text
from core.dialects.tokens import COUNTED, PROVIDER, Tokens
from tests.support import anthropic_upstream as claude
from tests.support.openai_upstream import resplit

BLOCKS = (claude.thinking_block(), claude.text_block(), claude.tool_block())
WHOLE = b"".join(claude.events(*BLOCKS, usage=claude.CACHED_USAGE))
SAID = "Let me think." + "Hello there." + '{"city": "Graz"}'
REPORTED = Tokens(input=2312, output=9, cached_input=2000, cache_write=300, cache_write_1h=100, source=PROVIDER)


def fed(pieces: list[bytes]) -> tuple[MessageMeter, bytes]:
    meter = MessageMeter()
    passed = b"".join([meter.feed(piece) for piece in pieces])
    return meter, passed + meter.end()


@given(st.integers(1, 400), st.booleans())
def test_however_it_is_cut_it_passes_and_counts_alike(size: int, crlf: bool):
    data = WHOLE.replace(b"\n", b"\r\n") if crlf else WHOLE
    meter, passed = fed(resplit(data, size))
    assert passed == data
    assert (meter.done, meter.complete, meter.reported_error) == (True, True, False)
    assert meter.tokens(7) == REPORTED


def test_a_torn_event_waits_for_its_rest():
    meter = MessageMeter()
    assert meter.feed(b"event: ping\nda") == b""
    assert meter.feed(b'ta: {"type": "ping"}\n\nevent: me') == b'event: ping\ndata: {"type": "ping"}\n\n'


def test_it_is_done_with_its_own_end_and_not_before():
    *most, last = claude.events()
    meter = MessageMeter()
    for piece in most:
        meter.feed(piece)
        assert not meter.done
    meter.feed(last)
    assert meter.done


def test_the_last_report_counts_and_nothing_shrinks():
    later = claude.event("message_delta", delta={}, usage={"input_tokens": 0, "output_tokens": 30})
    meter, _ = fed([*claude.events(usage=claude.CACHED_USAGE)[:-1], later])
    assert meter.usage is not None
    assert (meter.usage.input, meter.usage.output, meter.usage.cached_input) == (2312, 30, 2000)


def test_one_that_broke_off_is_counted_on_top_of_what_its_beginning_reported():
    meter, _ = fed(claude.events(*BLOCKS, usage=claude.CACHED_USAGE, complete=False))
    assert (meter.done, meter.usage) == (False, None)
    tokens = meter.tokens(7)
    assert (tokens.input, tokens.cached_input, tokens.source) == (2312, 2000, COUNTED)
    assert tokens.output == pytest.approx(count_text(SAID), abs=2)


def test_one_that_reports_nothing_is_counted():
    meter, _ = fed(claude.events(*BLOCKS, usage=None))
    tokens = meter.tokens(7)
    assert (tokens.input, tokens.source) == (7, COUNTED)
    assert tokens.output == meter.output_tokens() == pytest.approx(count_text(SAID), abs=2)
    assert meter.rough_output_tokens() == len(claude.events(*BLOCKS, usage=None))


def test_an_error_event_is_its_end_and_no_answer():
    meter, _ = fed([*claude.events()[:4], claude.error_event()])
    assert (meter.done, meter.reported_error) == (True, True)


@pytest.mark.parametrize("said", ["event: message_stop", "\nevent: error\n", 'data: {"type": "error"', '"usage": {'])
def test_what_the_model_says_ends_nothing(said: str):
    delta = {"type": "text_delta", "text": said}
    meter, _ = fed([claude.events()[0], claude.event("content_block_delta", index=0, delta=delta)])
    assert (meter.done, meter.reported_error, meter.usage) == (False, False, None)


def test_usage_that_can_not_be_read_is_left_alone():
    odd = claude.event("message_delta", delta={}, usage={"output_tokens": "many"})
    meter, passed = fed([claude.events()[0], odd])
    assert passed.endswith(odd)
    assert meter.usage is None


def test_a_long_stream_is_counted_within_bounds():
    text = "One word after the other. " * 40
    piece = claude.event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})
    meter, _ = fed([piece] * 1000)
    assert meter.output_tokens() == pytest.approx(count_text(text) * 1000, rel=0.02)


def test_an_event_without_end_is_passed_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.dialects.events.MAX_EVENT_BYTES", 100)
    assert len(MessageMeter().feed(b"data: " + b"x" * 200)) == 206


# Errors at the beginning


@pytest.mark.parametrize(("type_", "status"), [*STATUSES.items(), ("of_the_future", 502)])
def test_a_stream_that_begins_with_an_error_has_its_status(type_: str, status: int):
    found = first_failure(claude.error_event(type_))
    assert found is not None
    assert found[0] == status
    assert json.loads(found[1])["error"]["type"] == type_


@pytest.mark.parametrize("first", [claude.events()[0], claude.event("ping"), b"", b"event: error\ndata: torn\n\n"])
def test_what_begins_otherwise_is_an_answer(first: bytes):
    assert first_failure(first) is None


def test_an_error_that_says_little_is_one_all_the_same():
    assert first_failure(b'data: {"type": "error"}\n\n') == (502, b'{"type": "error"}')
