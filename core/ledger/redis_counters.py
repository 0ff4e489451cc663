"""Counts over all machines, in Redis, with slices that each process takes beforehand (limit_slices.py).

    take ─► slices of this process, which mostly will do
         └► else one script for all who wait (limit_question.py) ─► slices ─► Ticket, or RateLimited
    tick, four times a second ─► what is idle goes back; tokens are made good; alive

Where Redis does not answer within 50 ms nobody waits for it: each machine then holds to its share of every
limit, by the counts that it has kept of its own all along (local_counters.py), and tells Redis of what it let
in meanwhile when that is back. Should Redis have lost what it knew, each machine tells it anew.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from core.clock import Clock
from core.errors import Unavailable
from core.ledger.limit_counters import Refusal, Share, Ticket, later, note, refuse
from core.ledger.limit_debts import Debts
from core.ledger.limit_machine import Machine
from core.ledger.limit_question import Question
from core.ledger.limit_scripts import BEAT, CHANGE, HOLD, PREFIX, RESTORE, TAKE
from core.ledger.limit_slices import Name, Slices
from core.ledger.limits import Limit
from core.ledger.local_counters import LocalCounters
from core.ledger.redis_link import Gone, RedisLink

log = logging.getLogger(__name__)

TICK = 0.25  # seconds
_BEAT_EVERY = 4  # ticks
_LIFETIME = 10.0  # seconds, of a process that is not heard of any more
_ROUNDS = 5

_ALIVE, _MACHINES, _EPOCH = f"{PREFIX}alive", f"{PREFIX}machines", f"{PREFIX}epoch"


class _Waiting(NamedTuple):
    """A request that waits for Redis."""

    limits: Sequence[Limit]
    tokens: int
    answer: "asyncio.Future[Ticket]"
    rounds: int


class RedisCounters:
    """Counters of all machines."""

    def __init__(
        self, link: RedisLink, local: LocalCounters, machine: Machine, clock: Clock, *, lifetime: float = _LIFETIME
    ) -> None:
        """local: this machine's; lifetime: seconds until a process that died is known to have."""
        self._link = link
        self._local = local
        self._machine = machine
        self._clock = clock
        self._lifetime = lifetime
        self._process = secrets.token_hex(8)
        self._share: Share = machine.share()
        self._epoch = ""
        self._offset = clock.now().timestamp() - clock.monotonic()  # from this process's clock to Redis's
        self._debts = Debts()
        self._slices = Slices(self._debts)
        self._waiting: list[_Waiting] = []
        self._server: asyncio.Task[None] | None = None
        self._returning: asyncio.Task[None] | None = None

    # Requests

    def take_now(self, limits: Sequence[Limit], tokens: int) -> Ticket | None:
        """Lets a request in by the slices of this process; None where that will not do. Raises RateLimited."""
        if not self._link.open or self._waiting:
            return None
        _refuse_the_impossible(limits, tokens)
        return self._take_here(limits, tokens)

    async def take(self, limits: Sequence[Limit], tokens: int) -> Ticket:
        """Raises RateLimited, Unavailable."""
        if self._link.open:
            _refuse_the_impossible(limits, tokens)
            ticket = None if self._waiting else self._take_here(limits, tokens)
            if ticket is not None:
                return ticket
            with suppress(Gone):
                return await self._take_there(limits, tokens)
        return self._take_alone(limits, tokens)

    def leave(self, ticket: Ticket, tokens: int) -> None:
        """Gives back what a request took; Redis hears of it with the next tick."""
        if ticket.over:
            return
        difference, numbers = tokens - ticket.tokens, ticket.numbers or {}
        for limit in ticket.limits:
            for cap in limit.caps:
                if cap.of_tokens and difference:
                    self._debts.owe(limit.key, cap, numbers[cap.window.span], difference)
            if limit.concurrent:
                places = self._slices.place(limit)
                places.running -= 1
                if places.scarce and places.held > places.running and self._link.open:
                    self._return_soon()
        self._local.leave(ticket, tokens)
        ticket.over = True

    def _take_here(self, limits: Sequence[Limit], tokens: int) -> Ticket | None:
        """Lets a request in by what this process has; None where that will not do."""
        now = self._now()
        for limit in limits:
            for cap in limit.caps:
                if self._slices.piece(limit.key, cap, now).left < (tokens if cap.of_tokens else 1):
                    return None
            if limit.concurrent:
                places = self._slices.place(limit)
                if places.held <= places.running:
                    return None
        ticket = self._counted(limits, tokens, now)
        for limit in limits:
            for cap in limit.caps:
                piece = self._slices.pieces[limit.key, cap.name]
                note(ticket, cap, piece.spend(tokens if cap.of_tokens else 1))
            if limit.concurrent:
                self._slices.place(limit).start()
        return ticket

    def _take_alone(self, limits: Sequence[Limit], tokens: int) -> Ticket:
        """Lets a request in by this machine's share, and remembers to tell Redis."""
        ticket = self._local.take_part(limits, tokens, self._share)
        ticket.numbers = numbers = _numbers(limits, self._now())
        for limit in limits:
            for cap in limit.caps:
                self._debts.owe(limit.key, cap, numbers[cap.window.span], tokens if cap.of_tokens else 1)
            if limit.concurrent:
                self._slices.place(limit).start()
        return ticket

    def _counted(self, limits: Sequence[Limit], tokens: int, now: float) -> Ticket:
        """A ticket, after this machine has counted it too, for when Redis is gone."""
        try:
            ticket = self._local.count(limits, tokens)
        except Unavailable:
            ticket = Ticket(limits, tokens, self._clock.now().timestamp())
        ticket.requests_cap = ticket.tokens_cap = None
        ticket.numbers = _numbers(limits, now)
        return ticket

    # Asking Redis

    async def _take_there(self, limits: Sequence[Limit], tokens: int) -> Ticket:
        """Lets a request in by what Redis has. Raises RateLimited, Gone."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Ticket] = loop.create_future()
        self._waiting.append(_Waiting(limits, tokens, answer, 0))
        if self._server is None:
            self._server = loop.create_task(self._serve())
        try:
            return await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self.leave(answer.result(), 0)
            raise

    async def _serve(self) -> None:
        """Asks for all who wait, as long as somebody does: those who come meanwhile go together."""
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                try:
                    refusals = await self._ask(waiting)
                except BaseException as error:
                    self._waiting = [*waiting, *self._waiting]
                    if not isinstance(error, Gone):
                        raise
                    break
                for one in waiting:
                    self._answer(one, refusals)
        finally:
            self._server = None
            left, self._waiting = self._waiting, []
            for one in left:
                if not one.answer.done():
                    one.answer.set_exception(Gone())

    async def _ask(self, waiting: Sequence[_Waiting]) -> dict[Name, Refusal]:
        """Asks for what all of them need; the caps of which there is not enough. Raises Gone."""
        question = Question(self._slices, self._now())
        for one in waiting:
            question.add(one.limits, one.tokens)
        asked_at = self._clock.monotonic()
        answer = await self._link.ask(TAKE, *question.asked(_ALIVE, self._process))
        self._offset = answer[0] / 1000 - asked_at
        return question.received(answer)

    def _answer(self, one: _Waiting, refusals: dict[Name, Refusal]) -> None:
        """Lets one who waited in, or says why not, or has him wait for the next answer."""
        if one.answer.done():
            return
        ticket = self._take_here(one.limits, one.tokens)
        if ticket is not None:
            one.answer.set_result(ticket)
            return
        refusal = None
        for limit in one.limits:
            for name in (*(cap.name for cap in limit.caps), ""):
                if (found := refusals.get((limit.key, name))) is not None:
                    refusal = later(refusal, found)
        if refusal is not None:
            one.answer.set_exception(refuse(refusal))
        elif one.rounds < _ROUNDS:  # the span ended while the answer was under way
            self._waiting.append(one._replace(rounds=one.rounds + 1))
        else:
            one.answer.set_exception(Unavailable("limits can't be looked at right now"))

    # In the background

    async def run(self) -> None:
        """Beats and ticks for ever."""
        beats = 0
        while True:
            if beats % _BEAT_EVERY == 0:
                with suppress(Gone):
                    await self.beat()
            beats += 1
            await self.tick()
            await asyncio.sleep(TICK)

    async def beat(self) -> None:
        """Says that this process is there, and opens the way to Redis where it was closed. Raises Gone."""
        asked_at, was_open = self._clock.monotonic(), self._link.open
        lifetime = int(self._lifetime * 1000)
        answer = await self._link.beat(
            BEAT, [_ALIVE, _MACHINES, _EPOCH], [self._process, self._machine.name, lifetime, secrets.token_hex(8)]
        )
        now, epoch, of, number, known = answer
        self._offset = int(now) / 1000 - asked_at
        share = Share(int(of), int(number))
        if share != self._share:
            self._share = share
            self._machine.keep(share)
        lost = self._epoch not in ("", epoch)
        if lost:
            await self._tell_anew(epoch)
        self._epoch = epoch
        if lost or not was_open or not known:
            await self._hold()
        self._link.opened()

    async def tick(self) -> None:
        """Gives back what is idle, and makes good what was counted."""
        now = self._now()
        self._slices.tick(now)
        if self._link.open:
            with suppress(Gone):
                await self._debts.pay(self._link, self._process)
                await self._return_places()
        else:
            self._debts.forget_passed(now)
        self._slices.tick_places()

    async def close(self) -> None:
        """Gives back all that this process has, as far as Redis answers."""
        self._slices.give_back()
        for places in self._slices.places.values():
            places.running = 0
        if self._link.open:
            with suppress(Gone):
                await self._debts.pay(self._link, self._process)
                await self._hold()
        await self._link.close()
        await self._local.close()

    async def _return_places(self) -> None:
        """Gives back the places that nobody here needs. Raises Gone."""
        keys: list[str] = []
        arguments: list[Any] = [self._process]
        for key, places in self._slices.places.items():
            if free := places.free():
                places.held -= free
                places.beyond += free
                keys.append(f"{PREFIX}c:{key}")
                arguments += ["c", 0, 0, 0, -free]
        if keys:
            await self._link.beat(CHANGE, keys, arguments)

    async def _hold(self) -> None:
        """Has Redis know how many places this process needs, whatever it knew. Raises Gone."""
        held = self._slices.places
        if held:
            for places in held.values():
                places.held = places.running
            keys = [f"{PREFIX}c:{key}" for key in held]
            await self._link.beat(HOLD, keys, [self._process, *(places.held for places in held.values())])

    async def _tell_anew(self, epoch: str) -> None:
        """Tells Redis, which has lost what it knew, what this machine has counted. Raises Gone."""
        log.warning("Redis has lost its counts; it is told them anew")
        self._debts.clear()
        self._slices.drop()
        for (key, name), piece in list(self._slices.pieces.items()):
            counted = self._local.counted(key, piece.cap)
            if counted:
                mark = f"{PREFIX}told:{epoch}:{self._machine.name}:{key}:{name}"
                pairs = [number for pair in counted.items() for number in pair]
                await self._link.beat(RESTORE, [mark, f"{PREFIX}w:{key}:{name}"], [piece.cap.window.seconds, *pairs])

    def _now(self) -> float:
        """Redis's time: at least, so that a slice is given up rather too early than too late."""
        return self._clock.monotonic() + self._offset

    def _return_soon(self) -> None:
        if self._returning is None:
            self._returning = asyncio.get_running_loop().create_task(self._return_now())

    async def _return_now(self) -> None:
        try:
            with suppress(Gone):
                await self._return_places()
        finally:
            self._returning = None


def _numbers(limits: Iterable[Limit], now: float) -> dict[int, int]:
    """The spans of time that run now: their length, and their number."""
    return {cap.window.span: int(now) // cap.window.span for limit in limits for cap in limit.caps}


def _refuse_the_impossible(limits: Sequence[Limit], tokens: int) -> None:
    """Raises RateLimited for a request that needs more than a limit ever has."""
    for limit in limits:
        for cap in limit.caps:
            if cap.of_tokens and tokens > cap.most:
                raise refuse(Refusal(limit, cap.name, cap.most, cap.most, -1.0, 0.0))
