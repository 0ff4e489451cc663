"""The pipeline: every inference request of every way in walks through `Pipeline.run`.

    read the body ─► find candidates ─► open the journal ─► attempt, fall back, try again
      ─► Answer, or Streamed ─► settle: tokens, cost, one usage record, before the last byte is handed on

Settling is one synchronous write to the journal, so nothing can interrupt it. A request that failed,
was cancelled or was hung up on is settled like any other.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence

from core.auth import Principal
from core.clock import Clock, micros
from core.dialects.request import Request
from core.dialects.responses.request import RESPONSES
from core.dialects.table import DIALECTS
from core.dialects.tokens import NO_TOKENS
from core.errors import (
    BudgetExceeded,
    Internal,
    InvalidArgument,
    ProviderError,
    ProviderTimeout,
    RouterError,
    Unavailable,
    UnknownModel,
    Unpriced,
    UpstreamStatus,
)
from core.ledger.record import UsageRecord
from core.metrics import Metrics
from core.routing.active import ActiveCalls, Call, uncancel
from core.routing.attempt import Begun, Whole, attempt, try_again
from core.routing.budgeting import Budgeting
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.routing.keeping import KeepingMeter
from core.routing.limiting import Limiter, headed
from core.routing.lookup import Candidate
from core.routing.passage import counted
from core.routing.reply import Answer, Ask, Place
from core.routing.responses import Responses
from core.routing.settlement import Running, Settlement
from core.routing.speaking import speaking
from core.routing.stream import Streamed

_ROUNDS = 2  # how often each candidate is asked at most
_MAX_ATTEMPTS = 6
_BACKOFF = 0.25  # seconds before the second round, jittered
_MAX_PAUSE = 5.0  # a provider that says to come back later than this is not waited for
_PROGRESS_SECONDS = 1.0


class Pipeline:
    """Runs inference requests."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        health: Health,
        active: ActiveCalls,
        settlement: Settlement,
        metrics: Metrics,
        clock: Clock,
        timeout: float,
        limiter: Limiter | None = None,
        budgeting: Budgeting | None = None,
        responses: Responses | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """timeout: seconds until the first byte, where the caller names no time; sleep: between two rounds."""
        self._catalog = catalog
        self._health = health
        self._active = active
        self._settlement = settlement
        self._metrics = metrics
        self._clock = clock
        self._timeout = timeout
        self._limiter = limiter
        self._budgeting = budgeting
        self._responses = responses
        self._sleep = sleep
        self._streams: set[Running] = set()
        self.draining = False

    async def run(self, ask: Ask) -> Answer | Streamed:
        """Answers a request.

        Raises RouterError, and CancelledError where the caller went away. A provider's own error
        answer is an Answer with its status.
        """
        started = self._clock.monotonic()
        call = Call(ask.request_id, ask.principal, started + (ask.timeout or self._timeout))
        call.task = asyncio.current_task()
        running = Running(ask, call, started, micros(self._clock.now()))
        self._active.add(call)
        self._metrics.in_flight += 1
        streaming = False
        try:
            reply = await self._answer(running)
            streaming = isinstance(reply, Streamed)
        except asyncio.CancelledError:
            if call.cause is None:
                self._settlement.hung_up(running)
                raise
            uncancel()
            self._settlement.failed(running, call.cause)
            raise call.cause from None
        except UpstreamStatus as error:
            return self._mirrored(running, error)
        except RouterError as error:
            self._settlement.failed(running, error)
            raise
        except Exception:
            self._settlement.failed(running, Internal())
            raise
        finally:
            if not streaming:
                self._leave(running)
        reply.headers = headed(running, reply.headers)
        return reply

    def abandoned(self, ask: Ask, created_at: int, model: str) -> None:
        """Accounts for a request of which only its caller knows: the process that had it died.

        created_at: microseconds since 1970. Where a record of the request exists it stays.
        """
        if not self._active.contains(ask.request_id):
            self._settlement.abandoned(ask, created_at, model)

    def refused(self, ask: Ask, error: RouterError, model: str) -> None:
        """Accounts for a request that did not get as far as a body. model: what it named, "" for nothing."""
        call = Call(ask.request_id, ask.principal, 0.0)
        now = micros(self._clock.now())
        self._settlement.failed(Running(ask, call, self._clock.monotonic(), now, requested_model=model), error)

    def hung_up(self, ask: Ask, model: str = "") -> None:
        """Accounts for a request whose caller went away before it was run. model: as in `refused`."""
        call = Call(ask.request_id, ask.principal, math.inf)
        now = micros(self._clock.now())
        self._settlement.hung_up(Running(ask, call, self._clock.monotonic(), now, requested_model=model))

    async def admit(self, principal: Principal) -> None:
        """Lets a call in that is no inference, and counts it as a request. Raises RateLimited, Unavailable."""
        if self.draining:
            raise Unavailable("the service is stopping; try again")
        if self._limiter is not None:
            await self._limiter.count(principal)

    async def pay_later(self, principal: Principal) -> None:
        """Lets work begin whose cost has no bound. Raises Unpriced, DatabaseError."""
        if self._budgeting is not None:
            await self._budgeting.pay_later(principal)

    def account(self, record: UsageRecord) -> None:
        """Accounts for work that was not done on this way. Of records of one id the first is kept."""
        self._settlement.account(record)

    async def note_progress(self) -> None:
        """Notes in the journal how far every stream is, once a second, for ever."""
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            if self._streams:
                self._settlement.progress(list(self._streams))

    async def _answer(self, running: Running) -> Answer | Streamed:
        ask = running.ask
        if self.draining:
            raise Unavailable("the service is stopping; try again")
        request = _read(ask)
        running.request = request
        if self._responses is not None and ask.operation == RESPONSES:
            request = await self._restored(running, self._responses)
        who = ask.principal
        if who.max_output_tokens or who.max_reasoning_tokens:
            limited = DIALECTS[ask.operation].limited
            running.request = request = limited(request, who.max_output_tokens, who.max_reasoning_tokens)
        candidates = self._catalog.candidates(request.model)
        if not candidates:
            self._settlement.open(running)
            candidates = await self._catalog.candidates_soon(request.model)
            if not candidates:
                raise UnknownModel
        candidates = speaking(candidates, request, ordered=self._catalog.is_alias(request.model))
        if request.lacks_messages:
            raise InvalidArgument("messages must be an array", field="messages")
        if self._limiter is not None and not self._limiter.admit_now(running, candidates[0].model):
            self._settlement.open(running)
            await self._limiter.admit(running, candidates[0].model)
        outcome = await self._attempts(running, candidates)
        assert running.candidate is not None
        place = Place(running.candidate.upstream.target.name, running.candidate.model)
        keeping = running.keeping
        if isinstance(outcome, Whole):
            if keeping is not None and outcome.status == 200:
                outcome.body = keeping.whole(outcome.body)
            cost = self._settlement.answered(running, outcome.status, outcome.tokens)
            return Answer(
                place, outcome.status, outcome.content_type, outcome.headers, outcome.body, outcome.tokens, cost
            )
        if keeping is not None:
            outcome.meter = meter = KeepingMeter(outcome.meter, keeping)
            outcome.first = meter.passed(outcome.first)
        running.first_byte = self._clock.monotonic()
        running.meter = outcome.meter
        running.call.deadline = math.inf if not ask.timeout else running.call.deadline
        self._streams.add(running)
        return Streamed(running, outcome, place, self._settlement, self._leave)

    async def _restored(self, running: Running, responses: Responses) -> Request:
        """The request with what it refers to in its place."""
        assert running.request is not None
        if responses.refers(running.request):  # to look it up takes a moment
            self._settlement.open(running)
        request, running.keeping = await responses.prepared(running.ask.principal.user_id, running.request)
        running.request = request
        return request

    async def _attempts(self, running: Running, candidates: Sequence[Candidate]) -> Whole | Begun:
        """Asks the candidates in turn, until one answers or nothing is left to try."""
        left = self._ordered(candidates)
        for round_number in range(_ROUNDS):
            again: list[Candidate] = []
            longest = 0.0
            failure: RouterError | None = None
            for candidate in left:
                try:
                    return await self._one_attempt(running, candidate)
                except (BudgetExceeded, Unpriced, InvalidArgument) as refusal:
                    failure = failure or refusal  # a cheaper one may do, or one that can do more
                except ProviderError as error:
                    failure = error
                    if try_again(error) and (error.retry_after or 0.0) <= _MAX_PAUSE:
                        again.append(candidate)
                        longest = max(longest, error.retry_after or 0.0)
                if running.attempts >= _MAX_ATTEMPTS:
                    raise failure
            failure = failure or ProviderError()
            pause = max(longest, _BACKOFF * 2**round_number * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            out_of_time = self._clock.monotonic() + pause > running.call.deadline
            if round_number + 1 == _ROUNDS or not again or out_of_time:
                raise failure
            await self._sleep(pause)
            left = again
        raise ProviderError

    async def _one_attempt(self, running: Running, candidate: Candidate) -> Whole | Begun:
        assert running.request is not None
        request = running.request
        if (body := counted(candidate, request)) is not None:
            running.candidate = candidate
            return Whole(200, "application/json", (), body, NO_TOKENS)
        if self._budgeting is not None:
            request = await self._budgeting.pay(running, candidate)
        self._settlement.open(running)
        target, call = candidate.upstream.target, running.call
        running.candidate = candidate
        running.attempts += 1
        running.asked_at = self._clock.monotonic()
        call.expect(target.first_byte_timeout)
        try:
            outcome = await attempt(candidate, request, running.ask, running.created_at // 1_000_000)
            _refuse_unusable(running.ask, outcome)
        except InvalidArgument:  # it was not asked
            running.attempts, running.asked_at = running.attempts - 1, None
            raise
        except ProviderError as error:
            running.asked_at = None
            self._note_failure(candidate, error)
            raise
        except asyncio.CancelledError:
            if not isinstance(call.cause, ProviderTimeout):
                raise
            error, call.cause = call.cause, None
            self._note_failure(candidate, error)
            if uncancel():  # the caller went away at the same moment
                raise
            raise error from None  # it was this provider's time that was up, not the request's
        finally:
            call.expect(0.0)
        if not self._health.all_well():
            self._health.succeeded(target.id)
        self._metrics.attempt(target.name, "ok")
        return outcome

    def _mirrored(self, running: Running, error: UpstreamStatus) -> Answer:
        """A provider's error answer, for which no other provider could make good."""
        assert running.candidate is not None
        place = Place(running.candidate.upstream.target.name, running.candidate.model)
        cost = self._settlement.failed(running, error)
        headers = [("retry-after", str(math.ceil(error.retry_after)))] if error.retry_after is not None else []
        headers = headed(running, headers)
        return Answer(place, error.status, error.content_type, headers, error.body, cost_nanousd=cost)

    def _ordered(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """The candidates in their order, but those that rest last."""
        if len(candidates) == 1 or self._health.all_well():
            return candidates
        return sorted(candidates, key=lambda candidate: self._health.rests(candidate.upstream.target.id))

    def _note_failure(self, candidate: Candidate, error: ProviderError) -> None:
        target = candidate.upstream.target
        self._metrics.attempt(target.name, error.reason)
        if not isinstance(error, UpstreamStatus) or error.status == 429 or error.status >= 500:
            self._health.failed(target.id, error.retry_after)

    def _leave(self, running: Running) -> None:
        self._metrics.in_flight -= 1
        self._streams.discard(running)
        self._active.remove(running.call)
        if self._limiter is not None:
            self._limiter.leave(running)


def _refuse_unusable(ask: Ask, outcome: Whole | Begun) -> None:
    """Raises ProviderError for a good answer that the caller can't read; the next provider may do better."""
    if ask.check is not None and isinstance(outcome, Whole) and outcome.status < 400:
        ask.check(outcome.body)


def _read(ask: Ask) -> Request:
    """What the router needs of a request. Raises InvalidArgument, ModelRequired."""
    dialect = DIALECTS[ask.operation]
    if dialect.read_form is not None and (content_type := ask.form):
        return dialect.read_form(ask.operation, ask.body, content_type)
    return dialect.read_request(ask.operation, ask.body, never_stream=ask.never_stream)
