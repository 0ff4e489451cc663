"""Errors as gRPC statuses: one table, and the walls that keep everything else inside.

Every status carries google.rpc.ErrorInfo (the reason, domain "llmrouter"), and RetryInfo or
BadRequest where they fit. Whatever is not a RouterError is a fault of ours: its text goes to the
log, and the caller gets INTERNAL with the request's id.
"""

import logging
from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from core import errors

DOMAIN = "llmrouter"

log = logging.getLogger(__name__)

CODES: dict[type[errors.RouterError], grpc.StatusCode] = {
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.InvalidCredentials: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NoChanges: grpc.StatusCode.INVALID_ARGUMENT,
    errors.CurrentPasswordIncorrect: grpc.StatusCode.INVALID_ARGUMENT,
    errors.PasswordTooShort: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ModelRequired: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TooLarge: grpc.StatusCode.INVALID_ARGUMENT,
    errors.EmailExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.NameExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.LastAdmin: grpc.StatusCode.FAILED_PRECONDITION,
    errors.UnknownModel: grpc.StatusCode.NOT_FOUND,
    errors.ProviderError: grpc.StatusCode.UNAVAILABLE,
    errors.ProviderTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.StreamInterrupted: grpc.StatusCode.ABORTED,
    errors.RefreshFailed: grpc.StatusCode.UNAVAILABLE,
    errors.UpstreamStatus: grpc.StatusCode.UNAVAILABLE,
    errors.RateLimited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.BudgetExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unpriced: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DatabaseError: grpc.StatusCode.UNAVAILABLE,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Unsupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.Internal: grpc.StatusCode.INTERNAL,
}

# What a provider's own error answer means to a gRPC caller.
_UPSTREAM_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.FAILED_PRECONDITION,  # our key at the provider is wrong, not the caller's here
    403: grpc.StatusCode.FAILED_PRECONDITION,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def code_of(error: errors.RouterError) -> grpc.StatusCode:
    """The gRPC code of an error."""
    if isinstance(error, errors.UpstreamStatus):
        return _UPSTREAM_CODES.get(error.status, grpc.StatusCode.UNAVAILABLE)
    return CODES[type(error)]


def status_of(error: errors.RouterError) -> status_pb2.Status:
    """The whole status of an error, for `grpc-status-details-bin` and for the relay's failures."""
    details: list[Any] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata))
    ]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=error.field, description=error.message)
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, errors.RateLimited) and error.subject:
        limited = error_details_pb2.QuotaFailure.Violation(subject=error.subject, description=error.message)
        details.append(error_details_pb2.QuotaFailure(violations=[limited]))
    if isinstance(error, errors.BudgetExceeded) and error.scope_kind:
        subject = f"{error.scope_kind}:{error.scope_id}" if error.scope_id else error.scope_kind
        exceeded = error_details_pb2.QuotaFailure.Violation(subject=subject, description=error.message)
        details.append(error_details_pb2.QuotaFailure(violations=[exceeded]))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    packed: list[any_pb2.Any] = []
    for detail in details:
        wrapper = any_pb2.Any()
        wrapper.Pack(detail)
        packed.append(wrapper)
    return status_pb2.Status(code=code_of(error).value[0], message=error.message, details=packed)


def known(error: BaseException, request_id: str) -> errors.RouterError:
    """The error itself where it is one of ours, else Internal; the cause of that goes to the log."""
    if isinstance(error, errors.RouterError):
        return error
    log.error("a fault in the router", exc_info=error, extra={"request_id": request_id})
    return errors.Internal(f"internal error; request id {request_id}")


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: errors.RouterError) -> None:
    """Ends an RPC with the error's status. Does not return."""
    status = status_of(error)
    trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code_of(error), error.message, trailing_metadata=trailers)
