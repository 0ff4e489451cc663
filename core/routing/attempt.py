"""One attempt at one provider: up to the moment from which there is no way back.

For a plain answer that is the whole body; for a stream it is its first event. Everything that goes
wrong before is a failure that the next provider can make good.
"""

from dataclasses import dataclass

from core.dialects.dialect import Dialect, Meter
from core.dialects.openai_caps import with_limit
from core.dialects.request import Request
from core.dialects.table import DIALECTS
from core.dialects.tokens import NO_TOKENS, Tokens
from core.errors import ProviderError, UpstreamStatus
from core.providers.upstream import Reply
from core.providers.vendors import output_field
from core.providers.wire import Headers
from core.routing.lookup import Candidate

_MAX_ERROR_BODY = 256 * 1024
# What comes before the first event is passed on with it, unless it is more than this.
_MAX_COMMENTS = 64 * 1024

# The next provider may do better: our key, our balance or the model's name is wrong there, or it is
# overloaded or broken.
_FALL_BACK = frozenset({401, 402, 403, 404, 408, 409, 425, 429})
# The same provider may do better in a moment.
_TRY_AGAIN = frozenset({429, 502, 503, 529})


@dataclass(slots=True)
class Whole:
    """A complete answer."""

    reply: Reply
    body: bytes
    tokens: Tokens


@dataclass(slots=True)
class Begun:
    """A stream whose first event is there."""

    reply: Reply
    first: bytes
    meter: Meter


def falls_back(status: int) -> bool:
    """Whether another provider may do better."""
    return status in _FALL_BACK or status >= 500


def try_again(error: ProviderError) -> bool:
    """Whether the same provider may do better in a moment."""
    return error.status in _TRY_AGAIN if isinstance(error, UpstreamStatus) else True


async def attempt(candidate: Candidate, request: Request, headers: Headers = ()) -> Whole | Begun:
    """Asks one provider. headers: the caller's that may be passed on.

    Raises ProviderError where there is no usable answer, UpstreamStatus where there is an error
    answer that another provider may make good. Other error answers are answers.
    """
    upstream = candidate.upstream
    dialect = DIALECTS[request.operation]
    ask_usage = upstream.asks_usage and request.streamed
    body = dialect.upstream_body(request, candidate.model, ask_usage=ask_usage)
    if request.output_limit:
        body = with_limit(request, body, output_field(upstream.target.type))
    reply = await upstream.send(request.operation, body, headers)
    try:
        if reply.status != 200:
            return await _not_ok(reply, upstream.target.api_key)
        if request.streamed and reply.content_type.startswith("text/event-stream"):
            return await _begin(reply, dialect, hide_usage=ask_usage and not request.wants_usage)
        return await _whole(reply, dialect, request)
    except BaseException:
        reply.close()
        raise


async def _not_ok(reply: Reply, api_key: str) -> Whole:
    """An error answer, as it came but for our key."""
    body = await reply.read()
    if api_key and api_key.encode() in body:
        body = body.replace(api_key.encode(), b"***")
    if len(body) > _MAX_ERROR_BODY:
        body = body[:_MAX_ERROR_BODY]
    if 300 <= reply.status < 400:
        raise ProviderError("the provider answered with a redirect; check its base URL")
    if falls_back(reply.status):
        raise UpstreamStatus(
            status=reply.status, body=body, content_type=reply.content_type, retry_after=reply.retry_after
        )
    return Whole(reply, body, NO_TOKENS)


async def _whole(reply: Reply, dialect: Dialect, request: Request) -> Whole:
    body = await reply.read()
    try:
        return Whole(reply, body, dialect.answer_tokens(request, body))
    except ValueError as error:
        raise ProviderError("the provider's answer was not JSON; check its base URL") from error


async def _begin(reply: Reply, dialect: Dialect, *, hide_usage: bool) -> Begun:
    """Waits for the first event: comments keep a connection alive, and say nothing yet."""
    meter = dialect.meter(hide_usage=hide_usage)
    first = b""
    while not _has_event(first):
        if reply.over:
            first += meter.end()
            if not _has_event(first):
                raise ProviderError("the provider's stream ended before it began")
            break
        await reply.more()
        first = (first if len(first) < _MAX_COMMENTS else b"") + meter.feed(reply.arrived())
    failure = dialect.first_failure(first)
    if failure is not None and falls_back(failure[0]):  # some find out after they have sent their 200
        raise UpstreamStatus(status=failure[0], body=failure[1])
    return Begun(reply, first, meter)


def _has_event(data: bytes) -> bool:
    return data.startswith(b"data:") or b"\ndata:" in data
