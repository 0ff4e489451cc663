"""Times as integers."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock, from_micros, micros


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_as_microseconds(moment: datetime):
    assert from_micros(micros(moment)) == moment


def test_the_zone_of_a_time_does_not_matter():
    there = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert micros(there) == micros(datetime(2026, 1, 1, tzinfo=UTC)) == 1_767_225_600_000_000


def test_the_machines_clock_is_aware_and_goes_on():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
