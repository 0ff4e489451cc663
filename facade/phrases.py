"""The error strings of api-console-openai.md, which the console and the /api/v1 surface share."""

from typing import Any

from facade.problem import Problem
from facade.schema import STRING, obj

PHRASES = {
    "UNSPECIFIED": "internal error",
    "UNAUTHENTICATED": "unauthorized",
    "INVALID_CREDENTIALS": "invalid credentials",
    "FORBIDDEN": "forbidden",
    "NOT_FOUND": "not found",
    "INVALID_ARGUMENT": "invalid payload",
    "NO_CHANGES": "no_changes",
    "CURRENT_PASSWORD_INCORRECT": "current_password_incorrect",
    "PASSWORD_TOO_SHORT": "new_password_too_short",
    "EMAIL_EXISTS": "email exists",
    "NAME_EXISTS": "name exists",
    "LAST_ADMIN": "last admin",
    "MODEL_REQUIRED": "model required",
    "UNKNOWN_MODEL": "unknown model",
    "PROVIDER_ERROR": "provider error",
    "PROVIDER_TIMEOUT": "provider timeout",
    "STREAM_INTERRUPTED": "provider error",
    "REFRESH_FAILED": "refresh_failed",
    "UPSTREAM_STATUS": "provider error",
    "RATE_LIMITED": "too many requests",
    "BUDGET_EXCEEDED": "insufficient_quota",
    "UNPRICED": "this model has no known price",
    "TOO_LARGE": "request too large",
    "UNAVAILABLE": "service unavailable",
    "DATABASE_ERROR": "db error",
    "CANCELLED": "cancelled",
    "DEADLINE_EXCEEDED": "timeout",
    "INTERNAL": "internal error",
    "UNSUPPORTED": "not supported",
    "CROSS_SITE": "csrf_failed",
    "METHOD_NOT_ALLOWED": "method not allowed",
    "MODEL_NOT_FOUND": "not found",
    "REQUEST_TIMEOUT": "request timeout",
}

SCHEMA = obj(error=STRING)


def render(problem: Problem) -> dict[str, Any]:
    """A problem as `{"error": "…"}`; what has no phrase speaks for itself."""
    return {"error": PHRASES.get(problem.reason, problem.message)}
