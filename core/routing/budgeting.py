"""Budgets on the way of a request: its worst case is held before a provider is asked, and settled with its record.

    pay ─► Hold ─► journal ─► the provider ─► … ─► Settlement: Hold.settle(cost) ─► the record's charges

A request that names no maximum of output asks for as much as its hold pays for. Where no budget applies
this costs one look into a dictionary.
"""

import msgspec

from core.auth import Principal
from core.dialects.dialect import Meter
from core.dialects.openai.caps import MAX_TOKENS
from core.dialects.openai.chat import CHAT, COMPLETION
from core.dialects.output_limit import COUNTS
from core.dialects.request import Request
from core.errors import BudgetExceeded, Unpriced
from core.ledger.budgets import Budgets
from core.ledger.hold import Hold
from core.ledger.prices import Price, Prices
from core.ledger.record import Holding
from core.providers.vendors import output_field
from core.routing.lookup import Candidate
from core.routing.settlement import Running, Settlement
from core.routing.wanted import wanted
from core.routing.worst_case import SLACK, WorstCase, is_bounded, worst_case

_UNBOUNDED = "what this request costs is not known before it is answered, and a budget caps what may be spent"
_PAID_LATER = "what a batch costs is not known before it is over, and a budget caps what may be spent"
_STEP = 512  # bytes of a stream between two counts near its end
_LEAST_EVENT = 32  # bytes: no event that says anything is smaller, on any wire


class Budgeting:
    """Holds requests to their budgets."""

    def __init__(self, budgets: Budgets, prices: Prices, settlement: Settlement) -> None:
        self._budgets = budgets
        self._prices = prices
        self._settlement = settlement

    async def pay(self, running: Running, candidate: Candidate) -> Request:
        """Holds what a request may cost at a provider; the request as it may be sent there.

        Raises BudgetExceeded, Unpriced, InvalidArgument, and Unavailable where neither the database nor what
        is held here can tell whether there is room.
        """
        request, principal = running.request, running.ask.principal
        assert request is not None
        if request.operation in COUNTS:  # which cost nothing
            return request
        accounts = self._budgets.known(principal)
        if accounts is None:
            self._settlement.open(running)
            accounts = await self._budgets.learn(principal)
        if not accounts:
            return request
        target = candidate.upstream.target
        price = self._prices.find(target.name, target.type, candidate.model)
        bounded = price is not None and is_bounded(request, price)
        if not bounded and not principal.allow_unpriced and any(account.budget.hard for account in accounts):
            raise Unpriced if price is None else Unpriced(_UNBOUNDED)
        if price is None:
            return request
        if running.wanted is None:
            running.wanted = wanted(request)
        case = worst_case(request, price, candidate.model, running.wanted)
        hold = running.hold
        if hold is None:
            most = case.most if bounded else max(1, case.most)  # what it turns out to cost is counted all the same
            if not most:  # nothing costs anything
                return request
            hold = self._budgets.hold_now(accounts, most, running.created_at / 1_000_000)
            if hold is None:
                self._settlement.open(running)
                hold = await self._budgets.hold(principal, case.least, case.enough, most)
            running.hold = hold
        elif hold.amount < case.most:
            self._settlement.open(running)
            await self._grow(hold, case)
        self._note(running, candidate, price, hold)
        running.guard = None
        if not hold.purses:
            return request
        if request.streamed:
            running.guard = StreamGuard(case.tokens_for(hold.amount))
        if not case.output:
            return request
        if case.named:
            return _told(request, case.output, target.type)
        return msgspec.structs.replace(request, output_limit=max(1, case.output_for(hold.amount)))

    async def pay_later(self, principal: Principal) -> None:
        """Lets work begin that has no bound, where no budget with a hard cap forbids it. Raises Unpriced."""
        accounts = self._budgets.known(principal)
        if accounts is None:
            accounts = await self._budgets.learn(principal)
        if not principal.allow_unpriced and any(account.budget.hard for account in accounts):
            raise Unpriced(_PAID_LATER)

    async def _grow(self, hold: Hold, case: WorstCase) -> None:
        """Holds more, for a provider that is dearer than the one before."""
        least = max(1, case.least - hold.amount)
        try:
            await self._budgets.grow(hold, least, case.most - hold.amount)
        except BudgetExceeded:
            if case.least > hold.amount:
                raise

    def _note(self, running: Running, candidate: Candidate, price: Price, hold: Hold) -> None:
        target = candidate.upstream.target
        self._settlement.open(
            running,
            Holding(
                running.ask.request_id,
                target.name,
                target.type,
                candidate.model,
                hold.amount,
                price.source,
                hold.charges(),
            ),
        )


def _told(request: Request, output: int, provider_type: str) -> Request:
    """The request with a maximum that its provider knows, where it was named under a name that not all know."""
    if request.operation not in (CHAT, COMPLETION):
        return request
    name = MAX_TOKENS if request.operation == COMPLETION else output_field(provider_type)
    return request if name in request.fields else msgspec.structs.replace(request, output_limit=output)


class StreamGuard:
    """Watches that a stream does not pass what is held for it, though its provider was told the maximum.

    An event has at least some bytes, and a token one, so most of what comes need not be looked at.
    """

    __slots__ = ("_left", "_tokens")

    def __init__(self, tokens: int) -> None:
        """tokens: of output that the hold pays for."""
        self._tokens = tokens
        self._left = max(_STEP, tokens // 2 * _LEAST_EVENT)

    def passed(self, meter: Meter, size: int) -> bool:
        """Whether more has come than was held for, so many bytes of it just now."""
        self._left -= size
        if self._left > 0:
            return False
        events = meter.rough_output_tokens()
        if events <= self._tokens // 2:
            self._left = max(_STEP, (self._tokens // 2 - events) * _LEAST_EVENT)
            return False
        counted = meter.output_tokens()
        self._left = max(_STEP, self._tokens - max(events, counted))
        # Our count may be too high, and an event may hold several tokens: proof is both together, or far too much.
        return (events > self._tokens and counted > self._tokens - SLACK) or counted > self._tokens * 3 // 2 + 32


def stream_over_budget() -> BudgetExceeded:
    """What a stream is told that is ended because its hold is used up."""
    return BudgetExceeded("the answer was ended: it has used up what the budget had left for it")
