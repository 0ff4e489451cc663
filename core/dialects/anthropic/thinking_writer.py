"""How much a model shall think, and what goes with it: the budget, the effort, the sampling.

Newer models think by effort (`thinking: adaptive` and `output_config.effort`), older ones by a budget of 1024 tokens
or more that is less than max_tokens; those of 4.6 take both. A degree that a model does not have is the next one
that it has, for degrees are a matter of more or less. While a model thinks it samples at a temperature of 1, with a
top_p from 0.95 on, and the newest ones always do; the defaults of all three are no request at all.

Source: https://platform.claude.com/docs/en/build-with-claude/thinking
"""

from typing import Any, Final

from core.dialects.anthropic.models import Abilities
from core.dialects.canonical import Chat, Effort, Reasoning
from core.dialects.effort import LEAST_BUDGET, budget_of, effort_of
from core.dialects.losses import Losses

_DEGREES: Final[tuple[Effort, ...]] = ("minimal", "low", "medium", "high", "xhigh", "max")
_LEAST_TOP_P: Final = 0.95


def write_thinking(body: dict[str, Any], chat: Chat, can: Abilities, losses: Losses, *, forced: bool) -> None:
    """Adds the fields. forced: a tool must be called, which no model does that thinks."""
    thinks = _think(body, chat, can, losses, forced=forced)
    _sample(body, chat, can, losses, thinks=thinks)


def _think(body: dict[str, Any], chat: Chat, can: Abilities, losses: Losses, *, forced: bool) -> bool:
    asked = chat.reasoning
    if asked is None or (asked.effort is None and asked.budget is None):
        if forced and can.unasked and can.off:
            body["thinking"] = {"type": can.off}
            return False
        return can.unasked
    if asked.effort == "none" or asked.budget == 0:
        if not can.off:
            losses.lose("reasoning", "the model always thinks")
            return True
        if can.thinks != "never":
            body["thinking"] = {"type": can.off}
        return False
    if can.thinks == "never":
        losses.lose("reasoning", "the model does not think")
        return False
    if forced:
        losses.lose("reasoning", "a model that must call a tool does not think")
        return False
    if can.thinks == "by effort" or (can.thinks == "either way" and (asked.effort is not None or asked.budget == -1)):
        return _by_effort(body, asked, can)
    return _by_budget(body, asked, losses)


def _by_effort(body: dict[str, Any], asked: Reasoning, can: Abilities) -> bool:
    body["thinking"] = _shown({"type": "adaptive"}, asked)
    if asked.effort is not None:
        body["output_config"] = {"effort": nearest(asked.effort, can.efforts)}
    elif asked.budget is not None and asked.budget > 0:
        body["output_config"] = {"effort": nearest(effort_of(asked.budget), can.efforts)}
    return True


def _by_budget(body: dict[str, Any], asked: Reasoning, losses: Losses) -> bool:
    most: int = body["max_tokens"]
    if most <= LEAST_BUDGET:
        losses.lose(
            "reasoning", f"a thought takes {LEAST_BUDGET} tokens or more, and the answer may have {most} in all"
        )
        return False
    budget = asked.budget
    if budget is None or budget < 0:
        budget = budget_of(asked.effort or "medium", most)
    budget = min(max(budget, LEAST_BUDGET), most - 1)
    body["thinking"] = _shown({"type": "enabled", "budget_tokens": budget}, asked)
    return True


def _shown(thinking: dict[str, Any], asked: Reasoning) -> dict[str, Any]:
    if asked.shown is not None:
        thinking["display"] = "summarized" if asked.shown else "omitted"
    return thinking


def nearest(effort: Effort, known: tuple[Effort, ...]) -> Effort:
    """The degree that comes closest to one: itself, else the next lower, else the lowest."""
    degree = _DEGREES.index(effort)
    lower: list[Effort] = [one for one in known if _DEGREES.index(one) <= degree]
    return lower[-1] if lower else known[0]


def _sample(body: dict[str, Any], chat: Chat, can: Abilities, losses: Losses, *, thinks: bool) -> None:
    temperature, top_p, top_k = chat.temperature, chat.top_p, chat.top_k
    if not can.samples or thinks:
        why = "a model that thinks does not take it" if can.samples else "the model does not take it"
        if temperature not in (None, 1):
            losses.lose("temperature", why)
        if top_k is not None:
            losses.lose("top_k", why)
        if top_p is not None and can.samples and _LEAST_TOP_P <= top_p <= 1:
            body["top_p"] = top_p
        elif top_p not in (None, 1):
            losses.lose("top_p", why)
        return
    if temperature is not None and temperature > 1:
        losses.lose("temperature", "it takes 0 to 1")
        temperature = None
    if temperature is not None and top_p is not None and not can.samples_doubly:
        if temperature == 1:
            temperature = None
        elif top_p != 1:
            losses.lose("top_p", "the model takes temperature or top_p, not both")
            top_p = None
        else:
            top_p = None
    asked = {"temperature": temperature, "top_p": top_p, "top_k": top_k}
    body.update({name: value for name, value in asked.items() if value is not None})
