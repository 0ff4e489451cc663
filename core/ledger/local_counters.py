"""Counts on one machine, in memory that all its core processes share (limit_file.py).

A decision looks at all limits of a request first and then counts in all of them, with the others kept
out meanwhile: so it is exact, and what is let in never passes a limit, whichever process it came to.
Far from its limits a request is let in by what this process has counted in advance (limit_advance.py).
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from core.clock import Clock
from core.errors import Unavailable
from core.ledger.limit_advance import NEAR, Advance, Advances
from core.ledger.limit_counters import (
    WHOLE,
    Refusal,
    Share,
    Ticket,
    concurrent_refusal,
    later,
    note,
    refuse,
)
from core.ledger.limit_file import LimitFile
from core.ledger.limit_window import RUNNING
from core.ledger.limits import Cap, Limit

log = logging.getLogger(__name__)

_TICK = 0.25  # seconds


class LocalCounters:
    """Counters of one machine. The file is made when there is something to count."""

    def __init__(self, folder: Path, worker: int, clock: Clock) -> None:
        self._folder = folder
        self._worker = worker
        self._clock = clock
        self._file: LimitFile | None = None
        self._advances = Advances()

    def take_now(self, limits: Sequence[Limit], tokens: int) -> Ticket:
        """Lets a request in by what was counted in advance, else by the file. Raises RateLimited, Unavailable."""
        advance = self._advances.known.get(id(limits)) or self._advances.add(limits)
        if advance.requests > 0 and advance.tokens >= tokens and self._clock.monotonic() < advance.good_until:
            return advance.take(tokens)
        return self._take(limits, tokens, WHOLE, advance)

    async def take(self, limits: Sequence[Limit], tokens: int) -> Ticket:
        """The same; it does not wait."""
        return self.take_now(limits, tokens)

    def take_part(self, limits: Sequence[Limit], tokens: int, share: Share) -> Ticket:
        """The same where this machine has only a part of each limit. Raises RateLimited, Unavailable."""
        return self._take(limits, tokens, share, None)

    def _take(self, limits: Sequence[Limit], tokens: int, share: Share, advance: Advance | None) -> Ticket:
        """Looks at the limits and counts; and in advance too, where that may be. Raises RateLimited, Unavailable."""
        now = self._now()
        file = self._opened()
        file.lock()
        try:
            bases = [file.slot(limit.key, now, limit.seconds) for limit in limits]
            if advance is not None:
                self._advances.settle((advance,), file, now)
            refusal = None
            for limit, base in zip(limits, bases, strict=True):
                if self._advances.out(limit) and _is_near(file, limit, base, now, tokens):
                    self._advances.settle(self._advances.out(limit), file, now)
                refusal = _look(file, limit, base, now, tokens, share, refusal)
            if refusal is None:
                ticket = _count(file, limits, bases, now, tokens, share)
                good_until = self._clock.monotonic() + int(now) + 1 - now
                if advance is not None and advance.fill(file, bases, now, tokens, good_until):
                    self._advances.note(advance)
                return ticket
        finally:
            file.unlock()
        raise refuse(refusal)

    def count(self, limits: Sequence[Limit], tokens: int) -> Ticket:
        """Counts a request that was let in elsewhere. Raises Unavailable."""
        now = self._now()
        file = self._opened()
        file.lock()
        try:
            bases = [file.slot(limit.key, now, limit.seconds) for limit in limits]
            for limit, base in zip(limits, bases, strict=True):
                for cap in limit.caps:
                    cap.window.used(file.cells, base, now)
            return _count(file, limits, bases, now, tokens, WHOLE)
        finally:
            file.unlock()

    def leave(self, ticket: Ticket, tokens: int) -> None:
        """Gives back the place of a request, and makes good what was counted of its tokens."""
        if ticket.over:
            return
        ticket.over = True
        difference = tokens - ticket.tokens
        if not ticket.returns:
            return
        advance = ticket.advance
        if advance is not None:
            if ticket.at == advance.at and advance.good_until:
                advance.tokens -= difference  # what this does not take back goes with the rest
            elif difference:
                advance.owe(int(ticket.at), difference)
                self._advances.note(advance)
            return
        now = self._now()
        file = self._opened()
        try:
            file.lock()
        except Unavailable:
            log.warning("what a request used is not taken back from its limits: another process holds them")
            return
        try:
            for limit in ticket.limits:
                base = file.slot(limit.key, now, limit.seconds)
                for cap in limit.caps:
                    if cap.of_tokens and difference:
                        cap.window.correct(file.cells, base, ticket.at, now, difference)
                place = base + RUNNING + file.worker
                if limit.concurrent and file.cells[place] > 0:
                    file.cells[place] -= 1
        finally:
            file.unlock()

    def counted(self, key: str, cap: Cap) -> dict[int, int]:
        """What this machine has counted in a window: the number of each span, and how much. Raises Unavailable."""
        now = self._now()
        file = self._opened()
        file.lock()
        try:
            return cap.window.counted(file.cells, file.slot(key, now, 0), now)
        finally:
            file.unlock()

    async def run(self) -> None:
        """Gives back in time what was counted in advance, for ever."""
        while True:
            await asyncio.sleep(_TICK)
            self.tick()

    def tick(self) -> None:
        """One round of that."""
        self._settle(self._advances.over(self._clock.monotonic()))
        self._advances.forget(self._now())

    async def close(self) -> None:
        """Gives back what was counted in advance, and lets go of the file."""
        if self._file is not None:
            self._settle(self._advances.all())
            self._file.close()
            self._file = None

    def _settle(self, advances: Sequence[Advance]) -> None:
        """Where the file can't be had now, the next time will do."""
        if advances:
            file = self._opened()
            try:
                file.lock()
            except Unavailable:
                return
            try:
                self._advances.settle(advances, file, self._now())
            finally:
                file.unlock()

    def _opened(self) -> LimitFile:
        if self._file is None:
            try:
                self._file = LimitFile(self._folder, self._worker)
            except OSError as error:
                log.error("limits can't be counted: %s", error)  # noqa: TRY400 - the line says it all
                raise Unavailable("limits can't be counted right now") from error
        return self._file

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _look(
    file: LimitFile, limit: Limit, base: int, now: float, tokens: int, share: Share, refusal: Refusal | None
) -> Refusal | None:
    """The refusal of one limit, or that of those before where it lasts longer."""
    cells = file.cells
    for cap in limit.caps:
        used = cap.window.used(cells, base, now)
        amount = tokens if cap.of_tokens else 1
        if used + amount > (cap.most if share is WHOLE else share.part(cap.most)):
            refusal = later(refusal, _refusal(file, limit, cap, base, now, amount, share))
    if limit.concurrent:
        most = limit.concurrent if share is WHOLE else share.part(limit.concurrent)
        running = file.running(base)
        if running >= most and running - file.bury(base) >= most:
            refusal = later(refusal, concurrent_refusal(limit, limit.concurrent))
    return refusal


def _is_near(file: LimitFile, limit: Limit, base: int, now: float, tokens: int) -> bool:
    """Whether a limit is so near its end that nothing of it should be counted in advance."""
    cells = file.cells
    return any(
        cap.most - cap.window.used(cells, base, now) < NEAR * (tokens if cap.of_tokens else 1) for cap in limit.caps
    )


def _refusal(file: LimitFile, limit: Limit, cap: Cap, base: int, now: float, amount: int, share: Share) -> Refusal:
    most = share.part(cap.most)
    used = cap.window.used(file.cells, base, now)
    never = amount > cap.most
    wait = -1.0 if never else cap.window.wait(file.cells, base, now, used + amount - most)
    reset = cap.window.wait(file.cells, base, now, used)
    return Refusal(limit, cap.name, cap.most, max(0, most - used), wait, reset)


def _count(
    file: LimitFile, limits: Sequence[Limit], bases: Sequence[int], now: float, tokens: int, share: Share
) -> Ticket:
    """Counts a request in all of its limits, after all were looked at."""
    cells = file.cells
    ticket = Ticket(limits, tokens, now)
    for limit, base in zip(limits, bases, strict=True):
        for cap in limit.caps:
            used = cap.window.add(cells, base, tokens if cap.of_tokens else 1)
            left = (cap.most if share is WHOLE else share.part(cap.most)) - used
            note(ticket, cap, left)
        if limit.concurrent:
            cells[base + RUNNING + file.worker] += 1
            ticket.returns = True
        elif limit.has_tokens:
            ticket.returns = True
    return ticket
