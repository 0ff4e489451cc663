"""The part of AdminService that is about budgets and their ledger.

request ─► checked ─► the budget's row and a note of the change ─► read anew, here at once
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from core import inputs
from core.deps import Deps
from core.errors import InvalidArgument, NameExists, NoChanges, NotFound
from core.ledger import scope as scopes
from core.ledger.period import window
from core.rpc import caller, masks, paging, scoped
from core.rpc.budget_message import budget_message, entry_message, kind_of, period_of
from core.store import balances, budgets, ledger
from core.store.budgets import Budget
from llmrouter.v1 import budget_pb2

MOST = 10**15  # nano-dollars: a million dollars
_MOST_PERCENT = 1000
_MAX_THRESHOLDS = 10
_MAX_NAME = 200
_CHANGEABLE = ("limit_nanousd", "hard", "thresholds")
_LAST = 2**63 - 1


class BudgetAdministration:
    """Budgets of scopes, what they have spent, and the entries that prove it."""

    deps: Deps

    async def ListBudgets(self, request: budget_pb2.ListBudgetsRequest, context: Any) -> budget_pb2.ListBudgetsResponse:
        size = paging.page_size(request.page_size, default=1000, most=1000)
        (after_id,) = paging.decode(request.page_token, 0)
        kind = kind_of(request.scope) if request.scope else ""
        scope_id = inputs.line(request.scope_id, "scope_id", most=_MAX_NAME) if request.HasField("scope_id") else None
        async with self.deps.database.read() as connection:
            found = await budgets.page(connection, after_id=after_id, limit=size + 1, kind=kind, scope_id=scope_id)
            page, more = paging.cut(found, size)
            messages = [await self._message(connection, budget) for budget in page]
        return budget_pb2.ListBudgetsResponse(
            budgets=messages, next_page_token=paging.encode(page[-1].id) if more else ""
        )

    async def GetBudget(self, request: budget_pb2.GetBudgetRequest, context: Any) -> budget_pb2.GetBudgetResponse:
        async with self.deps.database.read() as connection:
            budget = await _existing(connection, request.id)
            return budget_pb2.GetBudgetResponse(budget=await self._message(connection, budget))

    async def CreateBudget(
        self, request: budget_pb2.CreateBudgetRequest, context: Any
    ) -> budget_pb2.CreateBudgetResponse:
        kind, period = kind_of(request.scope), period_of(request.period)
        scope_id = _scope_id(kind, request.scope_id)
        limit, thresholds = amount(request.limit_nanousd, "limit_nanousd"), _percents(request.thresholds)
        try:
            async with self.deps.database.write() as connection:
                if not await scoped.exists(connection, kind, scope_id, self.deps.clock.now()):
                    raise InvalidArgument(f"there is no such {kind}", field="scope_id")
                budget = await budgets.add(
                    connection,
                    scope=(kind, scope_id),
                    period=period,
                    limit_nanousd=limit,
                    hard=request.hard,
                    thresholds=thresholds,
                    now=self.deps.clock.now(),
                )
                message = await self._message(connection, budget)
        except IntegrityError as error:
            raise NameExists("this scope has a budget of this period; change that one", field="scope_id") from error
        self._changed(budget.id)
        return budget_pb2.CreateBudgetResponse(budget=message)

    async def UpdateBudget(
        self, request: budget_pb2.UpdateBudgetRequest, context: Any
    ) -> budget_pb2.UpdateBudgetResponse:
        fields = masks.fields_to_change(request, _CHANGEABLE)
        if not fields:
            raise NoChanges
        values: dict[str, Any] = {}
        if "limit_nanousd" in fields:
            values["limit_nanousd"] = amount(request.limit_nanousd, "limit_nanousd")
        if "hard" in fields:
            values["hard"] = request.hard
        if "thresholds" in fields:
            values["thresholds"] = " ".join(map(str, _percents(request.thresholds)))
        async with self.deps.database.write() as connection:
            budget = await budgets.update(connection, request.id, self.deps.clock.now(), **values)
            if budget is None:
                raise NotFound
            message = await self._message(connection, budget)
        self._changed(budget.id)
        return budget_pb2.UpdateBudgetResponse(budget=message)

    async def DeleteBudget(
        self, request: budget_pb2.DeleteBudgetRequest, context: Any
    ) -> budget_pb2.DeleteBudgetResponse:
        async with self.deps.database.write() as connection:
            if not await budgets.remove(connection, request.id, self.deps.clock.now()):
                raise NotFound
        self._changed(request.id)
        return budget_pb2.DeleteBudgetResponse()

    async def AdjustBalance(
        self, request: budget_pb2.AdjustBalanceRequest, context: Any
    ) -> budget_pb2.AdjustBalanceResponse:
        now = self.deps.clock.now()
        if not request.amount_nanousd or abs(request.amount_nanousd) > MOST:
            raise InvalidArgument(f"amount_nanousd must be from {-MOST} to {MOST}, and not 0", field="amount_nanousd")
        note = inputs.line(request.note, "note", least=1, most=200)
        key = inputs.line(request.idempotency_key, "idempotency_key", most=80)
        async with self.deps.database.write() as connection:
            budget = await _existing(connection, request.budget_id)
            start, _ = window(budget.period, now)
            number = await balances.find_or_add(connection, self.deps.database, budget, start, now)
            entry = ledger.adjustment(
                number,
                request.amount_nanousd,
                entry_id=_entry_id(key) if key else self.deps.new_id("adj"),
                note=note,
                user_id=caller.current().principal.user_id,
                now=now,
            )
            await ledger.post(connection, self.deps.database, [entry], now)
            message = await self._message(connection, budget)
        return budget_pb2.AdjustBalanceResponse(budget=message)

    async def ListLedgerEntries(
        self, request: budget_pb2.ListLedgerEntriesRequest, context: Any
    ) -> budget_pb2.ListLedgerEntriesResponse:
        size = paging.page_size(request.page_size, default=100, most=1000)
        (before_id,) = paging.decode(request.page_token, _LAST)
        async with self.deps.database.read() as connection:
            found = await ledger.page(
                connection, balance_id=request.balance_id or None, before_id=before_id, limit=size + 1
            )
        rows, more = paging.cut(found, size)
        return budget_pb2.ListLedgerEntriesResponse(
            entries=map(entry_message, rows), next_page_token=paging.encode(rows[-1].id) if more else ""
        )

    async def _message(self, connection: AsyncConnection, budget: Budget) -> budget_pb2.Budget:
        now = self.deps.clock.now()
        balance = await balances.find(connection, budget.id, window(budget.period, now)[0])
        return budget_message(budget, balance, now)

    def _changed(self, budget_id: int) -> None:
        if self.deps.budgets is not None:
            self.deps.budgets.changed(budget_id)


def amount(value: int, field: str) -> int:
    """An amount of money within reason. Raises InvalidArgument."""
    if not 0 <= value <= MOST:
        raise InvalidArgument(f"{field} must be from 0 to {MOST}", field=field)
    return value


async def _existing(connection: AsyncConnection, budget_id: int) -> Budget:
    budget = await budgets.get(connection, budget_id)
    if budget is None:
        raise NotFound
    return budget


def _scope_id(kind: str, text: str) -> str:
    if kind == scopes.DEPLOYMENT:
        if text:
            raise InvalidArgument("the deployment has no id", field="scope_id")
        return ""
    text = inputs.line(text, "scope_id", least=1, most=_MAX_NAME)
    if kind == scopes.PROJECT:
        return text
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidArgument("scope_id must be a number", field="scope_id")
    return str(int(text))


def _percents(given: Sequence[int]) -> Sequence[int]:
    if len(given) > _MAX_THRESHOLDS or not all(1 <= percent <= _MOST_PERCENT for percent in given):
        raise InvalidArgument(
            f"thresholds must be at most {_MAX_THRESHOLDS} percents from 1 to {_MOST_PERCENT}", field="thresholds"
        )
    return sorted(set(given))


def _entry_id(key: str) -> str:
    """An id that nobody's request can have."""
    return f"adj_{hashlib.sha256(key.encode()).hexdigest()[:24]}"
