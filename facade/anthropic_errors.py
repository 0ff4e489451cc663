"""Anthropic's error object, for the surfaces that speak its API: its SDKs raise their own exceptions by it."""

from collections.abc import Mapping
from typing import Any

from facade.problem import Problem
from facade.schema import STRING, obj

EVENT = "error"
"""The event that ends a stream that failed."""

REQUEST_ID = "request-id"
"""The header in which the SDKs look for a request's id."""

# HTTP status → type, as Anthropic's API has them; what is not here is a fault on this side.
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    499: "invalid_request_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_OTHERWISE = "api_error"

SCHEMA = obj(type={"type": "string", "const": "error"}, error=obj(type=STRING, message=STRING))


def render(problem: Problem, statuses: Mapping[str, int] | None = None) -> dict[str, Any]:
    """A problem as Anthropic's error object. statuses: reason → HTTP status, where the surface has its own."""
    status = (statuses or {}).get(problem.reason, problem.http_status)
    name = problem.field_name
    message = problem.message if not name or name in problem.message else f"{name}: {problem.message}"
    return {"type": "error", "error": {"type": KINDS.get(status, _OTHERWISE), "message": message}}
