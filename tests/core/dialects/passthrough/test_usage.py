"""What answers report of their usage."""

import json
from typing import Any

import pytest

from core.dialects.passthrough import endpoints
from core.dialects.passthrough.request import read_request
from core.dialects.passthrough.usage import UNKNOWN, answer_tokens
from core.dialects.tokens import COUNTED, PROVIDER, Tokens

IMAGE, TRANSCRIPTION, RERANK = endpoints.IMAGE, endpoints.TRANSCRIPTION, endpoints.RERANK
PICTURE = {
    "input_tokens": 50,
    "output_tokens": 4160,
    "total_tokens": 4210,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}


def tokens(operation: str, answer: bytes | dict[str, Any]) -> Tokens:
    request = read_request(operation, b'{"model": "m", "input": "some words"}')
    return answer_tokens(request, answer if isinstance(answer, bytes) else json.dumps(answer).encode())


@pytest.mark.parametrize(
    ("operation", "answer", "expected"),
    [
        (IMAGE, {"usage": PICTURE}, Tokens(input=50, output=4160, image_input=40, image_output=4160, source=PROVIDER)),
        (
            IMAGE,
            {"usage": {**PICTURE, "output_tokens_details": {"image_tokens": 4000, "text_tokens": 160}}},
            Tokens(input=50, output=4160, image_input=40, image_output=4000, source=PROVIDER),
        ),
        (IMAGE, {"data": [{"url": "u"}]}, UNKNOWN),
        (
            TRANSCRIPTION,
            {"text": "t", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
                                    "input_token_details": {"text_tokens": 0, "audio_tokens": 14}}},
            Tokens(input=14, output=45, audio_input=14, source=PROVIDER),
        ),
        (TRANSCRIPTION, {"usage": {"type": "duration", "seconds": 9.5}}, Tokens(audio_ms=9500, source=PROVIDER)),
        (TRANSCRIPTION, {"text": "t", "duration": 8.47, "segments": []}, Tokens(audio_ms=8470, source=PROVIDER)),
        (TRANSCRIPTION, {"text": "t", "duration": "8.47"}, Tokens(audio_ms=8470, source=PROVIDER)),
        (
            TRANSCRIPTION,
            {"usage": {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635}},
            Tokens(input=4, output=635, audio_ms=203_000, source=PROVIDER),
        ),
        (TRANSCRIPTION, {"text": "t"}, UNKNOWN),
        (TRANSCRIPTION, b"plain words", UNKNOWN),
        (TRANSCRIPTION, b"WEBVTT\n\n00:00 --> 00:01\nwords", UNKNOWN),
        (TRANSCRIPTION, b"{ words in braces }", UNKNOWN),
        (endpoints.MODERATION, {"usage": {"prompt_tokens": 7, "total_tokens": 7}}, Tokens(input=7, source=PROVIDER)),
        (endpoints.MODERATION, {"results": []}, Tokens(input=4, source=COUNTED)),
        (RERANK, {"results": [], "usage": {"total_tokens": 815}}, Tokens(input=815, source=PROVIDER)),
        (RERANK, {"results": [], "meta": {"billed_units": {"search_units": 1}}}, UNKNOWN),
        (
            RERANK,
            {"meta": {"billed_units": {"search_units": 2}, "tokens": {"input_tokens": 99}}},
            Tokens(input=99, source=PROVIDER, partial=True),
        ),
        (RERANK, {"meta": {"tokens": {"input_tokens": 99, "output_tokens": 0}}}, Tokens(input=99, source=PROVIDER)),
        (RERANK, {"results": []}, UNKNOWN),
    ],
)  # fmt: skip
def test_usage(operation: str, answer: bytes | dict[str, Any], expected: Tokens):
    assert tokens(operation, answer) == expected


def test_what_another_model_did_has_no_known_cost():
    found = tokens(IMAGE, {"usage": PICTURE, "svg_usage": {"model": "other", "input_tokens": 1, "output_tokens": 1}})
    assert (found.partial, found.output) == (True, 4160)


@pytest.mark.parametrize(
    "usage", [None, [], "x", 7, {}, {"input_tokens": "many"}, {"input_tokens": -5}, {"seconds": -1}]
)
def test_a_usage_that_says_nothing_is_unknown(usage: Any):
    assert tokens(IMAGE, {"usage": usage}) == UNKNOWN


def test_what_cannot_be_is_bounded():
    found = tokens(
        IMAGE, {"usage": {"input_tokens": 1e300, "output_tokens": 5.0, "input_tokens_details": {"image_tokens": 9e99}}}
    )
    assert found.input == found.image_input == 10**9
    assert found.output == 5
    assert tokens(TRANSCRIPTION, {"usage": {"seconds": 1e300}}) == UNKNOWN


@pytest.mark.parametrize("operation", sorted(endpoints.ALL - {TRANSCRIPTION, endpoints.TRANSLATION}))
def test_what_is_no_json_is_no_answer(operation: str):
    for body in (b"", b"<html>", b"[]", b"\xff"):
        with pytest.raises(ValueError, match="JSON"):
            tokens(operation, body)
