"""Errors of providers on the OpenAI wire, put right, and errors for its callers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import Fault
from core.dialects.openai.faults import read_fault, write_fault
from tests.core.dialects.chats import faults


def fault(status: int, /, **error: Any) -> Fault:
    return read_fault(status, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (400, {"message": "no such field", "type": "invalid_request_error", "param": "x"}, 400),
        (401, {"message": "who?", "type": "invalid_request_error", "code": "invalid_api_key"}, 401),
        (400, {"message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}, 401),
        (400, {"message": "Incorrect API key provided: ab", "type": "invalid_request_error"}, 401),
        (400, {"message": "who?", "code": "model_not_found"}, 404),
        (404, {"message": "who?", "type": "invalid_request_error"}, 404),
        (403, {"message": "slow", "type": "rate_limit_error"}, 429),
        (500, {"message": "slow", "code": "rate_limit_exceeded"}, 429),
        (429, {"message": "empty", "type": "insufficient_quota", "code": "insufficient_quota"}, 429),
        (402, {"message": "Insufficient Balance", "type": "unknown_error"}, 429),
        (422, {"message": "not valid"}, 400),
        (413, {"message": "too long", "type": "invalid_request_error"}, 413),
        (500, {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}, 400),
        (500, {"message": "too long", "type": "invalid_request_error"}, 400),
        (498, {"message": "full"}, 503),
        (529, {"message": "full", "type": "overloaded_error"}, 503),
        (503, {"message": "sorry", "type": "server_error"}, 503),
        (400, {"message": "sorry", "type": "server_error"}, 500),
        (200, {"message": "slow", "code": 429}, 429),
        (200, {"message": "what", "code": "oops"}, 502),
        (502, {"message": "slow", "code": 503}, 503),
        (418, {"message": "short and stout"}, 418),
    ],
)
def test_a_status_is_put_right_by_what_the_error_says(status: int, error: dict[str, Any], told: int):
    found = fault(status, **error)
    assert (found.status, found.message) == (told, error["message"])


def test_all_that_an_error_says_is_kept():
    assert fault(400, message="bad", type="invalid_request_error", code="x", param="y") == Fault(
        400, "bad", "invalid_request_error", "x", "y"
    )
    assert fault(402, message="empty").code == "insufficient_quota"
    assert fault(400, message="bad", code=400).code == ""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":"plain"}', "plain"),
        (b'{"detail":"plain"}', "plain"),
        (b'{"message":"plain","type":"x"}', "plain"),
        (b"upstream connect error", "upstream connect error"),
        (b"<html>Bad Gateway</html>", "the provider answered with status 500"),
        (b"", "the provider answered with status 500"),
    ],
)
def test_errors_that_are_no_object_have_a_message_too(body: bytes, message: str):
    assert read_fault(500, body) == Fault(500, message, "x" if b'"type"' in body else "")


@given(st.integers(100, 599), st.binary(max_size=80) | st.from_type(str).map(lambda text: json.dumps(text).encode()))
def test_whatever_comes_is_a_fault(status: int, body: bytes):
    found = read_fault(status, body)
    assert 400 <= found.status <= 599
    assert found.message


@pytest.mark.parametrize(
    ("status", "type_", "code"),
    [
        (400, "invalid_request_error", None),
        (401, "authentication_error", "invalid_api_key"),
        (403, "permission_error", None),
        (404, "invalid_request_error", None),
        (429, "rate_limit_error", "rate_limit_exceeded"),
        (500, "server_error", None),
        (503, "server_error", None),
    ],
)
def test_an_error_for_callers_has_the_type_of_its_status(status: int, type_: str, code: str | None):
    assert json.loads(write_fault(Fault(status, "bad", kind="somebody's own"))) == {
        "error": {"message": "bad", "type": type_, "param": None, "code": code}
    }


def test_what_is_openais_own_stays():
    told = Fault(429, "empty", "insufficient_quota", "insufficient_quota", "p")
    assert json.loads(write_fault(told))["error"] == {
        "message": "empty",
        "type": "insufficient_quota",
        "param": "p",
        "code": "insufficient_quota",
    }
    assert json.loads(write_fault(Fault(429, "empty", "x", "insufficient_quota")))["error"]["type"] == (
        "insufficient_quota"
    )


@given(faults())
def test_an_error_comes_back_with_its_status_and_words(given_fault: Fault):
    found = read_fault(given_fault.status, write_fault(given_fault))
    assert (found.status, found.message) == (given_fault.status, given_fault.message)
