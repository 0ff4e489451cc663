"""Payloads: typed fields, and a problem that names the bad one."""

import pytest

from facade.payload import Incoming, Payload, parse
from facade.problem import Problem


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"null", b"1", b'{"a": NaN}', b'{"a": 1} x', b'\xff{"a": 1}', b'{"a": "\xff"}'],
)
def test_what_is_not_a_json_object_is_refused(body: bytes):
    with pytest.raises(Problem) as caught:
        parse(body)
    assert caught.value.http_status == 400


def test_deep_nesting_is_refused_and_breaks_nothing():
    with pytest.raises(Problem):
        parse(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@pytest.mark.parametrize(
    ("method", "bad"),
    [
        ("text", b"{}"),
        ("text", b'{"x": null}'),
        ("text", b'{"x": 1}'),
        ("text", b'{"x": ["a"]}'),
        ("text", b'{"x": "a\\u0000"}'),
        ("optional_text", b'{"x": false}'),
        ("optional_flag", b'{"x": 1}'),
        ("optional_flag", b'{"x": "true"}'),
    ],
)
def test_a_bad_field_is_named(method: str, bad: bytes):
    with pytest.raises(Problem) as caught:
        getattr(parse(bad), method)("x")
    assert (caught.value.reason, caught.value.field_name) == ("INVALID_ARGUMENT", "x")


@pytest.mark.parametrize("bad", [b"0", b"11", b"1.5", b"true", b'"5"', b"[]", b"1e300"])
def test_a_whole_number_is_one_within_bounds(bad: bytes):
    with pytest.raises(Problem) as caught:
        parse(b'{"x": %s}' % bad).optional_integer("x", least=1, most=10)
    assert (caught.value.field_name, caught.value.message) == ("x", "must be a whole number from 1 to 10")


@pytest.mark.parametrize("bad", [b"-0.1", b"10.1", b"false", b'"5"', b"{}"])
def test_a_number_is_one_within_bounds(bad: bytes):
    with pytest.raises(Problem) as caught:
        parse(b'{"x": %s}' % bad).optional_number("x", least=0, most=10)
    assert caught.value.field_name == "x"


def test_numbers_within_bounds_are_read():
    payload = parse(b'{"whole": 5, "also": 5.0, "part": 0.25, "nothing": null}')
    assert payload.optional_integer("whole", least=1, most=10) == 5
    assert payload.optional_integer("also", least=1, most=10) == 5
    assert payload.optional_number("part", least=0, most=10) == 0.25
    assert payload.optional_integer("nothing", least=1, most=10) is None
    assert payload.optional_number("absent", least=0, most=10) is None
    assert (payload.names("nothing"), payload.names("absent")) == (True, False)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(Problem):
        Payload({"x": "\ud800"}).text("x")


def test_fields_that_are_there_are_read_and_others_are_ignored():
    payload = parse('{"text": "ü", "flag": false, "nothing": null, "more": [1]}'.encode())
    assert payload.text("text") == "ü"
    assert payload.optional_flag("flag") is False
    assert payload.optional_text("nothing") is None
    assert payload.optional_flag("nothing") is None
    assert payload.optional_text("absent") is None


@pytest.mark.parametrize("number", ["1", "42", str(2**63 - 1)])
def test_an_id_in_a_path_is_a_positive_number_of_64_bits(number: str):
    assert Incoming(params={"id": number}).number("id") == int(number)


@pytest.mark.parametrize("text", ["0", "-1", "+1", "1.0", "x", " 1", "1_0", "²", "٣", str(2**63), "9" * 5000])
def test_what_no_id_looks_like_does_not_exist(text: str):
    with pytest.raises(Problem) as caught:
        Incoming(params={"id": text}).number("id")
    assert caught.value.http_status == 404
