"""What can go wrong, in the words of the business.

RouterError
├─ Unauthenticated              no credential, or one that does not count any more
├─ InvalidCredentials           wrong password or unknown account
├─ Forbidden                    known, but may not
├─ NotFound                     does not exist, or belongs to somebody else
├─ InvalidArgument              a field is missing, of the wrong type or out of range
│  ├─ NoChanges                 an update that changes nothing
│  ├─ CurrentPasswordIncorrect
│  ├─ PasswordTooShort
│  ├─ ModelRequired
│  └─ TooLarge
├─ EmailExists · NameExists     somebody was first
├─ LastAdmin                    nobody would be left to administer
├─ UnknownModel                 no enabled provider serves it
├─ ProviderError                no usable answer from a provider
│  ├─ ProviderTimeout
│  ├─ StreamInterrupted         the answer broke off
│  ├─ RefreshFailed             the list of models could not be read
│  └─ UpstreamStatus            the provider's own error answer
├─ RateLimited                  come back later
├─ BudgetExceeded               no budget of the request has room for it
├─ Unpriced                     what it would cost is not known, and a budget caps it
├─ Unavailable                  starting, stopping or overloaded
│  └─ DatabaseError
├─ Cancelled · DeadlineExceeded the caller went away, or its time was up
├─ Unsupported                  can't be done here
└─ Internal                     a fault of ours

Code that raises one knows no status code: core/rpc/errors.py turns errors into gRPC statuses, and
the facade turns those into HTTP.
"""

from collections.abc import Mapping
from typing import ClassVar


class RouterError(Exception):
    """The root of the tree.

    `message` is for the caller, so it holds no secret and no internal path; the private cause goes
    into the exception chain (`raise … from cause`). `metadata` is for programs.
    """

    reason: ClassVar[str] = "INTERNAL"  # a name of llmrouter.v1.ErrorReason
    default_message: ClassVar[str] = "internal error"

    def __init__(
        self,
        message: str = "",
        *,
        field: str = "",
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message
        self.field = field
        self.retry_after = retry_after  # seconds
        self.metadata: Mapping[str, str] = metadata or {}


class Unauthenticated(RouterError):
    reason = "UNAUTHENTICATED"
    default_message = "unauthorized"


class InvalidCredentials(RouterError):
    reason = "INVALID_CREDENTIALS"
    default_message = "invalid credentials"


class Forbidden(RouterError):
    reason = "FORBIDDEN"
    default_message = "forbidden"


class NotFound(RouterError):
    reason = "NOT_FOUND"
    default_message = "not found"


class InvalidArgument(RouterError):
    reason = "INVALID_ARGUMENT"
    default_message = "invalid payload"


class NoChanges(InvalidArgument):
    reason = "NO_CHANGES"
    default_message = "no changes"


class CurrentPasswordIncorrect(InvalidArgument):
    reason = "CURRENT_PASSWORD_INCORRECT"
    default_message = "the current password is incorrect"


class PasswordTooShort(InvalidArgument):
    reason = "PASSWORD_TOO_SHORT"
    default_message = "the password must have 6 characters or more"


class ModelRequired(InvalidArgument):
    reason = "MODEL_REQUIRED"
    default_message = "model required"


class TooLarge(InvalidArgument):
    reason = "TOO_LARGE"
    default_message = "the request is too large"


class EmailExists(RouterError):
    reason = "EMAIL_EXISTS"
    default_message = "email exists"


class NameExists(RouterError):
    reason = "NAME_EXISTS"
    default_message = "name exists"


class LastAdmin(RouterError):
    reason = "LAST_ADMIN"
    default_message = "the last enabled administrator can't be removed, disabled or demoted"


class UnknownModel(RouterError):
    reason = "UNKNOWN_MODEL"
    default_message = "unknown model"


class ProviderError(RouterError):
    reason = "PROVIDER_ERROR"
    default_message = "provider error"


class ProviderTimeout(ProviderError):
    reason = "PROVIDER_TIMEOUT"
    default_message = "the provider did not answer in time"


class StreamInterrupted(ProviderError):
    reason = "STREAM_INTERRUPTED"
    default_message = "the provider's stream ended before it was complete"


class RefreshFailed(ProviderError):
    reason = "REFRESH_FAILED"
    default_message = "the provider's models could not be read"


class UpstreamStatus(ProviderError):
    """The provider answered with an error of its own, to be mirrored.

    status: its HTTP status; body: what it said, bounded by the transport; content_type: of the body;
    metadata: what else programs may want to know of it, beside the status.
    """

    reason = "UPSTREAM_STATUS"
    default_message = "the provider answered with an error"

    def __init__(
        self,
        message: str = "",
        *,
        status: int,
        body: bytes = b"",
        content_type: str = "application/json",
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after, metadata={"http_status": str(status), **(metadata or {})})
        self.status = status
        self.body = body
        self.content_type = content_type


class RateLimited(RouterError):
    """Too much was asked for.

    subject: the kind of scope whose limit it is, "" where that is nobody's business; counted: what the limit
    counts, such as requests_per_minute; limit, remaining: how many there are, and are left; reset: seconds
    until nothing of what is counted now is counted any more.
    """

    reason = "RATE_LIMITED"
    default_message = "too many requests"

    def __init__(
        self,
        message: str = "",
        *,
        field: str = "",
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
        subject: str = "",
        counted: str = "",
        limit: int = 0,
        remaining: int = 0,
        reset: float = 0.0,
    ) -> None:
        super().__init__(message, field=field, retry_after=retry_after, metadata=metadata)
        self.subject = subject
        self.counted = counted
        self.limit = limit
        self.remaining = remaining
        self.reset = reset


class BudgetExceeded(RouterError):
    """A budget has no room for a request.

    scope_kind, scope_id and period: which budget; metadata has them too.
    """

    reason = "BUDGET_EXCEEDED"
    default_message = "the budget is used up"

    def __init__(
        self,
        message: str = "",
        *,
        scope_kind: str = "",
        scope_id: str = "",
        period: str = "",
        retry_after: float | None = None,
    ) -> None:
        named = {"scope_kind": scope_kind, "scope_id": scope_id, "period": period}
        super().__init__(
            message, retry_after=retry_after, metadata={name: value for name, value in named.items() if value}
        )
        self.scope_kind = scope_kind
        self.scope_id = scope_id
        self.period = period


class Unpriced(RouterError):
    reason = "UNPRICED"
    default_message = "this model has no known price, and a budget caps what may be spent"


class Unavailable(RouterError):
    reason = "UNAVAILABLE"
    default_message = "the service is not available right now"


class DatabaseError(Unavailable):
    reason = "DATABASE_ERROR"
    default_message = "the database did not answer"


class Cancelled(RouterError):
    reason = "CANCELLED"
    default_message = "the request was cancelled"


class DeadlineExceeded(RouterError):
    reason = "DEADLINE_EXCEEDED"
    default_message = "the request's time was up"


class Unsupported(RouterError):
    reason = "UNSUPPORTED"
    default_message = "this can't be done here"


class Internal(RouterError):
    pass
