"""What went wrong with a request, apart from how a surface says it.

gRPC status (RPC error or relay failure) ─► Problem ─► the surface's own JSON
"""

import json
from dataclasses import dataclass, field
from typing import Any, cast

import grpc.aio
from google.rpc import error_details_pb2, status_pb2

# Reason (llmrouter.v1.ErrorReason without its prefix) → HTTP status.
STATUSES = {
    "UNSPECIFIED": 500,
    "UNAUTHENTICATED": 401,
    "INVALID_CREDENTIALS": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "INVALID_ARGUMENT": 400,
    "NO_CHANGES": 400,
    "CURRENT_PASSWORD_INCORRECT": 400,
    "PASSWORD_TOO_SHORT": 400,
    "EMAIL_EXISTS": 409,
    "NAME_EXISTS": 409,
    "LAST_ADMIN": 409,
    "MODEL_REQUIRED": 400,
    "UNKNOWN_MODEL": 400,
    "PROVIDER_ERROR": 502,
    "PROVIDER_TIMEOUT": 504,
    "STREAM_INTERRUPTED": 502,
    "REFRESH_FAILED": 502,
    "UPSTREAM_STATUS": 502,
    "RATE_LIMITED": 429,
    "BUDGET_EXCEEDED": 429,
    "UNPRICED": 403,
    "TOO_LARGE": 413,
    "UNAVAILABLE": 503,
    "DATABASE_ERROR": 503,
    "CANCELLED": 499,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL": 500,
    "UNSUPPORTED": 501,
    # What the facade itself finds; the core has no such reasons.
    "CROSS_SITE": 403,
    "METHOD_NOT_ALLOWED": 405,
    "MODEL_NOT_FOUND": 404,
    "REQUEST_TIMEOUT": 408,
}

# For statuses that gRPC itself makes, without ErrorInfo.
_REASONS_OF_CODES = {
    grpc.StatusCode.UNAVAILABLE: "UNAVAILABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
    grpc.StatusCode.CANCELLED: "CANCELLED",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "TOO_LARGE",
    grpc.StatusCode.UNIMPLEMENTED: "UNSUPPORTED",
}
_MESSAGES_OF_REASONS = {
    "UNAVAILABLE": "the service is not available right now",
    "DEADLINE_EXCEEDED": "the request's time was up",
    "TOO_LARGE": "the request is too large",
}


@dataclass(slots=True)  # not frozen: context managers set the traceback of what passes through them
class Problem(Exception):
    """Why a request failed. `message` is safe to show to the caller."""

    reason: str
    message: str
    field_name: str = ""  # which field of the request is at fault
    retry_after: float | None = None  # seconds
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    status: int = 0  # the HTTP status where it is not the reason's own

    __hash__ = Exception.__hash__

    @property
    def http_status(self) -> int:
        return self.status or STATUSES.get(self.reason, 500)


def from_status(data: bytes) -> Problem:
    """The problem in a serialised google.rpc.Status."""
    status = status_pb2.Status.FromString(data)
    info, request, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    reason, violated, retry_after = "INTERNAL", "", None
    for detail in status.details:
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(request) and request.field_violations:
            violated = request.field_violations[0].field
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToMilliseconds() / 1000
    return Problem(reason, status.message, violated, retry_after, dict(info.metadata))


def from_rpc_error(error: grpc.aio.AioRpcError) -> Problem:
    """The problem in a failed RPC. What gRPC itself says of connections is not for callers."""
    for key, value in cast("Any", error.trailing_metadata()) or ():
        if key == "grpc-status-details-bin":
            return from_status(value)
    reason = _REASONS_OF_CODES.get(error.code(), "INTERNAL")
    return Problem(reason, _MESSAGES_OF_REASONS.get(reason, "internal error"))


def dumps(body: Any) -> bytes:
    """JSON as the facade writes it: compact, in UTF-8."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
