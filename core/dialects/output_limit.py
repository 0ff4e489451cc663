"""How much output a request asks for at most, whatever its API calls that, and how many answers.

What a request names under one of these names is what its provider may make; a negative number is none.
"""

from typing import Final

import msgspec

from core.dialects.anthropic.messages import COUNT_TOKENS, MESSAGES
from core.dialects.gemini import caps as gemini_caps
from core.dialects.gemini import generate as gemini
from core.dialects.openai.caps import OUTPUT_NAMES
from core.dialects.openai.chat import EMBEDDING
from core.dialects.passthrough.endpoints import ALL as PASSED_THROUGH
from core.dialects.request import Request
from core.dialects.responses.request import RESPONSES
from core.errors import InvalidArgument

_MOST_CHOICES: Final = 1000
_MOST_TOKENS: Final = 10**9

_NO_OUTPUT: Final = frozenset(
    {EMBEDDING, COUNT_TOKENS, gemini.EMBED, gemini.EMBED_ONE, gemini.COUNT_TOKENS, *PASSED_THROUGH}
)

_decode = msgspec.json.Decoder(int | float | None).decode


def has_output(request: Request) -> bool:
    """Whether an answer is made of tokens that cost something."""
    return request.operation not in _NO_OUTPUT


def named_output(request: Request) -> int | None:
    """The most output tokens of one answer that a request names; None where it names none. Raises InvalidArgument."""
    if request.operation == gemini.GENERATE:
        named = gemini_caps.named_output(request)
        return None if named is None else min(named, _MOST_TOKENS)
    fields = request.fields
    named = [number for name in OUTPUT_NAMES if name in fields and (number := _number(fields, name)) is not None]
    return max(named, default=None)


def choices(request: Request) -> int:
    """How many answers a request asks for. Raises InvalidArgument."""
    if request.operation == gemini.GENERATE:
        return min(gemini_caps.choices(request), _MOST_CHOICES)
    fields = request.fields
    if request.operation in (MESSAGES, RESPONSES) or ("n" not in fields and "best_of" not in fields):
        return 1
    asked = max(_number(fields, name) or 1 for name in ("n", "best_of") if name in fields)
    return min(max(1, asked), _MOST_CHOICES)


def _number(fields: dict[str, msgspec.Raw], name: str) -> int | None:
    """A whole number; None for null. Raises InvalidArgument for what is no maximum."""
    try:
        value = _decode(fields[name])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = 0.5
    if value is None:
        return None
    if value < 0 or value != int(value):
        raise InvalidArgument(f"{name} must be a whole number under a budget", field=name)
    return min(int(value), _MOST_TOKENS)
