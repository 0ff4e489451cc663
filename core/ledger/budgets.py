"""The budgets of this process: who is under which, and what each has here.

    principal ─► its scopes ─► Accounts ─► Purse (a hard budget), or only a balance to charge (one that watches)
    hold ─► … ─► Hold.settle(cost) ─► Charges, for the journal

A principal's budgets are read when it is first seen and kept until a note in the log of changes names
one. After that a hold is a subtraction in memory, as long as the purses have enough.
"""

import asyncio
import itertools
import logging
from collections.abc import Iterable, Sequence

from core.auth import Principal
from core.clock import Clock
from core.errors import DatabaseError
from core.ledger.account import Account
from core.ledger.hold import Hold
from core.ledger.lease import BudgetGone
from core.ledger.purse import Purse, Sleep
from core.ledger.scope import Scope, scopes_of
from core.store import balances, budget_events, budgets, journals
from core.store.balances import Holder
from core.store.budgets import Budget
from core.store.database import Database

log = logging.getLogger(__name__)

_EVERY = 0.5  # seconds between two rounds of the background work
_MAX_SCOPES = 100_000  # remembered that have no budget
_TRIES = 3  # of a hold while its budgets are changed

_Key = tuple[int, int, str]


class Budgets:
    """All budgets, as far as this process has to do with them."""

    def __init__(
        self,
        database: Database,
        holder: Holder,
        clock: Clock,
        *,
        earlier_ends: tuple[int, int] = (0, 0),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """holder: this process's journal and life.

        earlier_ends: the segment and position in the journal up to which it speaks of earlier lives.
        """
        self._database = database
        self._holder = holder
        self._lives = itertools.count(holder.life)  # each purse has one, so that no two share a lease
        self._clock = clock
        self._sleep = sleep
        self._earlier_ends: tuple[int, int] | None = earlier_ends
        self._accounts: dict[int, Account] = {}
        self._by_scope: dict[Scope, list[Account]] = {}  # also of those that have no budget
        self._known: dict[_Key, tuple[Account, ...]] = {}
        self._changed: set[int] = set()
        self._refused: set[Purse] = set()
        self._ended: list[Purse] = []  # of periods that are over, and of budgets that are gone
        self._wake = asyncio.Event()

    def known(self, principal: Principal) -> tuple[Account, ...] | None:
        """The budgets that pay for a principal, () for none; None where only `learn` can tell."""
        return self._known.get((principal.credential_id, principal.user_id, principal.project))

    async def learn(self, principal: Principal) -> tuple[Account, ...]:
        """The same, and remembered. Raises DatabaseError."""
        scopes = scopes_of(principal)
        new = [scope for scope in scopes if scope not in self._by_scope]
        if new:
            async with self._database.read() as connection:
                found = await budgets.of_scopes(connection, new)
            self._forget_some()
            for scope in new:
                self._by_scope.setdefault(scope, [])
            for budget in found:
                self._apply(budget)
        accounts = sorted(
            (account for scope in scopes for account in self._by_scope.get(scope, ())),
            key=lambda account: account.budget.id,  # everybody takes in this order
        )
        self._known[principal.credential_id, principal.user_id, principal.project] = tuple(accounts)
        return tuple(accounts)

    def hold_now(self, accounts: Sequence[Account], amount: int, now: float) -> Hold | None:
        """Holds an amount under all of these budgets; None where that takes a conversation with the database.

        now: seconds since 1970.
        """
        purses: list[Purse] = []
        watched: list[int] = []
        for account in accounts:
            if now >= account.ends:
                break
            purse = account.purse
            if purse is None:
                watched.append(account.balance_id)
            elif purse.take_now(amount):
                purses.append(purse)
            else:
                break
        else:
            return Hold(amount, purses, watched)
        for purse in purses:
            purse.put(amount, 0)
        return None

    async def hold(self, principal: Principal, least: int, enough: int, most: int) -> Hold:
        """Holds `most` under all budgets of a principal, or what there is, at least `least`.

        enough: see Purse.take. Raises BudgetExceeded, DatabaseError.
        """
        for _ in range(_TRIES):
            accounts = self.known(principal) or await self.learn(principal)
            try:
                return await self._hold(accounts, least, enough, most)
            except BudgetGone:
                await self._refresh({account.budget.id for account in accounts})
        raise DatabaseError

    async def grow(self, hold: Hold, least: int, most: int) -> None:
        """Adds to a hold, under the same budgets. Raises BudgetExceeded, DatabaseError; the hold stays as it was."""
        amount = most
        got: list[tuple[Purse, int]] = []
        try:
            for purse in hold.purses:
                more = amount if purse.take_now(amount) else await purse.take(least, least, amount)
                got.append((purse, more))
                amount = min(amount, more)
        except BaseException:
            for purse, more in got:
                purse.put(more, 0)
            raise
        for purse, more in got:
            if more > amount:
                purse.put(more - amount, 0)
        hold.amount += amount

    def changed(self, budget_id: int) -> None:
        """A budget was made, changed or removed; 0 where it may be any."""
        self._changed |= {budget_id} if budget_id else set(self._accounts)
        if not budget_id:
            self._by_scope = {scope: found for scope, found in self._by_scope.items() if found}
            self._known.clear()
        self._wake.set()

    def recalled(self, balance_id: int) -> None:
        """Somebody needs what is idle of a balance."""
        for purse in self._purses():
            if purse.lease.balance_id == balance_id:
                purse.recalled()

    async def run(self) -> None:
        """Hears of changes, gives back what is over, and notes refusals, for ever."""
        while True:
            try:
                await self.tend()
            except DatabaseError:
                pass
            except Exception:
                log.exception("a fault while budgets were tended")
            self._wake.clear()
            try:
                async with asyncio.timeout(_EVERY):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def tend(self) -> None:
        """One round of that. Raises DatabaseError; what is not done is done the next time."""
        if self._changed:
            await self._refresh(set(self._changed))
        if self._earlier_ends is not None:
            await self._end_earlier_lives(self._earlier_ends)
        if self._refused:
            await self._note_refusals()
        now = self._clock.now().timestamp()
        for account in self._accounts.values():
            if account.purse is not None and now >= account.ends:
                self._retire(account)
        for purse in list(self._ended):
            if not purse.held:
                await purse.give_back()
                self._ended.remove(purse)

    async def close(self) -> None:
        """Gives back everything, once all is settled and shipped. Raises DatabaseError."""
        for purse in list(self._purses()):
            await purse.stop()
            await purse.give_back()

    async def _hold(self, accounts: Sequence[Account], least: int, enough: int, most: int) -> Hold:
        taken: list[tuple[Purse, int]] = []
        watched: list[int] = []
        amount = most
        try:
            for account in accounts:
                await self._in_period(account)
                purse = account.purse
                if purse is None:
                    watched.append(account.balance_id)
                    continue
                got = amount if purse.take_now(amount) else await purse.take(least, min(enough, amount), amount)
                taken.append((purse, got))
                amount = min(amount, got)
        except BaseException:
            for purse, got in taken:
                purse.put(got, 0)
            raise
        for purse, got in taken:
            if got > amount:
                purse.put(got - amount, 0)
        return Hold(amount, [purse for purse, _ in taken], watched)

    async def _in_period(self, account: Account) -> None:
        """Begins the period in which now is, where that is another than before. Raises DatabaseError."""
        async with account.turning:
            now = self._clock.now()
            if now.timestamp() < account.ends:
                return
            self._retire(account)
            holder = Holder(name=self._holder.name, life=next(self._lives))
            await account.turn(self._database, holder, self._clock, self._sleep, self._refused.add)

    def _retire(self, account: Account) -> None:
        """Takes the purse of a period that is over out of use."""
        if account.purse is not None:
            self._ended.append(account.purse)
        account.purse, account.ends = None, 0.0

    async def _refresh(self, numbers: set[int]) -> None:
        """Reads budgets anew."""
        for number in numbers:
            async with self._database.read() as connection:
                budget = await budgets.get(connection, number)
            if budget is not None:
                self._apply(budget)
            elif number in self._accounts:
                self._remove(self._accounts.pop(number))
            self._changed.discard(number)

    def _apply(self, budget: Budget) -> None:
        """Takes note of a budget as it is now, where somebody here is under it."""
        account = self._accounts.get(budget.id)
        if account is None:
            if budget.scope in self._by_scope:
                self._accounts[budget.id] = account = Account(budget)
                self._by_scope[budget.scope].append(account)
                self._known.clear()
            return
        before, account.budget = account.budget, budget
        if account.purse is not None:
            account.purse.budget = budget
            if budget.limit_nanousd < before.limit_nanousd:
                account.purse.recalled()
        if budget.hard != before.hard:
            self._retire(account)

    def _remove(self, account: Account) -> None:
        self._retire(account)
        self._by_scope[account.budget.scope].remove(account)
        self._known.clear()

    def _purses(self) -> Iterable[Purse]:
        yield from self._ended
        for account in self._accounts.values():
            if account.purse is not None:
                yield account.purse

    async def _end_earlier_lives(self, mark: tuple[int, int]) -> None:
        """Gives back what earlier processes with this journal left of their leases, once all of theirs is shipped."""
        async with self._database.write() as connection:
            found = await journals.position(connection, self._holder.name)
            if mark > (0, 0) and (found is None or tuple(found) < mark):
                return
            left = await balances.end_leases(
                connection, self._holder.name, self._clock.now(), before_life=self._holder.life
            )
        if left:
            log.info("what an earlier process had leased of budgets is free again", extra={"nanousd": left})
        self._earlier_ends = None

    async def _note_refusals(self) -> None:
        refused, self._refused = self._refused, set()
        now = self._clock.now()
        async with self._database.write() as connection:
            for purse in refused:
                await budget_events.note_exhausted(connection, self._database, purse.lease.balance_id, now)

    def _forget_some(self) -> None:
        """Keeps the memory of who has no budget within its bound."""
        if len(self._by_scope) > _MAX_SCOPES:
            self._by_scope = {scope: found for scope, found in self._by_scope.items() if found}
            self._known.clear()
