"""Times in messages."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidArgument
from core.rpc.times import from_timestamp, to_timestamp


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_as_a_message(moment: datetime):
    assert from_timestamp(to_timestamp(moment), "when") == moment


def test_what_is_finer_than_a_microsecond_is_cut_off():
    assert from_timestamp(Timestamp(seconds=1, nanos=1999), "when") == datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=UTC)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_any_message_is_a_time_or_refused(seconds: int, nanos: int):
    message = Timestamp(seconds=seconds, nanos=nanos)
    try:
        moment = from_timestamp(message, "when")
    except InvalidArgument as error:
        assert error.field == "when"  # noqa: PT017 - either way is right
    else:
        assert moment.tzinfo is UTC


@pytest.mark.parametrize(("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 10**9)])
def test_what_is_no_time_is_refused(seconds: int, nanos: int):
    with pytest.raises(InvalidArgument):
        from_timestamp(Timestamp(seconds=seconds, nanos=nanos), "when")
