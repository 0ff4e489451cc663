"""Which providers rest, and for how long."""

from core.routing.health import Health
from tests.support.clock import FakeClock


def test_a_provider_rests_as_long_as_it_says() -> None:
    clock = FakeClock()
    health = Health(clock)
    health.failed(1, 7.0)
    assert health.rests(1)
    assert not health.rests(2)
    clock.advance(6.9)
    assert health.rests(1)
    clock.advance(0.2)
    assert not health.rests(1)


def test_a_few_failures_do_not_make_a_provider_rest() -> None:
    health = Health(FakeClock())
    for _ in range(4):
        health.failed(1, None)
    assert not health.rests(1)
    health.failed(1, None)
    assert health.rests(1)


def test_each_further_failure_doubles_the_rest_up_to_a_minute() -> None:
    clock = FakeClock()
    health = Health(clock)
    for _ in range(4):
        health.failed(1, None)
    for seconds in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0):
        health.failed(1, None)
        clock.advance(seconds - 0.1)
        assert health.rests(1), seconds
        clock.advance(0.2)
        assert not health.rests(1), seconds


def test_no_rest_is_longer_than_a_minute_whatever_the_provider_says() -> None:
    clock = FakeClock()
    health = Health(clock)
    health.failed(1, 24 * 3600.0)
    clock.advance(60.1)
    assert not health.rests(1)


def test_a_rest_does_not_become_shorter_by_another_failure() -> None:
    clock = FakeClock()
    health = Health(clock)
    health.failed(1, 30.0)
    health.failed(1, 1.0)
    clock.advance(29.0)
    assert health.rests(1)


def test_an_answer_ends_the_count() -> None:
    health = Health(FakeClock())
    for _ in range(4):
        health.failed(1, None)
    health.succeeded(1)
    assert health.all_well()
    health.failed(1, None)
    assert not health.rests(1)
    assert not health.all_well()


def test_a_change_of_the_provider_lets_it_start_anew() -> None:
    health = Health(FakeClock())
    health.failed(1, 60.0)
    health.forget(1)
    assert health.all_well()
    assert not health.rests(1)
