"""What the router reads of an answer's head."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from core.providers.answer_head import AnswerHead
from tests.support.clock import FakeClock


def head(*headers: tuple[bytes, bytes], status: int = 200) -> AnswerHead:
    return AnswerHead(status, headers)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        *[(b"7", 7.0), (b" 1.5 ", 1.5), (b"-3", 0.0), (b"1e99", 86_400.0), (b"inf", 86_400.0), (b"nan", None)],
        *[(b"soon", None), (b"", None), (b"\xff", None), (b"Wed, 21 Oct 99999 07:28:00 GMT", None)],
    ],
)
def test_how_long_to_wait_is_a_number_within_a_day(said: bytes, seconds: float | None):
    assert head((b"retry-after", said), status=429).retry_after(FakeClock()) == seconds


def test_how_long_to_wait_may_be_a_date():
    clock = FakeClock()
    date = format_datetime(clock.now() + timedelta(seconds=30), usegmt=True).encode()
    assert head((b"retry-after", date), status=503).retry_after(clock) == 30.0
    assert head((b"retry-after", b"Wed, 21 Oct 2015 07:28:00 GMT"), status=503).retry_after(clock) == 0.0
    assert head((b"retry-after", b"Wed, 21 Oct 2015 07:28:00 -0000"), status=503).retry_after(clock) is None


def test_only_errors_are_waited_for():
    assert head((b"retry-after", b"7")).retry_after(FakeClock()) is None
    assert head(status=429).retry_after(FakeClock()) is None


@pytest.mark.parametrize(
    ("header", "status", "bounded"),
    [
        ((b"content-length", b"2"), 200, True),
        ((b"transfer-encoding", b"Chunked"), 200, True),
        ((b"transfer-encoding", b"gzip, chunked"), 200, True),
        ((b"transfer-encoding", b"identity"), 200, False),
        ((b"x", b"y"), 200, False),
        ((b"x", b"y"), 204, True),
        ((b"x", b"y"), 304, True),
    ],
)
def test_whether_a_body_says_where_it_ends(header: tuple[bytes, bytes], status: int, bounded: bool):
    assert head(header, status=status).bounded is bounded


@pytest.mark.parametrize("name", [b"x-request-id", b"request-id"])
def test_the_providers_id_of_a_request_is_passed_on_as_text_of_some_length(name: bytes):
    assert head((name, b"req_1")).passed_on() == (("x-upstream-request-id", "req_1"),)
    assert head((name, b"\xe9" * 300)).passed_on() == (("x-upstream-request-id", "?" * 200),)
    assert head().passed_on() == ()


def test_type_and_encoding_are_text_whatever_they_are():
    found = head((b"content-type", b"text/\xff"), (b"content-encoding", b" GZIP "))
    assert (found.content_type, found.encoding) == ("text/?", b"gzip")
    assert (head().content_type, head().encoding) == ("", b"")
