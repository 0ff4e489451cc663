"""Paths that two documents describe, with different errors: what answers there is the union of both."""

from typing import Any

from facade import phrases
from facade.problem import Problem
from facade.schema import STRING, obj
from facade.surface import Surface


def render(problem: Problem) -> dict[str, Any]:
    """A problem in the console's fixed words, and as a sentence."""
    return {**phrases.render(problem), "detail": problem.message}


SHARED = Surface(
    name="shared",
    prefix="/api/auth/me",
    render=render,
    error_schema=obj(error=STRING, detail=STRING),
    title="What two documents describe",
)
