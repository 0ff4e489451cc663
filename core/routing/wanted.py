"""How much output a request asks for: read once, for its limits and for its budgets."""

from typing import NamedTuple

from core.dialects.openai.caps import OUTPUT_NAMES
from core.dialects.output_limit import OWN_NAMES, choices, has_output, named_beside, named_output
from core.dialects.request import Request

_GEMINI = "generationConfig"  # which has both in it
_NAMES = frozenset((*OUTPUT_NAMES, _GEMINI))
_COUNTS = frozenset(("n", "best_of", _GEMINI))
_DIGITS = 9  # no number of so many is more than any maximum


class Wanted(NamedTuple):
    """Tokens of one answer, and answers."""

    named: int | None  # None where the request names no maximum
    choices: int  # 0 where no answer is made of tokens
    beside: int = 0  # under names that the provider may know or not


_NOTHING = Wanted(0, 0)


def wanted(request: Request) -> Wanted:
    """What a request asks for. Raises InvalidArgument where that is not a number."""
    if not has_output(request):
        return _NOTHING
    fields = request.fields
    names, named, beside = _NAMES.intersection(fields), None, 0
    if names:
        # Mostly it is one name with a plain number; the rest is judged where all of it is known.
        name = next(iter(names))
        text = bytes(fields[name]) if len(names) == 1 and name in OWN_NAMES.get(request.operation, ()) else b"0"
        if text.isdigit() and len(text) <= _DIGITS and text != b"0":
            named = int(text)
        else:
            named, beside = named_output(request), named_beside(request)
    return Wanted(named, 1 if _COUNTS.isdisjoint(fields) else choices(request), beside)
