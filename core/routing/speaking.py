"""Which of a model's places can answer a request: those whose provider speaks its wire, or one it can be put into.

A route's order is its author's. Where nobody has ordered the places, those come first where nothing can get
lost: on the caller's own wire.
"""

from collections.abc import Sequence

from core.dialects.request import Request
from core.dialects.table import DIALECTS
from core.errors import InvalidArgument
from core.routing.lookup import Candidate
from core.routing.passage import can_translate


def speaking(candidates: Sequence[Candidate], request: Request, *, ordered: bool = False) -> Sequence[Candidate]:
    """The candidates that can be asked. ordered: by the author of a route, who is not contradicted.

    Raises InvalidArgument where there is none.
    """
    operation = request.operation
    if len(candidates) == 1 and operation in candidates[0].upstream.operations:
        return candidates
    able = [
        candidate
        for candidate in candidates
        if operation in candidate.upstream.operations or can_translate(candidate, operation)
    ]
    if not able:
        names = ", ".join(dict.fromkeys(candidate.upstream.target.name for candidate in candidates))
        wire = DIALECTS[operation].title
        raise InvalidArgument(
            f"this request is of the {wire}, which the model's provider ({names[:200]}) does not speak", field="model"
        )
    return able if ordered else sorted(able, key=lambda candidate: operation not in candidate.upstream.operations)
