"""What it is to count requests against limits: a ticket for who is let in, RateLimited for who is not.

    Counters.take(limits, tokens) ─► Ticket ─► … ─► Counters.leave(ticket, tokens that were really used)

Whoever has a ticket leaves with it, once, however its request ends.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from core.errors import RateLimited
from core.ledger.limits import Cap, Limit

if TYPE_CHECKING:
    from core.ledger.limit_advance import Advance

_CONCURRENT: Final = "concurrent_requests"
# Nobody knows when one of those that run will end.
_WAIT_FOR_ANOTHER: Final = 1.0


class Ticket(msgspec.Struct, eq=False):
    """A request that was let in, and what it took.

    Of what its limits count the one that is nearest to its end is noted, of requests and of tokens each.
    """

    limits: Sequence[Limit]
    tokens: int
    at: float  # seconds since 1970
    requests_cap: Cap | None = None
    requests_left: int = 0
    tokens_cap: Cap | None = None
    tokens_left: int = 0
    returns: bool = False  # whether there is something to give back in the end
    over: bool = False
    numbers: Mapping[int, int] | None = None  # of the spans it was counted in, by their length
    advance: "Advance | None" = None  # by which it was let in


class Refusal(NamedTuple):
    """Which limit is in the way."""

    limit: Limit
    name: str  # a column of the table
    most: int
    remaining: int
    wait: float  # seconds; less than 0: waiting does not help
    reset: float


class Counters(Protocol):
    """Counts requests against limits."""

    def take_now(self, limits: Sequence[Limit], tokens: int) -> Ticket | None:
        """The same as `take`; None where that has to wait."""
        ...

    async def take(self, limits: Sequence[Limit], tokens: int) -> Ticket:
        """Lets a request in that will use so many tokens, or raises RateLimited; all limits count, or none."""
        ...

    def leave(self, ticket: Ticket, tokens: int) -> None:
        """A request is over, and has used so many tokens."""
        ...

    async def run(self) -> None:
        """What is to be done in the background, for ever."""
        ...

    async def close(self) -> None:
        """Gives back all that this process has."""
        ...


class Share(NamedTuple):
    """Of something that several have, the part of one: all parts together are the whole."""

    of: int
    number: int

    def part(self, whole: int) -> int:
        return whole // self.of + (self.number < whole % self.of)


WHOLE: Final = Share(1, 0)


def refuse(refusal: Refusal) -> RateLimited:
    """The error for who is not let in."""
    unit, _, span = refusal.name.partition("_per_")
    what = f"{refusal.most} {unit} per {span}" if span else f"{refusal.most} requests at once"
    whose = "" if refusal.limit.scope.kind == "deployment" else f" for this {_WORDS[refusal.limit.scope.kind]}"
    message = f"rate limit reached: {what}{whose}"
    if refusal.wait < 0:
        message = f"the request needs more than the limit of {what}{whose} allows at all"
    return RateLimited(
        message,
        retry_after=None if refusal.wait < 0 else refusal.wait,
        subject=str(refusal.limit.scope.kind),
        counted=refusal.name,
        limit=refusal.most,
        remaining=refusal.remaining,
        reset=refusal.reset,
    )


def concurrent_refusal(limit: Limit, most: int) -> Refusal:
    """For a scope that has as many requests under way as it may."""
    return Refusal(limit, _CONCURRENT, most, 0, _WAIT_FOR_ANOTHER, _WAIT_FOR_ANOTHER)


def later(one: Refusal | None, other: Refusal) -> Refusal:
    """The refusal that lasts longer, for ever longest."""
    if one is None or (one.wait >= 0 and (other.wait < 0 or other.wait > one.wait)):
        return other
    return one


def note(ticket: Ticket, cap: Cap, left: int) -> None:
    """Keeps the one of requests and the one of tokens that is nearest to its end."""
    if cap.of_tokens:
        if ticket.tokens_cap is None or left < ticket.tokens_left:
            ticket.tokens_cap, ticket.tokens_left = cap, left
    elif ticket.requests_cap is None or left < ticket.requests_left:
        ticket.requests_cap, ticket.requests_left = cap, left


_WORDS: Final = {"credential": "key", "user": "user", "project": "project", "model": "model", "deployment": "service"}
