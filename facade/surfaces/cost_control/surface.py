"""Cost control: access tokens, virtual keys and what they spend. Failures are `{"detail": "…"}`."""

from typing import Any

from facade.problem import Problem
from facade.schema import STRING, obj
from facade.surface import Surface

_SCHEMA = obj(detail=STRING)


def render(problem: Problem) -> dict[str, Any]:
    """A problem as `{"detail": "…"}`, with the field at fault where the words don't name it."""
    name = problem.field_name
    return {"detail": problem.message if not name or name in problem.message else f"{name}: {problem.message}"}


COST_CONTROL = Surface(
    name="cost_control",
    prefix="/api/metrics/",
    also=("/api/admin/virtual-keys", "/api/admin/usage-events", "/api/auth/token"),
    render=render,
    error_schema=_SCHEMA,
    title="Cost control",
)
