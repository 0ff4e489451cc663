"""How much the model shall think, in the words of its family.

A degree that a family has not becomes the nearest that it has: degrees mean nothing exact anywhere.
"""

from collections.abc import Mapping
from typing import Final

from core.dialects.bedrock.converse import Json
from core.dialects.bedrock.families import Family, Thinks
from core.dialects.canonical import Chat, Effort, Reasoning
from core.dialects.effort import LEAST_BUDGET, budget_of, effort_of
from core.dialects.losses import Losses

_OF_FIVE: Final[Mapping[Effort, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
_OF_THREE: Final[Mapping[Effort, str]] = {**_OF_FIVE, "xhigh": "high", "max": "high"}


def think(chat: Chat, family: Family, most_output: int, fields: Json, output: Json, losses: Losses) -> bool:
    """Writes how much to think, and says whether the model will. Raises InvalidArgument.

    fields: additionalModelRequestFields; output: outputConfig; most_output: tokens that the model makes at most.
    """
    asked = chat.reasoning
    if asked is None or (asked.effort is None and asked.budget is None):
        return False
    none = asked.effort == "none" or asked.budget == 0
    if none and not family.stops_thinking:
        losses.lose("reasoning", "this model always thinks")
        return True
    effort = asked.effort or effort_of(asked.budget or 0)
    match family.thinks:
        case Thinks.NOT:
            if not none:
                losses.lose("reasoning", "how much this model thinks can't be said")
            return False
        case Thinks.BUDGET:
            return not none and _budget(asked, chat.max_output, most_output, fields, losses)
        case Thinks.EITHER if (asked.budget or 0) > 0:
            return _budget(asked, chat.max_output, most_output, fields, losses)
        case Thinks.EITHER | Thinks.ADAPTIVE:
            _adaptive(asked, none, fields, output)
        case Thinks.NOVA:
            degree: Json = (
                {"type": "disabled"} if none else {"type": "enabled", "maxReasoningEffort": _OF_THREE[effort]}
            )
            fields["reasoningConfig"] = degree
        case Thinks.FIELD:
            fields["reasoning_effort"] = _OF_THREE[effort]
        case Thinks.EFFORT:
            if not none:
                output["effort"] = _OF_FIVE[effort]
    return not none


def _budget(asked: Reasoning, limit: int | None, most_output: int, fields: Json, losses: Losses) -> bool:
    """Thoughts are a part of the output, and there must be room for more than the smallest budget."""
    room = (limit or most_output) - 1
    if room < LEAST_BUDGET:
        losses.lose("reasoning", f"this model thinks with at least {LEAST_BUDGET} tokens, and the output has less")
        return False
    if asked.budget is not None and asked.budget > 0:
        budget = max(LEAST_BUDGET, asked.budget)
    else:
        budget = budget_of(asked.effort or "medium", limit or most_output)
    if asked.budget is None or limit:
        budget = min(budget, room)
    fields["thinking"] = {"type": "enabled", "budget_tokens": budget, **_display(asked)}
    return True


def _adaptive(asked: Reasoning, none: bool, fields: Json, output: Json) -> None:
    if none:
        fields["thinking"] = {"type": "disabled"}
        return
    fields["thinking"] = {"type": "adaptive", **_display(asked)}
    if asked.effort is not None:
        output["effort"] = _OF_FIVE[asked.effort]
    elif asked.budget is not None and asked.budget > 0:
        output["effort"] = _OF_FIVE[effort_of(asked.budget)]


def _display(asked: Reasoning) -> Json:
    return {} if asked.shown is None else {"display": "summarized" if asked.shown else "omitted"}
