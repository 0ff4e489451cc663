"""Amounts of money at the command line."""


def nanos_of(dollars: str) -> int:
    """Nano-dollars of an amount that was typed. Raises Failure."""
    from decimal import InvalidOperation

    from core.commands.failure import Failure
    from core.money import nanos_from_dollars

    try:
        return nanos_from_dollars(dollars)
    except (InvalidOperation, ValueError, OverflowError):
        raise Failure(f"'{dollars}' is no amount of dollars") from None
