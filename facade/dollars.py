"""Dollars as JSON and headers have them, and the core's nano-dollars."""

from decimal import ROUND_HALF_EVEN, Decimal

_NANOS = 1_000_000_000


def as_text(nanos: int) -> str:
    """An amount in dollars as plain decimal text, without a float on the way."""
    whole, rest = divmod(nanos, _NANOS)
    fraction = f"{rest:09d}".rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)


def to_nanos(dollars: float) -> int:
    """Nano-dollars of a finite number as it was written: 0.1 is a tenth, whatever a float makes of it."""
    return int((Decimal(repr(dollars)) * _NANOS).to_integral_value(ROUND_HALF_EVEN))


def to_dollars(nanos: int) -> float:
    """The number that is written like the amount."""
    return float(Decimal(nanos) / _NANOS)
