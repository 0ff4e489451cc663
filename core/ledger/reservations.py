"""Reservations: other services hold money under the same budgets, and say later what their work cost.

    reserve ─► open ─┬─ settle(cost) ─► settled    the rest is free again
                     ├─ release ──────► released   all of it is
                     └─ time is up ───► expired    all of it counts as spent, marked as an estimate

They live in the database, for whoever reserved may settle with another process. An expired one is never
silently released: the work may have been done, and an adjustment can put it right.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from core.auth import Principal
from core.clock import Clock, micros
from core.errors import BudgetExceeded, DatabaseError, InvalidArgument, NotFound
from core.ids import NewId
from core.ledger.budgets import Budgets
from core.ledger.lease import refusal
from core.ledger.period import window
from core.ledger.scope import scopes_of
from core.store import balances, budget_events, budgets, ledger, reservations
from core.store.balances import Holder, Taken
from core.store.budgets import Budget
from core.store.database import Database
from core.store.ledger import Entry
from core.store.reservations import EXPIRED, OPEN, RELEASED, SETTLED, Reservation

log = logging.getLogger(__name__)

MAX_OPEN = 1000  # of one user
_EVERY = 1.0  # seconds between two looks at what is overdue
_BATCH = 100
_PATIENCE, _STEP = 2.0, 0.05  # seconds, for what others give back
_PRICE = "reservation"


class _NoRoom(Exception):
    """Ends the transaction in which it was tried."""

    def __init__(self, budget: Budget, taken: Taken) -> None:
        super().__init__()
        self.budget = budget
        self.taken = taken


class Reservations:
    """All reservations of a deployment."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        new_id: NewId,
        own: Budgets | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """own: the budgets of this process, which hear of a recall at once."""
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._own = own
        self._sleep = sleep

    async def reserve(self, principal: Principal, amount: int, ttl: float, note: str) -> Reservation:
        """Holds an amount under all budgets of a principal. Raises BudgetExceeded, InvalidArgument, DatabaseError."""
        now = self._clock.now()
        made = Reservation(
            id=self._new_id("res"),
            user_id=principal.user_id,
            credential_id=principal.credential_id,
            project=principal.project,
            note=note,
            amount_nanousd=amount,
            cost_nanousd=0,
            state=OPEN,
            expires_at=now + timedelta(seconds=ttl),
            created_at=now,
            updated_at=now,
        )
        waited, recalled = 0.0, False
        while True:
            try:
                async with self._database.write() as connection:
                    await self._reserve(connection, principal, made)
                    return made
            except _NoRoom as no:
                waiting = no.taken.others and (not recalled or no.taken.silent) and waited < _PATIENCE
                if not waiting:
                    raise await self._refused(no) from None
                if not recalled:
                    await self._call_back(no.taken.balance_id)
                    recalled = True
            await self._sleep(_STEP)
            waited += _STEP

    async def settle(self, principal: Principal, reservation_id: str, cost: int) -> Reservation:
        """Pays one; a second time changes nothing. Raises NotFound, InvalidArgument, DatabaseError."""
        async with self._database.write() as connection:
            found = await _of(connection, principal, reservation_id)
            if found.state != OPEN:
                return found
            if cost > found.amount_nanousd:
                raise InvalidArgument(
                    f"the cost is more than the {found.amount_nanousd} that were reserved", field="cost_nanousd"
                )
            return await self._close(connection, found, SETTLED, cost)

    async def release(self, principal: Principal, reservation_id: str) -> Reservation:
        """Gives one back; a second time changes nothing. Raises NotFound, DatabaseError."""
        async with self._database.write() as connection:
            found = await _of(connection, principal, reservation_id)
            return found if found.state != OPEN else await self._close(connection, found, RELEASED, 0)

    async def run(self) -> None:
        """Ends those whose time is up, for ever. Any number of processes may do so."""
        while True:
            try:
                await self.expire()
            except DatabaseError:
                pass
            except Exception:
                log.exception("a fault while reservations were looked at")
            await self._sleep(_EVERY)

    async def expire(self) -> int:
        """Ends those whose time is up; how many. Raises DatabaseError."""
        async with self._database.read() as connection:
            overdue = await reservations.overdue(connection, self._clock.now(), _BATCH)
        for number in overdue:
            async with self._database.write() as connection:
                found = await reservations.get(connection, number, lock=True)
                if found is not None and found.state == OPEN:
                    await self._close(connection, found, EXPIRED, found.amount_nanousd)
        return len(overdue)

    async def _reserve(self, connection: AsyncConnection, principal: Principal, made: Reservation) -> None:
        if await reservations.count_open(connection, principal.user_id) >= MAX_OPEN:
            raise InvalidArgument(f"you have {MAX_OPEN} open reservations, which is the most")
        entries: list[Entry] = []
        for budget in await budgets.of_scopes(connection, scopes_of(principal)):
            start, _ = window(budget.period, made.created_at)
            number = await balances.find_or_add(connection, self._database, budget, start, made.created_at)
            holder = Holder(name=made.id)
            amount = made.amount_nanousd if budget.hard else 0
            if amount:
                taken = await balances.take(
                    connection,
                    self._database,
                    number,
                    holder,
                    least=amount,
                    most=amount,
                    now=made.created_at,
                    exactly=True,
                )
                if taken is not None and not taken.amount:
                    raise _NoRoom(budget, taken)
            else:
                await balances.watch(connection, self._database, number, holder, made.created_at)
            entries.append(_entry(made, ledger.HOLD, number, amount))
        await reservations.add(connection, made)
        await ledger.post(connection, self._database, entries, made.created_at)

    async def _close(self, connection: AsyncConnection, found: Reservation, state: str, cost: int) -> Reservation:
        now = self._clock.now()
        kind = ledger.RELEASE if state == RELEASED else ledger.SETTLEMENT
        entries = [
            msgspec.structs.replace(
                _entry(found, kind, held.balance_id, held.amount if state == RELEASED else cost),
                created_at=micros(now),
                held=held.amount,
                lease_id=held.lease_id,
                drawn=0 if state == RELEASED else min(cost, held.amount),
                estimated=state == EXPIRED,
            )
            for held in await reservations.held(connection, found.id)
        ]
        await ledger.post(connection, self._database, entries, now)
        await balances.end_leases(connection, found.id, now)
        await reservations.close(connection, found.id, state, cost, now)
        return replace(found, state=state, cost_nanousd=cost, updated_at=now)

    async def _call_back(self, balance_id: int) -> None:
        async with self._database.write() as connection:
            await balances.lock(connection, [balance_id])
            await balances.recall(connection, balance_id, self._clock.now())
        if self._own is not None:
            self._own.recalled(balance_id)

    async def _refused(self, no: _NoRoom) -> BudgetExceeded:
        now = self._clock.now()
        async with self._database.write() as connection:
            await budget_events.note_exhausted(connection, self._database, no.taken.balance_id, now)
        return refusal(no.budget, window(no.budget.period, now)[1].timestamp() - now.timestamp())


def _entry(reservation: Reservation, kind: str, balance_id: int, amount: int) -> Entry:
    return Entry(
        created_at=micros(reservation.created_at),
        kind=kind,
        balance_id=balance_id,
        request_id=reservation.id,
        attempt=1,
        amount=amount,
        price_source=_PRICE,
        note=reservation.note,
        user_id=reservation.user_id,
    )


async def _of(connection: AsyncConnection, principal: Principal, reservation_id: str) -> Reservation:
    found = await reservations.get(connection, reservation_id, lock=True)
    if found is None or found.user_id != principal.user_id:
        raise NotFound
    return found
