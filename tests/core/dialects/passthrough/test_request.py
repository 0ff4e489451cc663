"""What is read of a request that passes through, and what the provider has of it."""

import json
from typing import Any

import pytest

from core.dialects.passthrough import endpoints
from core.dialects.passthrough.request import (
    DEFAULT_MODERATION,
    characters,
    limited,
    prompt_tokens,
    read_form,
    read_request,
    upstream_body,
)
from core.dialects.request import Request
from core.errors import InvalidArgument, ModelRequired
from tests.core.dialects.passthrough.test_form import TYPE, form, part


def read(operation: str, **fields: Any) -> Request:
    return read_request(operation, json.dumps(fields).encode())


@pytest.mark.parametrize("operation", sorted(endpoints.ALL))
def test_the_body_goes_on_to_the_byte(operation: str):
    body = b'{ "model":"m",  "n": 1.0, "input": "x", "new_field": 12345678901234567890 }'
    request = read_request(operation, body)
    assert request.model == "m"
    assert upstream_body(request, "m", ask_usage=True) == body
    assert upstream_body(request, "n", ask_usage=True) == body.replace(b'"m"', b'"n"')


@pytest.mark.parametrize("operation", sorted(endpoints.ALL - {endpoints.MODERATION}))
def test_a_model_must_be_named(operation: str):
    for body in (b"{}", b'{"model": null}', b'{"model": ""}'):
        with pytest.raises(ModelRequired):
            read_request(operation, body)


def test_a_moderation_without_a_model_is_for_the_one_that_openai_takes():
    request = read(endpoints.MODERATION, input="x")
    assert request.model == DEFAULT_MODERATION
    assert json.loads(upstream_body(request, "other", ask_usage=False)) == {"input": "x", "model": "other"}
    request = read(endpoints.MODERATION, input="x", model=None)
    assert json.loads(upstream_body(request, "other", ask_usage=False)) == {"input": "x", "model": "other"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": "\xff"}', b"[" * 9999])
def test_what_is_no_json_object_is_refused(body: bytes):
    with pytest.raises(InvalidArgument):
        read_request(endpoints.IMAGE, body)


def test_who_streams():
    assert read(endpoints.SPEECH, model="m", input="x").streamed
    assert read(endpoints.IMAGE, model="m", stream=True).streamed
    assert not read(endpoints.IMAGE, model="m").streamed
    assert not read(endpoints.MODERATION, model="m", input="x", stream=True).streamed
    streaming = form(part(b"model", b"m"), part(b"stream", b"True"))
    assert read_form(endpoints.TRANSCRIPTION, streaming, TYPE).streamed
    assert not read_form(endpoints.TRANSLATION, streaming, TYPE).streamed
    assert not read_form(endpoints.TRANSCRIPTION, form(part(b"model", b"m"), part(b"stream", b"false")), TYPE).streamed


def test_only_the_model_of_a_form_changes():
    body = form(part(b"file", b"\x00\xff model m"), part(b"model", b"a/m"), part(b"prompt", "für m".encode()))
    request = read_form(endpoints.TRANSCRIPTION, body, TYPE)
    assert request.model == "a/m"
    assert upstream_body(request, "a/m", ask_usage=False) is body
    assert upstream_body(request, "m", ask_usage=False) == body.replace(b"a/m", b"m")
    assert prompt_tokens(request) in range(1, 10)


@pytest.mark.parametrize(
    "parts",
    [
        (part(b"model", b"a"), part(b"model", b"b")),
        (part(b'model"; filename="m.txt', b"a"),),
        (part(b"model", b"\xff"),),
        (part(b"model", b"m" * 301),),
    ],
)
def test_a_form_that_does_not_say_clearly_which_model_is_refused(parts: tuple[bytes, ...]):
    with pytest.raises(InvalidArgument, match="model"):
        read_form(endpoints.TRANSCRIPTION, form(*parts), TYPE)


@pytest.mark.parametrize("parts", [(), (part(b"Model", b"a"),), (part(b"model", b""),)])
def test_a_form_must_name_a_model(parts: tuple[bytes, ...]):
    with pytest.raises(ModelRequired):
        read_form(endpoints.TRANSCRIPTION, form(*parts), TYPE)


def test_characters_are_counted_and_not_their_bytes():
    assert characters(read(endpoints.SPEECH, model="m", input="für 你")) == 5
    assert characters(read(endpoints.SPEECH, model="m", input=7)) == 0
    assert characters(read(endpoints.SPEECH, model="m")) == 0


def test_the_same_words_have_the_same_hash():
    hashes = {read(endpoints.IMAGE, model=model, prompt="a cat").prompt_hash for model in ("m", "n")}
    assert len(hashes) == 1
    assert read(endpoints.IMAGE, model="m", prompt="a dog").prompt_hash not in hashes


def test_caps_of_output_say_nothing_of_these():
    request = read(endpoints.IMAGE, model="m", n=10)
    assert limited(request, 1, 1) is request
