"""The slice of one balance that this process has leased, from which holds are served in memory.

    the lease's total = free + held by requests + spent, shipped or not

    take_now ─ enough is free ──────────────────────────────► held ─put─► spent
        └ no ─► take ─► ask the database for more ──────────► held
                          └ nothing left ─► call back what others do not need ─► ask again ─► refuse

However many requests wait, one conversation with the database runs for all of them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.clock import Clock
from core.errors import BudgetExceeded, DatabaseError, Unavailable
from core.ledger.lease import Lease, refusal
from core.store.balances import Taken
from core.store.budgets import Budget

log = logging.getLogger(__name__)

_PATIENCE = 2.0  # seconds that a request waits for what others give back
_STEP = 0.05
_LOW = 4  # where less than this part of the last slice is left, more is asked for in advance
_REFUSED = 0.05  # seconds for which a balance that was found full is not asked again
_OUTAGE = 1.0  # seconds after a failure for which nothing is asked for in advance

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True, eq=False)
class _Wish:
    """A request that waits for money."""

    least: int  # less is of no use
    enough: int  # for this much others are asked for what they do not need
    most: int
    answer: "asyncio.Future[int]"


class Purse:
    """A hard budget's money in this process, in one period."""

    def __init__(
        self,
        budget: Budget,
        lease: Lease,
        ends: float,
        clock: Clock,
        *,
        sleep: Sleep = asyncio.sleep,
        on_refusal: Callable[["Purse"], None] = lambda purse: None,
    ) -> None:
        """ends: of the period, in seconds since 1970; on_refusal: is told when a request was refused."""
        self.budget = budget
        self.lease = lease
        self.ends = ends
        self.free = 0
        self.held = 0
        self.spent = 0
        self._low = 0
        self._clock = clock
        self._sleep = sleep
        self._on_refusal = on_refusal
        self._wishes: list[_Wish] = []
        self._talk: asyncio.Task[None] | None = None  # the conversation with the database
        self._giving: asyncio.Task[None] | None = None
        self._full_for = 0  # what was too much at the last refusal, 0 where asking may help
        self._full_until = 0.0
        self._quiet_until = 0.0

    def take_now(self, amount: int) -> bool:
        """Holds an amount where so much is free; asks for more in advance where little is left."""
        if self.free < amount or self._wishes:  # who came first is served first
            return False
        self.free -= amount
        self.held += amount
        if self.free < self._low and self._talk is None and self._clock.monotonic() >= self._quiet_until:
            self._begin()
        return True

    async def take(self, least: int, enough: int, most: int) -> int:
        """Holds `most`, or what there is, at least `least`; how much that is.

        enough: less than this is taken only where others have nothing that they do not need. Raises
        BudgetExceeded, BudgetGone, and DatabaseError where the database does not answer.
        """
        if self._full_for and self.free < least >= self._full_for and self._clock.monotonic() < self._full_until:
            raise self.exceeded()
        wish = _Wish(least, enough, most, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        if self._talk is None:
            self._begin()
        try:
            return await wish.answer
        except asyncio.CancelledError:
            if wish in self._wishes:
                self._wishes.remove(wish)
            elif not wish.answer.cancelled() and wish.answer.exception() is None:
                self.put(wish.answer.result(), 0)  # it was given at the same moment
            raise

    def put(self, held: int, cost: int) -> int:
        """Ends a hold; how much of the cost the lease pays for, which is all of it wherever it can."""
        covered = cost if cost <= held else min(cost, held + max(0, self.free))
        self.held -= held
        self.spent += covered
        self.free += held - covered
        self._full_for = 0
        if self._wishes:
            self._serve()
        return covered

    async def give_back(self) -> None:
        """Returns what is free to the database. Raises DatabaseError; the next conversation finds out the truth."""
        self.free, self._low = 0, 0  # what is put while this runs stays here
        await self.lease.give_back(lambda total: max(0, total - self.held - self.spent - self.free))

    def recalled(self) -> None:
        """Somebody needs what is free here."""
        if self._giving is None and (self.lease.id or self._talk is not None):
            self._giving = asyncio.get_running_loop().create_task(self._answer_recall())

    async def stop(self) -> None:
        """Ends what runs in the background."""
        tasks = [task for task in (self._talk, self._giving) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def exceeded(self) -> BudgetExceeded:
        """The refusal of a request that this budget has no room for."""
        return refusal(self.budget, self.ends - self._clock.now().timestamp())

    async def _answer_recall(self) -> None:
        try:
            await self.give_back()
        except DatabaseError:
            log.debug("a recall could not be answered")
        finally:
            self._giving = None

    def _begin(self) -> None:
        self._talk = asyncio.get_running_loop().create_task(self._converse())

    async def _converse(self) -> None:
        """Asks for more until nobody waits any more."""
        failure: BaseException | None = None
        try:
            await self._round()
            while self._wishes:
                await self._round()
        except Exception as error:
            failure = error
            self._quiet_until = self._clock.monotonic() + _OUTAGE
            if not self._wishes:
                log.debug("a budget could not be leased in advance: %r", error)
        finally:
            self._talk = None
            left, self._wishes = self._wishes, []
            for wish in left:
                if not wish.answer.done():
                    wish.answer.set_exception(failure or Unavailable("the service is stopping; try again"))

    async def _round(self) -> None:
        """Takes what those who wait now need; who can't have it is refused."""
        wishes = list(self._wishes)
        if not wishes:
            await self._take(1, 1)
            return
        least, most = min(wish.least for wish in wishes), sum(wish.most for wish in wishes)
        taken = await self._take(least, most)
        self._serve()
        left = [wish for wish in wishes if wish in self._wishes]
        if left and taken.others:
            await self.give_back()  # two who need more than they have must not keep it from each other
            await self.lease.call_back()
            await self._take_recalled(left)
        self._serve(final=True)
        refused = [wish for wish in wishes if wish in self._wishes]
        for wish in refused:
            self._wishes.remove(wish)
            wish.answer.set_exception(self.exceeded())
        if refused:
            self._on_refusal(self)
            self._full_for = min(wish.least for wish in refused)
            self._full_until = self._clock.monotonic() + _REFUSED

    async def _take(self, least: int, most: int) -> Taken:
        free = max(0, self.free)
        taken = await self.lease.take(max(1, least - free), max(1, least - free, most - free), self._know)
        self._low = taken.amount // _LOW if taken.left else 0
        return taken

    async def _take_recalled(self, wishes: list[_Wish]) -> Taken:
        """Takes until there is enough for those, everybody has answered, or it took too long."""
        waited = 0.0
        while True:
            await self._sleep(_STEP)
            waited += _STEP
            taken = await self._take(min(wish.least for wish in wishes), sum(wish.most for wish in wishes))
            self._serve()
            wishes = [wish for wish in wishes if wish in self._wishes]
            if not wishes or not taken.silent or waited >= _PATIENCE:
                return taken

    def _know(self, total: int) -> None:
        self.free = total - self.held - self.spent

    def _serve(self, *, final: bool = False) -> None:
        """Gives what is free to those who wait, in the order in which they came.

        final: also less than enough, and to those further back where the first need too much.
        """
        for wish in list(self._wishes):
            amount = min(self.free, wish.most)
            if wish.answer.done():
                self._wishes.remove(wish)
            elif amount >= (wish.least if final else wish.enough):
                self._wishes.remove(wish)
                self.free -= amount
                self.held += amount
                wish.answer.set_result(amount)
            elif not final:
                return
