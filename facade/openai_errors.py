"""OpenAI's error object, for the surfaces that speak its API: its SDKs raise their own exceptions by it."""

from typing import Any

from facade.problem import Problem
from facade.schema import STRING, obj, or_null

# Reason → type and code, as OpenAI's API has them; what is not here is a fault on this side.
KINDS: dict[str, tuple[str, str | None]] = {
    "UNAUTHENTICATED": ("invalid_request_error", "invalid_api_key"),
    "INVALID_CREDENTIALS": ("invalid_request_error", "invalid_api_key"),
    "FORBIDDEN": ("invalid_request_error", "insufficient_permissions"),
    "CROSS_SITE": ("invalid_request_error", "csrf_failed"),
    "NOT_FOUND": ("invalid_request_error", "not_found"),
    "MODEL_NOT_FOUND": ("invalid_request_error", "model_not_found"),
    "UNKNOWN_MODEL": ("invalid_request_error", "model_not_found"),
    "MODEL_REQUIRED": ("invalid_request_error", "missing_required_parameter"),
    "INVALID_ARGUMENT": ("invalid_request_error", None),
    "NO_CHANGES": ("invalid_request_error", "no_changes"),
    "CURRENT_PASSWORD_INCORRECT": ("invalid_request_error", "current_password_incorrect"),
    "PASSWORD_TOO_SHORT": ("invalid_request_error", "new_password_too_short"),
    "EMAIL_EXISTS": ("invalid_request_error", "email_exists"),
    "NAME_EXISTS": ("invalid_request_error", "name_exists"),
    "LAST_ADMIN": ("invalid_request_error", "last_admin"),
    "TOO_LARGE": ("invalid_request_error", "request_too_large"),
    "METHOD_NOT_ALLOWED": ("invalid_request_error", "method_not_allowed"),
    "REQUEST_TIMEOUT": ("invalid_request_error", "request_timeout"),
    "UNSUPPORTED": ("invalid_request_error", "unsupported"),
    "CANCELLED": ("invalid_request_error", "cancelled"),
    "RATE_LIMITED": ("rate_limit_error", "rate_limit_exceeded"),
    "BUDGET_EXCEEDED": ("insufficient_quota", "insufficient_quota"),
    "UNPRICED": ("permission_error", "model_unpriced"),
    "PROVIDER_ERROR": ("server_error", "provider_error"),
    "PROVIDER_TIMEOUT": ("server_error", "provider_timeout"),
    "STREAM_INTERRUPTED": ("server_error", "stream_interrupted"),
    "REFRESH_FAILED": ("server_error", "refresh_failed"),
    "UPSTREAM_STATUS": ("server_error", "provider_error"),
    "UNAVAILABLE": ("server_error", "service_unavailable"),
    "DATABASE_ERROR": ("server_error", "service_unavailable"),
    "DEADLINE_EXCEEDED": ("server_error", "timeout"),
    "UNSPECIFIED": ("server_error", "internal_error"),
    "INTERNAL": ("server_error", "internal_error"),
}
_OTHERWISE = ("server_error", "internal_error")

SCHEMA = obj(error=obj(message=STRING, type=STRING, param=or_null(STRING), code=or_null(STRING)))


def render_response_event(problem: Problem) -> dict[str, Any]:
    """The same as the last event of a stream of the Responses API."""
    error = render(problem)["error"]
    told = {"code": error["code"], "message": error["message"], "param": error["param"]}
    return {"type": "error", "sequence_number": 0, **told}


def render(problem: Problem) -> dict[str, Any]:
    """A problem as OpenAI's error object."""
    kind, code = KINDS.get(problem.reason, _OTHERWISE)
    param = problem.field_name or ("model" if problem.reason in ("MODEL_REQUIRED", "UNKNOWN_MODEL") else None)
    return {"error": {"message": problem.message, "type": kind, "param": param, "code": code}}
