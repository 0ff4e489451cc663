"""Which of a model's places can answer a request as it is written: those whose provider speaks its wire.

This is where translation between the wires will find its place: a candidate that speaks another one.
"""

from collections.abc import Sequence

from core.dialects.request import Request
from core.dialects.table import DIALECTS
from core.errors import InvalidArgument
from core.routing.lookup import Candidate


def speaking(candidates: Sequence[Candidate], request: Request) -> Sequence[Candidate]:
    """The candidates that speak the request's wire, in their order. Raises InvalidArgument where none does."""
    operation = request.operation
    if len(candidates) == 1 and operation in candidates[0].upstream.operations:
        return candidates
    able = [candidate for candidate in candidates if operation in candidate.upstream.operations]
    if not able:
        names = ", ".join(dict.fromkeys(candidate.upstream.target.name for candidate in candidates))
        wire = DIALECTS[operation].title
        raise InvalidArgument(
            f"this request is of the {wire}, which the model's provider ({names[:200]}) does not speak", field="model"
        )
    return able
