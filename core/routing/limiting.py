"""Limits on the way of a request: a place before any provider is asked, given back when all is over.

    admit ─► Running.ticket ─► … ─► headers on the answer ─► leave, with the tokens that were really used

Where no limit applies this costs one look into a dictionary.
"""

import math
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from core.clock import from_micros
from core.dialects.counting import estimate_bytes
from core.dialects.output_limit import choices, has_output, named_output
from core.dialects.request import Request
from core.dialects.table import ANTHROPIC, DIALECTS
from core.errors import RateLimited
from core.ledger.limit_counters import Counters, Ticket
from core.ledger.limits import Limits
from core.routing.settlement import Running

Headers = list[tuple[str, str]]

_MOST_TOKENS = 10**9
# A larger body may hold pictures, of which a byte is far less than a quarter of a token.
_COUNTED_FROM = 16 * 1024


class Standing(NamedTuple):
    """How far a limit is used up."""

    kind: str  # "requests" or "tokens"
    limit: int
    remaining: int
    reset: float  # seconds until nothing of what is counted now is counted any more


class Limiter:
    """Holds requests to their limits."""

    def __init__(self, limits: Limits, counters: Counters) -> None:
        self._limits = limits
        self._counters = counters

    async def admit(self, running: Running, model: str) -> None:
        """Lets a request in, or raises RateLimited, InvalidArgument, Unavailable.

        model: what its first provider calls it.
        """
        request, principal = running.request, running.ask.principal
        if request is None or not self._limits.any:
            return
        limits = self._limits.applying(principal, request.model, model)
        if limits:
            tokens = estimate(request) if any(limit.has_tokens for limit in limits) else 1
            try:
                running.ticket = await self._counters.take(limits, tokens)
            except RateLimited as error:
                left = _refused(error)
                error.metadata = {"counted": error.counted, **error.metadata, **dict(_worded(running, left))}
                raise

    def leave(self, running: Running) -> None:
        """Gives back what a request has taken; nothing where it took nothing."""
        if running.ticket is not None:
            self._counters.leave(running.ticket, running.used.input + running.used.output)


def estimate(request: Request) -> int:
    """How many tokens a request may use: its prompt, and the output that it asks for, where it says how much.

    Raises InvalidArgument where that is not a number.
    """
    size = len(request.body)
    prompt = estimate_bytes(size) if size < _COUNTED_FROM else DIALECTS[request.operation].prompt_tokens(request)
    output = (named_output(request) or request.output_limit) * choices(request) if has_output(request) else 0
    return min(max(1, prompt + output), _MOST_TOKENS)


def headed(running: Running, headers: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """The headers of an answer, and with them what its limits have left."""
    ticket = running.ticket
    if ticket is None:
        return headers
    return [*headers, *_worded(running, standing(ticket))]


def standing(ticket: Ticket) -> list[Standing]:
    """What is left of the limits that are nearest to their end."""
    found: list[Standing] = []
    for kind, cap, left in (
        ("requests", ticket.requests_cap, ticket.requests_left),
        ("tokens", ticket.tokens_cap, ticket.tokens_left),
    ):
        if cap is not None:
            found.append(Standing(kind, cap.most, max(0, left), cap.window.seconds))
    return found


def _refused(error: RateLimited) -> list[Standing]:
    kind = "tokens" if error.counted.startswith("tokens") else "requests"
    return [Standing(kind, error.limit, error.remaining, error.reset)] if error.limit else []


def _worded(running: Running, left: Sequence[Standing]) -> Headers:
    """The same in headers: OpenAI's, and on Anthropic's wire Anthropic's too."""
    headers: Headers = []
    for kind, limit, remaining, reset in left:
        headers += [
            (f"x-ratelimit-limit-{kind}", str(limit)),
            (f"x-ratelimit-remaining-{kind}", str(remaining)),
            (f"x-ratelimit-reset-{kind}", span(reset)),
        ]
        if DIALECTS[running.ask.operation] is ANTHROPIC:
            moment = from_micros(running.created_at) + timedelta(seconds=math.ceil(reset))
            headers += [
                (f"anthropic-ratelimit-{kind}-limit", str(limit)),
                (f"anthropic-ratelimit-{kind}-remaining", str(remaining)),
                (f"anthropic-ratelimit-{kind}-reset", moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
            ]
    return headers


@lru_cache(1024)
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
