"""How much output a request asks for at most, whatever its API calls that, and how many answers.

What a request names under its API's own name is what its provider is told. Other names count beside that: a
server that knows them may let them win, one that does not makes what it likes. A negative number is none, and
0 says nothing, for some servers take it so.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from core.dialects.anthropic.messages import COUNT_TOKENS, MESSAGES
from core.dialects.gemini import caps as gemini_caps
from core.dialects.gemini import generate as gemini
from core.dialects.openai.caps import MAX_TOKENS, NAMES, OUTPUT_NAMES
from core.dialects.openai.chat import CHAT, COMPLETION, EMBEDDING
from core.dialects.passthrough.endpoints import ALL as PASSED_THROUGH
from core.dialects.request import Request
from core.dialects.responses.caps import MAX_OUTPUT
from core.dialects.responses.request import RESPONSES
from core.errors import InvalidArgument

_MOST_CHOICES: Final = 1000
_MOST_TOKENS: Final = 10**9

COUNTS: Final = frozenset({COUNT_TOKENS, gemini.COUNT_TOKENS})
"""Operations that count a prompt, which no provider bills."""
_NO_OUTPUT: Final = COUNTS | {EMBEDDING, gemini.EMBED, gemini.EMBED_ONE, *PASSED_THROUGH}

OWN_NAMES: Final = {CHAT: NAMES, COMPLETION: NAMES, MESSAGES: (MAX_TOKENS,), RESPONSES: (MAX_OUTPUT,)}
"""Operation → the names that its API has."""
_BESIDE: Final = tuple(name for name in OUTPUT_NAMES if name not in NAMES)

_decode = msgspec.json.Decoder(int | float | None).decode


def has_output(request: Request) -> bool:
    """Whether an answer is made of tokens that cost something."""
    return request.operation not in _NO_OUTPUT


def named_output(request: Request) -> int | None:
    """The most output tokens of one answer that a request names; None where it names none. Raises InvalidArgument."""
    if request.operation == gemini.GENERATE:
        named = gemini_caps.named_output(request)
        return min(named, _MOST_TOKENS) if named else None
    return _most(request, OWN_NAMES.get(request.operation, ()))


def named_beside(request: Request) -> int:
    """What it says under names that only some servers know, 0 for nothing. Raises InvalidArgument."""
    return (_most(request, _BESIDE) if request.operation in (CHAT, COMPLETION) else None) or 0


def _most(request: Request, names: Sequence[str]) -> int | None:
    fields = request.fields
    return max((number for name in names if name in fields and (number := _number(fields, name))), default=None)


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
