"""A key's caps on what a request of the Anthropic wire may ask for: its output, and its thinking.

The API wants `max_tokens` of every request; one without is given the cap. Thinking is part of the output
and has a number of its own, which a request may leave to the model: under a cap it does not.
"""

from typing import Any, Final

import msgspec

from core.dialects.anthropic.messages import MESSAGES
from core.dialects.request import Request, encode, fields_of, read_number
from core.errors import InvalidArgument

_BUDGET: Final = "thinking.budget_tokens"

_decode_thinking = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def limited(request: Request, most_output: int, most_reasoning: int) -> Request:
    """The request under a cap on its output, and one on its thinking; 0 is none.

    Raises InvalidArgument where it asks for more.
    """
    if request.operation != MESSAGES:
        return request
    changes: dict[str, Any] = {}
    most = read_number(request.fields.get("max_tokens"), "max_tokens")
    if most_output:
        if not most:  # 0 is what some take for nothing said
            changes["max_tokens"] = most = most_output
        elif not 0 < most <= most_output:
            raise InvalidArgument(
                f"max_tokens: this key allows {most_output} output tokens a request", field="max_tokens"
            )
    if most_reasoning and (thinking := _thinking(request.fields, most_reasoning, most)) is not None:
        changes["thinking"] = thinking
    if not changes:
        return request
    body = encode({**request.fields, **changes})
    return msgspec.structs.replace(request, body=body, fields=fields_of(body))


def _thinking(fields: dict[str, msgspec.Raw], most: int, output: int | None) -> dict[str, Any] | None:
    """The field as it must be under a cap; None where it may stay. Raises InvalidArgument where it asks for more."""
    raw = fields.get("thinking")
    try:
        thinking = None if raw is None else _decode_thinking(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument("thinking must be an object", field="thinking") from None
    if not thinking or bytes(thinking.get("type", b"")) == b'"disabled"':
        return None
    budget = read_number(thinking.get("budget_tokens"), _BUDGET)
    if budget is None:  # left to the model
        allowed = most if output is None else min(most, max(1, output - 1))  # the API wants less than the output
        return {**thinking, "type": "enabled", "budget_tokens": allowed}
    if budget > most:
        raise InvalidArgument(f"{_BUDGET}: this key allows {most} tokens of thinking", field=_BUDGET)
    return None
