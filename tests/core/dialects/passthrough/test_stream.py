"""Streams that pass through: every byte goes on, and the usage at the end is seen."""

import json
from typing import Any

import pytest

from core.dialects.dialect import Meter
from core.dialects.passthrough.stream import SpeechMeter, event_meter, picture_meter
from core.dialects.tokens import COUNTED, PROVIDER, Tokens
from tests.support.openai_upstream import resplit


def event(**fields: Any) -> bytes:
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


USAGE = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "input_token_details": {"audio_tokens": 14}}
TRANSCRIPT = event(type="transcript.text.delta", delta='say "usage": {"input_tokens": 9}') + event(
    type="transcript.text.done", text="t", usage=USAGE
)
PICTURE = event(type="image_generation.partial_image", b64_json="A" * 300_000) + event(
    type="image_generation.completed", b64_json="B" * 300_000, usage={"input_tokens": 50, "output_tokens": 4160}
)
SPEECH = event(type="speech.audio.delta", audio="QUJD") + event(
    type="speech.audio.done", usage={"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
)


def run(meter: Meter, data: bytes, size: int) -> bytes:
    passed = b"".join(map(meter.feed, resplit(data, size)))
    return passed + meter.end()


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_transcript(size: int):
    meter = event_meter(hide_usage=True)
    assert run(meter, TRANSCRIPT, size) == TRANSCRIPT
    assert (meter.done, meter.complete, meter.reported_error) == (True, True, False)
    assert meter.usage == Tokens(input=14, output=45, audio_input=14, source=PROVIDER)


@pytest.mark.parametrize("size", [997, 70_000, 10**7])
def test_a_picture_larger_than_what_is_kept(size: int):
    meter = picture_meter(hide_usage=False)
    assert run(meter, PICTURE, size) == PICTURE
    assert (meter.done, meter.complete) == (False, True)
    assert meter.usage == Tokens(input=50, output=4160, image_output=4160, source=PROVIDER)


@pytest.mark.parametrize("missing", [1_000, 290_000, 310_000])
def test_a_picture_that_breaks_off_is_not_complete(missing: int):
    meter = picture_meter(hide_usage=False)
    run(meter, PICTURE[:-missing], 70_000)
    assert not meter.complete
    assert meter.tokens(7) == Tokens(input=7, source=COUNTED, partial=True)


def test_the_last_event_may_lack_its_blank_line():
    meter = event_meter(hide_usage=False)
    assert run(meter, TRANSCRIPT.rstrip(), 50) == TRANSCRIPT.rstrip()
    assert meter.complete


def test_a_server_that_streams_transcripts_as_chats():
    data = (
        b'data: {"object": "transcription.chunk", "choices": [{"delta": {"content": "t"}, "finish_reason": null}]}\n\n'
        b'data: {"choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n\n'
        b"data: [DONE]\n\n"
    )
    meter = event_meter(hide_usage=False)
    assert run(meter, data, 11) == data
    assert (meter.done, meter.complete) == (True, True)
    assert meter.usage == Tokens(input=3, output=2, source=PROVIDER)


@pytest.mark.parametrize(
    "error", [b'data: {"error": {"message": "m"}}\n\n', b'event: error\ndata: {"type": "error", "code": "c"}\n\n']
)
def test_an_error_is_the_end(error: bytes):
    meter = picture_meter(hide_usage=False)
    assert run(meter, error, 9) == error
    assert (meter.done, meter.reported_error) == (True, True)


def test_a_stream_without_an_end_is_not_complete():
    meter = event_meter(hide_usage=False)
    run(meter, event(type="transcript.text.delta", delta="t"), 100)
    assert not meter.complete


def test_a_sound_goes_on_as_it_comes_and_its_characters_count():
    meter = SpeechMeter(hide_usage=False)
    sound = bytes(range(256)) * 9
    assert b"".join(map(meter.feed, resplit(sound, 100))) == sound
    assert not meter.complete  # before the connection says so
    assert meter.end() == b""
    assert (meter.complete, meter.done, meter.usage) == (True, False, None)
    assert meter.tokens(5) == Tokens(characters=5, source=COUNTED)


def test_a_speech_of_nothing_is_not_complete():
    meter = SpeechMeter(hide_usage=False)
    meter.end()
    assert not meter.complete


@pytest.mark.parametrize("size", [6, 10_000])
def test_a_speech_as_events_reports_its_usage(size: int):
    meter = SpeechMeter(hide_usage=False)
    assert run(meter, SPEECH, size) == SPEECH
    assert (meter.done, meter.complete, meter.output_tokens()) == (True, True, 101)
    assert meter.tokens(5) == Tokens(input=14, output=101, audio_output=101, source=PROVIDER)
