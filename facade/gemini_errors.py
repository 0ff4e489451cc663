"""Google's error object, for the surfaces that speak the Gemini API: its SDKs raise their own exceptions by it.

Source: https://google.aip.dev/193
"""

from collections.abc import Mapping
from typing import Any

from facade.problem import Problem
from facade.schema import ANY_OBJECT, INTEGER, STRING, array, obj

# Reason → the word that Google's APIs have for it; what is not here is a fault on this side.
WORDS = {
    "UNSPECIFIED": "INTERNAL",
    "UNAUTHENTICATED": "UNAUTHENTICATED",
    "INVALID_CREDENTIALS": "UNAUTHENTICATED",
    "FORBIDDEN": "PERMISSION_DENIED",
    "NOT_FOUND": "NOT_FOUND",
    "INVALID_ARGUMENT": "INVALID_ARGUMENT",
    "NO_CHANGES": "INVALID_ARGUMENT",
    "CURRENT_PASSWORD_INCORRECT": "INVALID_ARGUMENT",
    "PASSWORD_TOO_SHORT": "INVALID_ARGUMENT",
    "EMAIL_EXISTS": "ALREADY_EXISTS",
    "NAME_EXISTS": "ALREADY_EXISTS",
    "LAST_ADMIN": "FAILED_PRECONDITION",
    "MODEL_REQUIRED": "INVALID_ARGUMENT",
    "UNKNOWN_MODEL": "INVALID_ARGUMENT",
    "PROVIDER_ERROR": "UNAVAILABLE",
    "PROVIDER_TIMEOUT": "DEADLINE_EXCEEDED",
    "STREAM_INTERRUPTED": "UNAVAILABLE",
    "REFRESH_FAILED": "UNAVAILABLE",
    "UPSTREAM_STATUS": "UNAVAILABLE",
    "RATE_LIMITED": "RESOURCE_EXHAUSTED",
    "BUDGET_EXCEEDED": "RESOURCE_EXHAUSTED",
    "UNPRICED": "PERMISSION_DENIED",
    "TOO_LARGE": "INVALID_ARGUMENT",
    "UNAVAILABLE": "UNAVAILABLE",
    "DATABASE_ERROR": "UNAVAILABLE",
    "CANCELLED": "CANCELLED",
    "DEADLINE_EXCEEDED": "DEADLINE_EXCEEDED",
    "INTERNAL": "INTERNAL",
    "UNSUPPORTED": "UNIMPLEMENTED",
    "CROSS_SITE": "PERMISSION_DENIED",
    "METHOD_NOT_ALLOWED": "INVALID_ARGUMENT",
    "MODEL_NOT_FOUND": "NOT_FOUND",
    "REQUEST_TIMEOUT": "DEADLINE_EXCEEDED",
}
_OTHERWISE = "INTERNAL"
_FORBIDDEN = "PERMISSION_DENIED"

_TYPE = "type.googleapis.com/google.rpc."
_DOMAIN = "llmrouter"

SCHEMA = obj(error=obj(code=INTEGER, message=STRING, status=STRING, details=array(ANY_OBJECT)))


def render(problem: Problem, statuses: Mapping[str, int] | None = None) -> dict[str, Any]:
    """A problem as Google's error object. statuses: reason → HTTP status, where the surface has its own."""
    status = (statuses or {}).get(problem.reason, problem.http_status)
    name = problem.field_name
    message = problem.message if not name or name in problem.message else f"{name}: {problem.message}"
    word = _FORBIDDEN if status == 403 else WORDS.get(problem.reason, _OTHERWISE)
    return {"error": {"code": status, "message": message, "status": word, "details": _details(problem)}}


def _details(problem: Problem) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = [
        {"@type": f"{_TYPE}ErrorInfo", "reason": problem.reason, "domain": _DOMAIN, "metadata": {}}
    ]
    if problem.field_name:
        violation = {"field": problem.field_name, "description": problem.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    if problem.retry_after is not None:
        delay = f"{max(0.0, problem.retry_after):.3f}".rstrip("0").rstrip(".") + "s"
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": delay})
    return details
