"""How many output tokens models make at most, for requests that do not say how many they want.

Only for money: under a cap such a request is held to this, and asks its provider for it. So a number that
is too small cuts answers short, and one that is larger than the model's own makes the provider refuse.
The numbers are the vendors'; a family that is not here gets what every model of today can do.
"""

import fnmatch
from functools import lru_cache

DEFAULT_OUTPUT = 4096
MOST_OUTPUT = 32_768
"""No more than this is held for a request that names nothing: a cap is for more than one at a time."""

_LIMITS = (
    ("gpt-5*", 128_000),
    ("gpt-4.1*", 32_768),
    ("gpt-4o*", 16_384),
    ("chatgpt-4o*", 16_384),
    ("o1*", 32_768),
    ("o3*", 100_000),
    ("o4*", 100_000),
    ("gpt-oss*", 32_768),
    ("claude-3-haiku*", 4096),
    ("claude-3-opus*", 4096),
    ("claude-3-sonnet*", 4096),
    ("claude-3-5*", 8192),
    ("claude-*", 32_000),
    ("gemini-1.5*", 8192),
    ("gemini-2.0*", 8192),
    ("gemini-*", 65_536),
    ("deepseek-*", 8192),
    ("grok-*", 32_768),
)

# Models whose provider refuses a request that names more than they make. Clients of other vendors' models do:
# Claude Code asks for 32,000 tokens whatever the model.
_REFUSED_ABOVE = (("gpt-4o*", 16_384), ("chatgpt-4o*", 16_384), ("gpt-4-turbo*", 4096), ("gpt-3.5-turbo*", 4096))


@lru_cache(maxsize=4096)
def refused_above(model: str) -> int | None:
    """How many output tokens a request may name at most; None where that is not known, or is more than anyone names."""
    name = model.rpartition("/")[2].lower()
    return next((most for pattern, most in _REFUSED_ABOVE if fnmatch.fnmatchcase(name, pattern)), None)


@lru_cache(maxsize=4096)
def most_output(model: str) -> int:
    """The most output tokens that are asked of a model where a request names no maximum."""
    name = model.rpartition("/")[2].lower()
    for pattern, limit in _LIMITS:
        if fnmatch.fnmatchcase(name, pattern):
            return min(limit, MOST_OUTPUT)
    return DEFAULT_OUTPUT
