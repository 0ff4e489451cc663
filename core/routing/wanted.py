"""How much output a request asks for: read once, for its limits and for its budgets."""

from typing import NamedTuple

from core.dialects.openai.caps import OUTPUT_NAMES
from core.dialects.output_limit import choices, has_output, named_output
from core.dialects.request import Request

_GEMINI = "generationConfig"  # which has both in it
_NAMES = frozenset((*OUTPUT_NAMES, _GEMINI))
_COUNTS = frozenset(("n", "best_of", _GEMINI))
_DIGITS = 9  # no number of so many is more than any maximum


class Wanted(NamedTuple):
    """Tokens of one answer, and answers."""

    named: int | None  # None where the request names no maximum
    choices: int  # 0 where no answer is made of tokens


_NOTHING = Wanted(0, 0)


def wanted(request: Request) -> Wanted:
    """What a request asks for. Raises InvalidArgument where that is not a number."""
    if not has_output(request):
        return _NOTHING
    fields = request.fields
    names, named = _NAMES.intersection(fields), None
    if names:
        # Mostly it is one name with a plain number; the rest is judged where all of it is known.
        text = bytes(fields[next(iter(names))]) if len(names) == 1 else b""
        named = int(text) if text.isdigit() and len(text) <= _DIGITS else named_output(request)
    return Wanted(named, 1 if _COUNTS.isdisjoint(fields) else choices(request))
