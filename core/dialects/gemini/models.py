"""What differs between generations of Gemini models, told by their names.

    gemini-1.5-flash, gemini-2.5-pro        thinking in tokens, no proof of thoughts wanted
    gemini-3-pro-preview, gemini-flash-latest and all that come   thinking in degrees, calls signed

Sources: https://ai.google.dev/gemini-api/docs/thinking, …/docs/thought-signatures
"""

import re
from functools import lru_cache
from typing import Final

_EARLY: Final = re.compile(r"gemini-(?:exp|pro(?:-vision)?$|[12](?!\d))")


@lru_cache(maxsize=4096)
def thinks_in_degrees(model: str) -> bool:
    """Whether the model takes a level of thinking, and not only a number of tokens."""
    return _EARLY.search(model.lower()) is None


@lru_cache(maxsize=4096)
def wants_signatures(model: str) -> bool:
    """Whether the model refuses calls of functions in its own turn that nobody signed."""
    return "gemini" in model.lower() and thinks_in_degrees(model)


@lru_cache(maxsize=4096)
def most_thinking(model: str) -> int:
    """The largest budget that a model of the generation with budgets takes."""
    return 32_768 if "pro" in model.lower() else 24_576


@lru_cache(maxsize=4096)
def always_thinks(model: str) -> bool:
    """Whether thinking can't be turned off."""
    return thinks_in_degrees(model) or "2.5-pro" in model.lower()
