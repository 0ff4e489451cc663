"""Identifiers and secrets, made where they are used so that tests can own them."""

import secrets
from collections.abc import Callable

# Letters and digits that a double click selects whole, in URLs and shells alike.
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

NewId = Callable[[str], str]
"""Makes an id with a prefix: new_id("goal") → "goal_9f0c…"."""


def random_text(length: int) -> str:
    """So many characters from a cryptographic source, 5.95 bits each."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_id(prefix: str) -> str:
    """An id that nobody can guess: 24 hexadecimal digits (96 bits) after the prefix."""
    return f"{prefix}_{secrets.token_hex(12)}"
