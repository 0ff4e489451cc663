"""From a request on its way to its one usage record."""

import logging
from dataclasses import dataclass
from typing import Protocol

from core.clock import Clock
from core.dialects.dialect import Meter
from core.dialects.request import Request, model_of
from core.dialects.table import prompt_tokens
from core.dialects.tokens import NO_TOKENS, Tokens
from core.errors import (
    BudgetExceeded,
    Cancelled,
    DeadlineExceeded,
    Forbidden,
    InvalidArgument,
    ProviderError,
    ProviderTimeout,
    RateLimited,
    RouterError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownModel,
    Unpriced,
    UpstreamStatus,
)
from core.ledger.hold import Hold
from core.ledger.journal import Journal
from core.ledger.limit_counters import Ticket
from core.ledger.prices import Prices
from core.ledger.record import ANSWERED, CANCELLED, FAILED, HUNG_UP, LOST, Holding, Opening, Progress, UsageRecord
from core.metrics import Metrics
from core.routing.active import Call
from core.routing.failure_log import FailureLog
from core.routing.keeping import Keeping
from core.routing.lookup import Candidate
from core.routing.reply import Ask
from core.routing.unanswered import unanswered
from core.routing.wanted import Wanted

log = logging.getLogger(__name__)

HANG_UP_STATUS = 499  # as nginx has it: the caller closed the connection

# A gRPC client gives up at its deadline by its own clock; what we know of that deadline is rounded by up to 1 %.
_DEADLINE_SLACK = 0.05  # seconds
_DEADLINE_ROUNDING = 0.01

# The status in the accounts of a request that failed, most special class first.
_STATUSES: tuple[tuple[type[RouterError], int], ...] = (
    (TooLarge, 413),
    (InvalidArgument, 400),
    (UnknownModel, 400),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (RateLimited, 429),
    (BudgetExceeded, 429),
    (Unpriced, 403),
    (ProviderTimeout, 504),
    (DeadlineExceeded, 504),
    (ProviderError, 502),
    (Cancelled, HANG_UP_STATUS),
    (Unavailable, 503),
    (RouterError, 500),
)


class Guard(Protocol):
    """Watches that a stream does not pass what is held for it."""

    def passed(self, meter: Meter, size: int) -> bool:
        """Whether it has, with so many bytes more."""
        ...


@dataclass(slots=True, eq=False)
class Running:
    """A request on its way through the pipeline."""

    ask: Ask
    call: Call
    started: float  # monotonic seconds
    created_at: int  # microseconds since 1970
    requested_model: str = ""  # where there is no request to ask
    request: Request | None = None
    candidate: Candidate | None = None  # the provider that is asked, or that answered
    opened: bool = False  # whether the journal tells of it
    wanted: Wanted | None = None  # once it was read
    attempts: int = 0
    asked_at: float | None = None  # monotonic seconds, while a provider works at it; also after it was given up
    first_byte: float | None = None  # monotonic seconds, of a stream
    meter: Meter | None = None  # of a stream
    settled: bool = False
    ticket: Ticket | None = None  # of its limits
    used: Tokens = NO_TOKENS  # once it is settled
    hold: Hold | None = None  # under its budgets
    guard: Guard | None = None  # of a stream under a budget
    keeping: Keeping | None = None  # of a response that is to be kept


class Settlement:
    """Opens and closes requests in the journal."""

    def __init__(self, journal: Journal, prices: Prices, metrics: Metrics, clock: Clock) -> None:
        self._journal = journal
        self._prices = prices
        self._metrics = metrics
        self._clock = clock
        self._failures = FailureLog(clock)

    def open(self, running: Running, holding: Holding | None = None) -> None:
        """Notes the request, where that was not done yet, and what is held for it. Raises Unavailable.

        It is to be done before the request waits for anything, and before anything is asked of a provider: no
        kill of the process can come between what is done at a stretch.
        """
        if running.opened:
            if holding is not None:
                self._journal.hold(holding)
            return
        ask, request = running.ask, running.request
        assert request is not None
        self._journal.open(
            Opening(
                request_id=ask.request_id,
                created_at=running.created_at,
                user_id=ask.principal.user_id,
                credential_id=ask.principal.credential_id,
                surface=ask.surface,
                operation=ask.operation,
                requested_model=request.model,
                streamed=request.streamed,
                messages=request.messages,
                prompt_hash=request.prompt_hash,
                prompt_bytes=len(request.body),
                project=ask.principal.project,
            ),
            holding,
        )
        running.opened = True

    def answered(self, running: Running, status: int, tokens: Tokens) -> int | None:
        """Settles a request that has its whole answer, a provider's own refusal included; returns the cost."""
        good = status < 400
        return self._close(running, status, ANSWERED if good else FAILED, "" if good else UpstreamStatus.reason, tokens)

    def failed(self, running: Running, error: RouterError) -> int | None:
        """Settles a request that failed; returns what it cost nevertheless."""
        status = (
            error.status
            if isinstance(error, UpstreamStatus)
            else next(status for kind, status in _STATUSES if isinstance(error, kind))
        )
        outcome = CANCELLED if isinstance(error, Cancelled) else FAILED
        return self._close(running, status, outcome, error.reason, self._so_far(running))

    def hung_up(self, running: Running) -> None:
        """Settles a request whose caller went away; where that was at the caller's own deadline, time was up."""
        timeout = running.ask.timeout
        slack = _DEADLINE_SLACK + timeout * _DEADLINE_ROUNDING
        if timeout and self._clock.monotonic() >= running.call.deadline - slack:
            self.failed(running, DeadlineExceeded())
        else:
            self._close(running, HANG_UP_STATUS, HUNG_UP, Cancelled.reason, self._so_far(running))

    def account(self, record: UsageRecord) -> None:
        """Notes the record of work that was done elsewhere."""
        self._journal.close(record)
        self._metrics.closed(record)

    def abandoned(self, ask: Ask, created_at: int, model: str) -> None:
        """Settles a request of which only its caller knows."""
        call = Call(ask.request_id, ask.principal, 0.0)
        running = Running(ask, call, self._clock.monotonic(), created_at, requested_model=model)
        self._close(running, 503, LOST, Unavailable.reason, NO_TOKENS)

    def progress(self, running: list[Running]) -> None:
        """Notes how far streams are, in case the process is killed."""
        states = [
            Progress(
                request_id=one.ask.request_id,
                provider=one.candidate.upstream.target.name,
                provider_type=one.candidate.upstream.target.type,
                model=one.candidate.model,
                ttft_us=int(((one.first_byte or one.started) - one.started) * 1_000_000),
                output_tokens=one.meter.rough_output_tokens(),
            )
            for one in running
            if one.candidate is not None and one.meter is not None and not one.settled
        ]
        if states:
            self._journal.progress(states)

    def _so_far(self, running: Running) -> Tokens:
        """What an incomplete request used: what the stream had brought, and its prompt with it.

        Of one that a provider was working at, and of which nothing had come, that is an estimate.
        """
        if running.request is None:
            return NO_TOKENS
        if running.meter is not None:
            return running.meter.tokens(prompt_tokens(running.request))
        if running.asked_at is None or running.candidate is None:
            return NO_TOKENS
        seconds = self._clock.monotonic() - running.asked_at
        return unanswered(running.request, running.candidate.model, running.wanted, seconds)

    def _close(self, running: Running, status: int, outcome: str, reason: str, tokens: Tokens) -> int | None:
        if running.settled:
            return None
        ask, request, candidate = running.ask, running.request, running.candidate
        provider, kind, model, cost, price_source = "", "", "", None, ""
        if candidate is not None:
            target = candidate.upstream.target
            provider, kind, model = target.name, target.type, candidate.model
            cost, price_source = self._cost(provider, kind, model, tokens)
        record = UsageRecord(
            request_id=ask.request_id,
            created_at=running.created_at,
            user_id=ask.principal.user_id,
            credential_id=ask.principal.credential_id,
            surface=ask.surface,
            operation=ask.operation,
            requested_model=request.model if request else running.requested_model or model_of(ask.body),
            provider=provider,
            model=model,
            status_code=status,
            outcome=outcome,
            error_reason=reason,
            streamed=request is not None and request.streamed,
            attempts=running.attempts,
            latency_us=int((self._clock.monotonic() - running.started) * 1_000_000),
            ttft_us=None if running.first_byte is None else int((running.first_byte - running.started) * 1_000_000),
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cached_input_tokens=tokens.cached_input,
            cache_write_tokens=tokens.cache_write,
            reasoning_tokens=tokens.reasoning,
            audio_input_tokens=tokens.audio_input,
            audio_output_tokens=tokens.audio_output,
            token_source=tokens.source,
            cost_nanousd=cost,
            price_source=price_source,
            messages=request.messages if request else 0,
            prompt_hash=request.prompt_hash if request else "",
            project=ask.principal.project,
            charges=running.hold.settle(cost or 0) if running.hold is not None else [],
        )
        running.settled, running.used = True, tokens
        self._journal.close(record)
        self._metrics.closed(record)
        if outcome in (FAILED, LOST):
            self._failures.note(record)
        return cost

    def _cost(self, provider: str, kind: str, model: str, tokens: Tokens) -> tuple[int | None, str]:
        """What it cost and by which price. The price list is other people's: a fault in it must not cost the record."""
        try:
            return self._prices.cost(provider, kind, model, tokens)
        except Exception:
            log.exception("the price of a model can't be found", extra={"provider": provider, "model": model})
            return None, ""
