"""One attempt at one provider: up to the moment from which there is no way back.

For a plain answer that is the whole body; for a stream it is its first event. Everything that goes
wrong before is a failure that the next provider can make good.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.dialects.dialect import Meter
from core.dialects.reported_error import is_json
from core.dialects.request import Request
from core.dialects.sides import ErrorAnswer
from core.dialects.tokens import NO_TOKENS, Tokens
from core.errors import ProviderError, UpstreamStatus
from core.providers.upstream import Reply
from core.routing.lookup import Candidate
from core.routing.passage import Passage, passage
from core.routing.reply import Ask
from core.routing.scrubbing import scrubbed

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

    status: int
    content_type: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    tokens: Tokens


@dataclass(slots=True)
class Begun:
    """A stream whose first event is there."""

    reply: Reply
    content_type: str
    headers: Sequence[tuple[str, str]]
    first: bytes
    meter: Meter


def falls_back(status: int) -> bool:
    """Whether another provider may do better."""
    return status in _FALL_BACK or status >= 500


def try_again(error: ProviderError) -> bool:
    """Whether the same provider may do better in a moment."""
    return error.status in _TRY_AGAIN if isinstance(error, UpstreamStatus) else True


async def attempt(candidate: Candidate, request: Request, ask: Ask, created: int) -> Whole | Begun:
    """Asks one provider. ask: as which the request came; created: when, in seconds since 1970.

    Raises ProviderError where there is no usable answer, UpstreamStatus where there is an error
    answer that another provider may make good. Other error answers are answers. Raises InvalidArgument
    where the request can't be said to the provider.
    """
    upstream = candidate.upstream
    way = passage(candidate, request, ask, created)
    reply = await upstream.send(way.operation, way.body, ask.headers, model=candidate.model, streamed=request.streamed)
    try:
        api_key = upstream.target.api_key
        if reply.status != 200:
            return await _not_ok(reply, way, api_key)
        if request.streamed and reply.content_type.startswith(way.stream_type):
            return await _begin(reply, way)
        return await _whole(reply, way, api_key, streamed=request.streamed)
    except BaseException:
        reply.close()
        raise


async def _not_ok(reply: Reply, way: Passage, api_key: str) -> Whole:
    """An error answer, as it came but for our key; of what is no JSON, such as a proxy's page, its status alone."""
    body = scrubbed(await reply.read(), api_key)
    if len(body) > _MAX_ERROR_BODY:
        body = body[:_MAX_ERROR_BODY]
    if 300 <= reply.status < 400:
        raise ProviderError("the provider answered with a redirect; check its base URL")
    if reply.status >= 400 and not is_json(body):
        body = b""
    return _failed(way.error(reply.status, body, reply.retry_after), reply, way)


def _failed(failure: ErrorAnswer, reply: Reply, way: Passage) -> Whole:
    """An error that is the answer. Raises UpstreamStatus where another provider may make it good."""
    content_type = failure.content_type or way.content_type or reply.content_type
    if falls_back(failure.status):
        raise UpstreamStatus(
            status=failure.status, body=failure.body, content_type=content_type, retry_after=failure.retry_after
        )
    return Whole(failure.status, content_type, _headers(reply, way), failure.body, NO_TOKENS)


async def _whole(reply: Reply, way: Passage, api_key: str, *, streamed: bool) -> Whole | Begun:
    """A whole answer; streamed: the caller asked for a stream, which it is made into where that can be done."""
    body = await reply.read()
    if (failure := way.reported(body)) is not None:
        return _failed(failure._replace(body=scrubbed(failure.body, api_key)), reply, way)
    if streamed and way.stream_type and (made := way.streamed(body)) is not None:
        first, meter = made
        return Begun(reply, way.event_type or way.stream_type, _headers(reply, way), first, meter)
    body, tokens = way.whole(body)
    return Whole(reply.status, way.content_type or reply.content_type, _headers(reply, way), body, tokens)


async def _begin(reply: Reply, way: Passage) -> Begun:
    """Waits for the first event, or for any byte of what has none: comments only keep a connection alive."""
    meter = way.meter()
    first = b""
    begun = _has_event if way.stream_type else bool
    while not begun(first):
        if reply.over:
            first += meter.end()
            if not begun(first):
                raise ProviderError("the provider's stream ended before it began")
            break
        await reply.more()
        first = (first if len(first) < _MAX_COMMENTS else b"") + meter.feed(reply.arrived())
    failure = way.first_failure(first, meter)
    if failure is not None and falls_back(failure.status):  # some find out after they have sent their 200
        raise UpstreamStatus(status=failure.status, body=failure.body, retry_after=failure.retry_after)
    return Begun(reply, way.event_type or reply.content_type, _headers(reply, way), first, meter)


def _headers(reply: Reply, way: Passage) -> Sequence[tuple[str, str]]:
    return (*reply.headers, *way.told) if way.told else reply.headers


def _has_event(data: bytes) -> bool:
    return data.startswith(b"data:") or b"\ndata:" in data
