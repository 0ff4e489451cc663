"""The part of UsageService by which other services share the budgets."""

from typing import Any

from core import inputs
from core.deps import Deps
from core.errors import InvalidArgument
from core.ledger.period import window
from core.ledger.reservations import Reservations
from core.ledger.scope import scopes_of
from core.rpc import caller
from core.rpc.belongings import checked_id
from core.rpc.budget_message import budget_message, reservation_message
from core.rpc.budgets import MOST
from core.store import balances, budgets
from llmrouter.v1 import budget_pb2

_TTL = 3600
_MOST_TTL = 30 * 24 * 3600


class ReservationMethods:
    """Reserve, settle, release, and what is left."""

    deps: Deps

    async def Reserve(self, request: budget_pb2.ReserveRequest, context: Any) -> budget_pb2.ReserveResponse:
        if not 0 < request.amount_nanousd <= MOST:
            raise InvalidArgument(f"amount_nanousd must be from 1 to {MOST}", field="amount_nanousd")
        if not 0 <= request.ttl_seconds <= _MOST_TTL:
            raise InvalidArgument(f"ttl_seconds must be from 0 to {_MOST_TTL}", field="ttl_seconds")
        note = inputs.line(request.note, "note", most=200)
        made = await self._reservations().reserve(
            caller.current().principal, request.amount_nanousd, request.ttl_seconds or _TTL, note
        )
        return budget_pb2.ReserveResponse(reservation=reservation_message(made))

    async def Settle(self, request: budget_pb2.SettleRequest, context: Any) -> budget_pb2.SettleResponse:
        if request.cost_nanousd < 0:
            raise InvalidArgument("cost_nanousd must not be negative", field="cost_nanousd")
        found = await self._reservations().settle(
            caller.current().principal, checked_id(request.id), request.cost_nanousd
        )
        return budget_pb2.SettleResponse(reservation=reservation_message(found))

    async def Release(self, request: budget_pb2.ReleaseRequest, context: Any) -> budget_pb2.ReleaseResponse:
        found = await self._reservations().release(caller.current().principal, checked_id(request.id))
        return budget_pb2.ReleaseResponse(reservation=reservation_message(found))

    async def GetBalance(self, request: budget_pb2.GetBalanceRequest, context: Any) -> budget_pb2.GetBalanceResponse:
        now = self.deps.clock.now()
        messages: list[budget_pb2.Budget] = []
        async with self.deps.database.read() as connection:
            for budget in await budgets.of_scopes(connection, scopes_of(caller.current().principal)):
                balance = await balances.find(connection, budget.id, window(budget.period, now)[0])
                messages.append(budget_message(budget, balance, now))
        return budget_pb2.GetBalanceResponse(budgets=messages)

    def _reservations(self) -> Reservations:
        deps = self.deps
        return Reservations(deps.database, deps.clock, deps.new_id, deps.budgets)
