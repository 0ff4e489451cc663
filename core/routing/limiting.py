"""Limits on the way of a request: a place before any provider is asked, given back when all is over.

    admit ─► Running.ticket ─► … ─► headers on the answer ─► leave, with the tokens that were really used

Where no limit applies this costs one look into a dictionary.
"""

import math
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

from core.auth import Principal
from core.clock import from_micros
from core.dialects.counting import estimate_bytes
from core.dialects.request import Request
from core.dialects.table import ANTHROPIC, DIALECTS
from core.errors import RateLimited
from core.ledger.limit_counters import Counters
from core.ledger.limits import MODEL, Limit, Limits
from core.routing.settlement import Running
from core.routing.wanted import Wanted, wanted

Headers = list[tuple[str, str]]

_MOST_TOKENS = 10**9
# A larger body may hold pictures, of which a byte is far less than a quarter of a token.
_COUNTED_FROM = 16 * 1024


class Limiter:
    """Holds requests to their limits."""

    def __init__(self, limits: Limits, counters: Counters) -> None:
        self._limits = limits
        self._counters = counters

    def admit_now(self, running: Running, model: str) -> bool:
        """Lets a request in, or says False where only `admit` can tell.

        model: what its first provider calls it. Raises RateLimited, InvalidArgument, Unavailable.
        """
        if not self._limits.any:
            return True
        request = running.request
        assert request is not None
        limits = self._limits.applying(running.ask.principal, request.model, model)
        if not limits:
            return True
        try:
            running.ticket = self._counters.take_now(limits, _tokens(running, request, limits))
        except RateLimited as error:
            raise _told(running, error) from None
        return running.ticket is not None

    async def admit(self, running: Running, model: str) -> None:
        """The same, and waits where it has to."""
        request = running.request
        assert request is not None
        limits = self._limits.applying(running.ask.principal, request.model, model)
        try:
            running.ticket = await self._counters.take(limits, _tokens(running, request, limits))
        except RateLimited as error:
            raise _told(running, error) from None

    async def count(self, principal: Principal) -> None:
        """Lets in and counts what is a request, but asks no model for anything. Raises RateLimited, Unavailable."""
        if not self._limits.any:
            return
        limits = [limit for limit in self._limits.applying(principal, "", "") if limit.scope.kind != MODEL]
        if limits:
            ticket = self._counters.take_now(limits, 1) or await self._counters.take(limits, 1)
            self._counters.leave(ticket, 0)

    def leave(self, running: Running) -> None:
        """Gives back what a request has taken; nothing where it took nothing."""
        if running.ticket is not None:
            self._counters.leave(running.ticket, running.used.input + running.used.output)


def _tokens(running: Running, request: Request, limits: Sequence[Limit]) -> int:
    """What the limits shall count of the request's tokens."""
    for limit in limits:
        if limit.has_tokens:
            running.wanted = wanted(request)
            return estimate(request, running.wanted)
    return 1


def estimate(request: Request, asked: Wanted) -> int:
    """How many tokens a request may use: its prompt, and the output that it asks for, where it says how much."""
    size = len(request.body)
    prompt = estimate_bytes(size) if size < _COUNTED_FROM else DIALECTS[request.operation].prompt_tokens(request)
    tokens = prompt + (asked.named or request.output_limit) * asked.choices
    return 1 if tokens < 1 else tokens if tokens < _MOST_TOKENS else _MOST_TOKENS


def _told(running: Running, error: RateLimited) -> RateLimited:
    """The refusal, with what the caller is told of the limit."""
    left: Headers = []
    if error.limit:
        kind = "tokens" if error.counted.startswith("tokens") else "requests"
        _add(left, running, kind, error.limit, error.remaining, error.reset)
    error.metadata = {"counted": error.counted, **error.metadata, **dict(left)}
    return error


def headed(running: Running, headers: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """The headers of an answer, and with them what the limits have left that are nearest to their end."""
    ticket = running.ticket
    if ticket is None:
        return headers
    found = list(headers)
    requests, tokens = ticket.requests_cap, ticket.tokens_cap
    if requests is not None:
        _add(found, running, "requests", requests.most, ticket.requests_left, requests.window.seconds)
    if tokens is not None:
        _add(found, running, "tokens", tokens.most, ticket.tokens_left, tokens.window.seconds)
    return found


def _add(headers: Headers, running: Running, kind: str, limit: int, remaining: int, reset: float) -> None:
    """Adds OpenAI's headers about a limit, and on Anthropic's wire Anthropic's too.

    kind: "requests" or "tokens"; reset: seconds until nothing of what is counted now is counted any more.
    """
    most, name, end = _lasting(kind, limit, reset)
    left = str(remaining) if remaining > 0 else "0"
    headers += (most, (name, left), end)
    if DIALECTS[running.ask.operation] is ANTHROPIC:
        moment = from_micros(running.created_at) + timedelta(seconds=math.ceil(reset))
        headers += [
            (f"anthropic-ratelimit-{kind}-limit", str(limit)),
            (f"anthropic-ratelimit-{kind}-remaining", left),
            (f"anthropic-ratelimit-{kind}-reset", moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ]


@lru_cache(4096)
def _lasting(kind: str, limit: int, reset: float) -> tuple[tuple[str, str], str, tuple[str, str]]:
    """What of that is the same for many requests: a header, the name of one, and a header."""
    return (
        (f"x-ratelimit-limit-{kind}", str(limit)),
        f"x-ratelimit-remaining-{kind}",
        (f"x-ratelimit-reset-{kind}", span(reset)),
    )


def span(seconds: float) -> str:
    """A span of time as OpenAI writes it: 120ms, 8.64s, 6m0s, 1h0m0s."""
    milliseconds = math.ceil(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
