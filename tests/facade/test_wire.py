"""Values of protobuf messages as JSON has them."""

from datetime import UTC, datetime

import pytest

from facade.problem import Problem
from facade.wire import moment, timestamp
from llmrouter.v1 import account_pb2


def test_a_moment_is_iso_8601_in_utc():
    user = account_pb2.User()
    user.created_at.FromDatetime(datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC))
    assert moment(user, "created_at") == "2026-01-02T03:04:05.123456Z"


def test_a_moment_that_is_not_there_is_null():
    assert moment(account_pb2.User(), "created_at") is None


def test_a_time_is_read_with_its_zone():
    assert timestamp("2026-01-02T03:04:05+01:00", "end").seconds == 1767319445


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-01-02", "2026-01-02T03:04:05", "10000-01-01T00:00:00Z"])
def test_what_is_no_time_is_named(text: str):
    with pytest.raises(Problem) as caught:
        timestamp(text, "end")
    assert (caught.value.http_status, caught.value.field_name) == (400, "end")
