"""Guessing passwords gets slow, and stays slow for those alone who do it."""

import pytest

from core.errors import RateLimited
from core.login_throttle import LoginThrottle
from tests.support.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def throttle(clock: FakeClock) -> LoginThrottle:
    return LoginThrottle(clock)


def refused(throttle: LoginThrottle, account: str, address: str = "") -> float:
    """For how long an attempt is refused, in seconds; 0 where it is let through and fails."""
    try:
        throttle.begin(account, address)
    except RateLimited as error:
        return error.retry_after or 0.0
    return 0.0


def test_five_failures_of_an_account_are_free(throttle: LoginThrottle):
    assert [refused(throttle, "a") for _ in range(5)] == [0.0] * 5
    assert refused(throttle, "a") == 15.0
    assert refused(throttle, "b") == 0.0


def test_each_further_failure_waits_for_twice_as_long(throttle: LoginThrottle, clock: FakeClock):
    for _ in range(5):
        throttle.begin("a", "")
    waits: list[float] = []
    for _ in range(5):
        waits.append(refused(throttle, "a"))
        clock.advance(waits[-1])
        assert refused(throttle, "a") == 0.0
    assert waits == [15.0, 30.0, 60.0, 120.0, 240.0]


def test_the_wait_never_passes_fifteen_minutes(throttle: LoginThrottle, clock: FakeClock):
    for _ in range(500):
        wait = refused(throttle, "a")
        assert wait <= 900.0
        clock.advance(wait)


def test_a_refused_attempt_does_not_count(throttle: LoginThrottle, clock: FakeClock):
    for _ in range(5):
        throttle.begin("a", "")
    for _ in range(100):
        assert refused(throttle, "a") == 15.0
    clock.advance(15.0)
    assert refused(throttle, "a") == 0.0


def test_failures_are_forgotten_after_fifteen_minutes(throttle: LoginThrottle, clock: FakeClock):
    for _ in range(5):
        throttle.begin("a", "")
    clock.advance(900.0)
    assert [refused(throttle, "a") for _ in range(5)] == [0.0] * 5


def test_a_success_clears_the_account(throttle: LoginThrottle):
    for _ in range(5):
        throttle.begin("a", "")
    throttle.succeeded("a", "")
    assert [refused(throttle, "a") for _ in range(5)] == [0.0] * 5


def test_an_attempt_that_was_not_decided_does_not_count(throttle: LoginThrottle):
    for _ in range(100):
        throttle.begin("a", "10.0.0.1")
        throttle.undecided("a", "10.0.0.1")


def test_twenty_failures_of_an_address_are_free(throttle: LoginThrottle):
    assert [refused(throttle, f"a{n}", "10.0.0.1") for n in range(20)] == [0.0] * 20
    assert refused(throttle, "another", "10.0.0.1") == 15.0
    assert refused(throttle, "another", "10.0.0.2") == 0.0


def test_a_success_does_not_clear_the_address(throttle: LoginThrottle):
    """Else whoever has one account could guess at all the others."""
    for n in range(20):
        throttle.begin(f"a{n}", "10.0.0.1")
        if n < 19:
            throttle.begin("own", "10.0.0.1")
            throttle.succeeded("own", "10.0.0.1")
    assert refused(throttle, "another", "10.0.0.1") == 15.0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ipv4:10.0.0.1:1111", "ipv4:10.0.0.1:2222"),
        ("ipv4:10.0.0.1:1111", "10.0.0.1"),
        ("ipv6:%5B2001:db8::1%5D:1111", "2001:db8::ffff"),
        ("ipv6:[2001:db8::1]:1111", "2001:db8:0:0:1::"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::2"),
        ("not an address", "not an address"),
    ],
)
def test_an_address_is_the_same_whatever_its_port_and_its_place_in_the_network(
    throttle: LoginThrottle, one: str, other: str
):
    for n in range(20):
        throttle.begin(f"a{n}", one)
    assert refused(throttle, "another", other) == 15.0


@pytest.mark.parametrize("nowhere", ["", "unix:", "unix:/run/core.sock"])
def test_a_unix_socket_is_no_address(throttle: LoginThrottle, nowhere: str):
    for n in range(100):
        throttle.begin(f"a{n}", nowhere)


def test_memory_is_bounded(throttle: LoginThrottle):
    for n in range(50_100):
        throttle.begin(f"a{n}", "")
    assert len(throttle._accounts._times) == 50_000  # pyright: ignore[reportPrivateUsage] - to count them
    for _ in range(1000):
        throttle._accounts.count("a", 0.0)  # pyright: ignore[reportPrivateUsage] - past the check
    assert len(throttle._accounts._times["a"]) < 20  # pyright: ignore[reportPrivateUsage] - to count them
