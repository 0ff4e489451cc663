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


def cost_of(tokens_and_prices: list[tuple[int, int]]) -> int:
    """Nano-dollars of (tokens, nano-dollars per million tokens) pairs: exact sum, rounded once, half up."""
    total = 0
    for tokens, price in tokens_and_prices:
        total += tokens * price
    return (total + TOKENS_PER_PRICE // 2) // TOKENS_PER_PRICE
