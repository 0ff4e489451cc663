"""How much a request of the Gemini wire asks for at most, and a key's caps on that: its output, and its thinking.

The numbers stand in `generationConfig`. What a model thinks is part of its output there, and is its own to
choose where a request says nothing of it, or -1; under a cap one that speaks of thinking is given the cap.
"""

from typing import Any, Final

import msgspec

from core.dialects.gemini.generate import GENERATE
from core.dialects.gemini.naming import camelled
from core.dialects.request import Request, encode, fields_of, read_number
from core.errors import InvalidArgument

_CONFIG: Final = "generationConfig"
_OUTPUT: Final = "generationConfig.maxOutputTokens"
_CHOICES: Final = "generationConfig.candidateCount"
_BUDGET: Final = "generationConfig.thinkingConfig.thinkingBudget"

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def named_output(request: Request) -> int | None:
    """The most output tokens of one answer that a request names. Raises InvalidArgument."""
    return read_number(_config(request.fields).get("maxOutputTokens"), _OUTPUT)


def choices(request: Request) -> int:
    """How many answers a request asks for. Raises InvalidArgument."""
    return max(1, read_number(_config(request.fields).get("candidateCount"), _CHOICES) or 1)


def limited(request: Request, most_output: int, most_reasoning: int) -> Request:
    """The request under a cap on its output, and one on its thinking; 0 is none.

    Raises InvalidArgument where it asks for more.
    """
    if request.operation != GENERATE:
        return request
    config = _config(request.fields)
    changes: dict[str, Any] = {}
    if most_output:
        answers, named = choices(request), named_output(request)
        if not 0 < (named or 1) * answers <= most_output:
            raise InvalidArgument(f"{_OUTPUT}: this key allows {most_output} output tokens a request", field=_OUTPUT)
        if not named:
            changes["maxOutputTokens"] = most_output // answers
    if most_reasoning and (thinking := _thinking(config, most_reasoning)) is not None:
        changes["thinkingConfig"] = thinking
    if not changes:
        return request
    body = encode({**request.fields, _CONFIG: {**config, **changes}})
    return msgspec.structs.replace(request, body=body, fields=fields_of(body))


def with_limit(request: Request, body: bytes, name: str) -> bytes:
    """The body for a provider with the request's limit in it, where it names none of its own; name: is one for all."""
    del name
    if named_output(request):
        return body
    fields = fields_of(camelled(body))
    return encode({**fields, _CONFIG: {**_config(fields), "maxOutputTokens": request.output_limit}})


def _thinking(config: dict[str, msgspec.Raw], most: int) -> dict[str, Any] | None:
    """The field as it must be under a cap; None where it may stay. Raises InvalidArgument where it asks for more."""
    thinking = _object(config.get("thinkingConfig"), "generationConfig.thinkingConfig")
    if not thinking:
        return None
    budget = read_number(thinking.get("thinkingBudget"), _BUDGET)
    if budget is not None and budget > most:
        raise InvalidArgument(f"{_BUDGET}: this key allows {most} tokens of thinking", field=_BUDGET)
    if (budget is None and "thinkingLevel" not in thinking) or (budget is not None and budget < 0):
        return {**thinking, "thinkingBudget": most}
    return None


def _config(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    return _object(fields.get(_CONFIG), _CONFIG)


def _object(raw: msgspec.Raw | None, name: str) -> dict[str, msgspec.Raw]:
    try:
        return (_decode_object(raw) if raw is not None else None) or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument(f"{name} must be an object", field=name) from None
