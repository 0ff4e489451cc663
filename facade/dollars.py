"""Dollars as JSON has them, and the core's nano-dollars."""

from decimal import ROUND_HALF_EVEN, Decimal

_NANOS = 1_000_000_000


def to_nanos(dollars: float) -> int:
    """Nano-dollars of a finite number as it was written: 0.1 is a tenth, whatever a float makes of it."""
    return int((Decimal(repr(dollars)) * _NANOS).to_integral_value(ROUND_HALF_EVEN))


def to_dollars(nanos: int) -> float:
    """The number that is written like the amount."""
    return float(Decimal(nanos) / _NANOS)
