"""What the core gets of a request whose address says which model is meant."""

import json

import pytest

from facade.gemini_routes import fronted


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        (b'{"contents":[],"n":1.0}', b',"contents":[],"n":1.0}'),
        (b' \r\n{ "contents" : [] }\n', b',"contents" : [] }'),
        (b"{}", b"}"),
        (b" { } ", b"}"),
        (b"", b"}"),
    ],
)
def test_model_and_stream_come_first_and_the_rest_stays_to_the_letter(body: bytes, rest: bytes):
    assert fronted(body, "llama3:8b", stream=True) == b'{"model":"llama3:8b","stream":true' + rest


def test_the_address_counts_and_not_the_body():
    body = b'{"model":"models/other","content":{"big":12345678901234567890,"x":1.0},"stream":true}'
    made = fronted(body, 'a/"b"', stream=False)
    assert made == b'{"model":"a/\\"b\\"","stream":false,"content":{"big":12345678901234567890,"x":1.0}}'


def test_the_same_names_further_inside_are_left_alone():
    body = b'{"requests":[{"model":"models/m","content":{}}]}'
    assert fronted(body, "m", stream=False) == b'{"model":"m","stream":false,' + body[1:]


def test_a_name_is_still_found_behind_a_text_that_looks_like_it():
    made = json.loads(fronted(b'{"a":"\\"model\\"","b":"model"}', "m", stream=False))
    assert made == {"model": "m", "stream": False, "a": '"model"', "b": "model"}


@pytest.mark.parametrize("body", [b"[]", b'"model"', b"nonsense", b"\xff", b"1"])
def test_what_is_no_object_is_left_to_be_refused(body: bytes):
    assert fronted(body, "m", stream=False) == body


def test_what_is_no_json_stays_none():
    with pytest.raises(json.JSONDecodeError):
        json.loads(fronted(b'{"model":', "m", stream=False))
