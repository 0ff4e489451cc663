"""Money is integers of nano-dollars (10⁻⁹ US dollars); this is the one place that converts.

Prices are nano-dollars per million tokens, so that a price of $0.15 per million tokens is
150,000,000 and the cost of one request is exact before its single rounding.
"""

from decimal import ROUND_HALF_EVEN, Decimal

NANOS_PER_DOLLAR = 1_000_000_000
TOKENS_PER_PRICE = 1_000_000


def nanos_from_dollars(dollars: Decimal | str | int) -> int:
    """Nano-dollars of an amount in dollars, rounded half to even. Floats are refused: they are inexact."""
    return int((Decimal(dollars) * NANOS_PER_DOLLAR).to_integral_value(ROUND_HALF_EVEN))


def dollars_from_nanos(nanos: int) -> Decimal:
    """The exact amount in dollars, without zeros at its end."""
    return Decimal(nanos).scaleb(-9).normalize() if nanos else Decimal(0)


def cost_at_most(tokens: int, price: int) -> int:
    """Nano-dollars of tokens at a price in nano-dollars per million, rounded up: a bound that no cost passes."""
    return -(-tokens * price // TOKENS_PER_PRICE)


def tokens_within(amount: int, price: int) -> int:
    """How many tokens an amount of nano-dollars pays for at a price above 0."""
    return max(0, amount) * TOKENS_PER_PRICE // price


def cost_of(tokens_and_prices: list[tuple[int, int]]) -> int:
    """Nano-dollars of (tokens, nano-dollars per million tokens) pairs: exact sum, rounded once, half up."""
    total = 0
    for tokens, price in tokens_and_prices:
        total += tokens * price
    return (total + TOKENS_PER_PRICE // 2) // TOKENS_PER_PRICE
