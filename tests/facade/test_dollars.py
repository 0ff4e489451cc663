"""Dollars and nano-dollars."""

import pytest

from facade.dollars import to_dollars, to_nanos


@pytest.mark.parametrize(
    ("dollars", "nanos"),
    [
        (0, 0),
        (1, 10**9),
        (0.1, 10**8),
        (0.000000001, 1),
        (1000.00, 10**12),
        (999_999_999.123456, 999_999_999_123_456_000),
    ],
)
def test_an_amount_is_the_one_that_is_written(dollars: float, nanos: int):
    assert to_nanos(dollars) == nanos
    assert to_dollars(nanos) == dollars


def test_what_is_finer_is_rounded_half_to_even():
    assert [to_nanos(amount) for amount in (0.0000000005, 0.0000000015, 1e-30)] == [0, 2, 0]
