"""How much a model shall think: wires that name a degree, and wires that name a number of tokens.

    effort_of   4000 tokens ─► "low"            for a wire that knows degrees
    budget_of   "low", of 32 000 tokens ─► 6400   for a wire that knows numbers

The shares are those that OpenRouter documents for the same purpose:
https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
"""

from typing import Final

from core.dialects.canonical import Effort

LEAST_BUDGET: Final = 1024
"""Anthropic refuses a smaller one."""
MOST_BUDGET: Final = 128_000

# Only degrees that every model has which has any: the extremes came late, and are refused by others.
_LOW: Final = 4096
_MEDIUM: Final = 16_384

_SHARES: Final[dict[Effort, int]] = {
    "none": 0,
    "minimal": 10,
    "low": 20,
    "medium": 50,
    "high": 80,
    "xhigh": 95,
    "max": 95,
}
"""Per cent of the output that thinking may take."""


def effort_of(budget: int) -> Effort:
    """The degree that a budget of tokens comes closest to: none, low, medium or high.

    A negative one leaves it to the model: medium, which is what most models do on their own.
    """
    if budget == 0:
        return "none"
    if budget < 0 or _LOW < budget <= _MEDIUM:
        return "medium"
    return "low" if budget <= _LOW else "high"


def budget_of(effort: Effort, most_output: int) -> int:
    """How many tokens of thinking a degree is, where thoughts and answer share `most_output` tokens; 0 for none.

    It is LEAST_BUDGET or more, even where the output is smaller: a wire where the output includes the thoughts
    has to raise that then, or go without thinking.
    """
    share = _SHARES[effort]
    return min(MOST_BUDGET, max(LEAST_BUDGET, most_output * share // 100)) if share else 0
