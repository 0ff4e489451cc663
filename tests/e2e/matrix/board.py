"""The cells' outcomes, told by their tests and printed as a matrix when all are done.

ok       it works                        refused  it can't be done: a 400 that names the field; left out, it works
–        the dialect can't ask for it    FAILED   what the test says
"""

from collections.abc import Iterable
from typing import Any, Final

import pytest

FEATURES: Final = ("plain", "stream", "tools", "streamed tools", "image", "structured", "thinking", "error")
OK, REFUSED, NOTHING, FAILED = "ok", "refused", "–", "FAILED"

_CELL: Final = "matrix cell"
_OUTCOME: Final = "matrix outcome"


def note(request: pytest.FixtureRequest, caller: str, row: str, feature: str) -> None:
    """Says which cell a test is."""
    request.node.user_properties.append((_CELL, (caller, row, feature)))


def outcome(request: pytest.FixtureRequest, word: str) -> None:
    """Says what came of it."""
    request.node.user_properties.append((_OUTCOME, word))


def lines(reports: Iterable[pytest.TestReport]) -> list[str]:
    """The matrix of these tests: a line for each caller and provider."""
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for report in reports:
        told: dict[str, Any] = dict(report.user_properties)
        if _CELL not in told:
            continue
        caller, row, feature = told[_CELL]
        word = told.get(_OUTCOME, OK) if report.passed else FAILED
        cells.setdefault((caller, row), {})[feature] = word
    if not cells:
        return []
    columns = [name for name in (*FEATURES, "embeddings") if any(name in found for found in cells.values())]
    head = f"{'caller':13}{'provider':15}" + "".join(f"{name:16}" for name in columns)
    body = [
        f"{caller:13}{row:15}" + "".join(f"{found.get(name, ''):16}" for name in columns)
        for (caller, row), found in cells.items()
    ]
    return [line.rstrip() for line in (head, *body)]
