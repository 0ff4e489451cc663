"""Errors of the Gemini API, in the shapes that Google sends them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.canonical import Fault
from core.dialects.gemini.faults import read_fault, write_fault

_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_RETRY = "type.googleapis.com/google.rpc.RetryInfo"


def error(code: int, status: str, *details: dict[str, Any]) -> bytes:
    return json.dumps({"error": {"code": code, "message": "Sorry.", "status": status, "details": details}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, error(404, "NOT_FOUND"), Fault(404, "Sorry.", "NOT_FOUND")),
        (
            400,
            error(400, "INVALID_ARGUMENT", {"@type": _INFO, "reason": "API_KEY_INVALID", "domain": "googleapis.com"}),
            Fault(401, "Sorry.", "INVALID_ARGUMENT", "API_KEY_INVALID"),
        ),
        (400, error(400, "FAILED_PRECONDITION"), Fault(403, "Sorry.", "FAILED_PRECONDITION")),
        (400, error(400, "INVALID_ARGUMENT"), Fault(400, "Sorry.", "INVALID_ARGUMENT")),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", {"@type": "Help"}, {"@type": _RETRY, "retryDelay": "37.5s"}),
            Fault(429, "Sorry.", "RESOURCE_EXHAUSTED", retry_after=37.5),
        ),
        (429, error(429, "RESOURCE_EXHAUSTED", {"retryDelay": "soon"}), Fault(429, "Sorry.", "RESOURCE_EXHAUSTED")),
        (503, b"[%b]" % error(503, "UNAVAILABLE"), Fault(503, "Sorry.", "UNAVAILABLE")),
        (502, b"<html>", Fault(502, "the provider answered 502")),
        (500, b'{"error":{"message":"odd","details":"none"}}', Fault(500, "odd")),
        (500, b'{"error":"odd"}', Fault(500, "the provider answered 500")),
    ],
)
def test_errors_of_a_provider(status: int, body: bytes, expected: Fault) -> None:
    assert read_fault(status, body) == expected


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (Fault(400, "x"), "INVALID_ARGUMENT"),
        (Fault(413, "x"), "INVALID_ARGUMENT"),
        (Fault(401, "x", "authentication_error"), "UNAUTHENTICATED"),
        (Fault(400, "x", "OUT_OF_RANGE"), "OUT_OF_RANGE"),
        (Fault(429, "x", "INVALID_ARGUMENT"), "RESOURCE_EXHAUSTED"),
        (Fault(418, "x"), "INVALID_ARGUMENT"),
        (Fault(599, "x"), "INTERNAL"),
    ],
)
def test_errors_for_a_caller(fault: Fault, name: str) -> None:
    assert json.loads(write_fault(fault)) == {"error": {"code": fault.status, "message": "x", "status": name}}


def test_when_to_come_back_is_told() -> None:
    for seconds, delay in ((2.5, "2.5s"), (30.0, "30s"), (1_000_000.0, "1000000s")):
        found = json.loads(write_fault(Fault(429, "x", retry_after=seconds)))["error"]
        assert found["details"] == [{"@type": _RETRY, "retryDelay": delay}]


@given(st.binary(max_size=40) | st.from_regex(rb'\{"error":\{"code":.{0,9},"details":\[.{0,9}\]\}\}', fullmatch=True))
def test_reading_an_error_never_fails(body: bytes) -> None:
    assert read_fault(500, body).status == 500
