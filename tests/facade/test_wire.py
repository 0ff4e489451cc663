"""Values of protobuf messages as JSON has them."""

from datetime import UTC, datetime

from facade.wire import moment
from llmrouter.v1 import account_pb2


def test_a_moment_is_iso_8601_in_utc():
    user = account_pb2.User()
    user.created_at.FromDatetime(datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC))
    assert moment(user, "created_at") == "2026-01-02T03:04:05.123456Z"


def test_a_moment_that_is_not_there_is_null():
    assert moment(account_pb2.User(), "created_at") is None
