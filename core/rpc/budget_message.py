"""Budgets, reservations, entries of the ledger and webhooks as messages."""

from datetime import datetime

from core.errors import InvalidArgument
from core.ledger import period as periods
from core.ledger import scope as scopes
from core.rpc.times import to_timestamp
from core.store.balances import Balance
from core.store.budgets import Budget
from core.store.ledger import EntryRow
from core.store.reservations import Reservation
from core.store.webhooks import Webhook
from llmrouter.v1 import budget_pb2 as pb

_KINDS = {
    pb.BUDGET_SCOPE_CREDENTIAL: scopes.CREDENTIAL,
    pb.BUDGET_SCOPE_USER: scopes.USER,
    pb.BUDGET_SCOPE_PROJECT: scopes.PROJECT,
    pb.BUDGET_SCOPE_DEPLOYMENT: scopes.DEPLOYMENT,
}
_SCOPES = {kind: scope for scope, kind in _KINDS.items()}
_PERIODS = {
    pb.BUDGET_PERIOD_DAY: periods.DAY,
    pb.BUDGET_PERIOD_WEEK: periods.WEEK,
    pb.BUDGET_PERIOD_MONTH: periods.MONTH,
    pb.BUDGET_PERIOD_TOTAL: periods.TOTAL,
}
_PERIODS_BACK = {name: period for period, name in _PERIODS.items()}
_ENTRY_KINDS = {
    "hold": pb.LEDGER_ENTRY_KIND_HOLD,
    "settlement": pb.LEDGER_ENTRY_KIND_SETTLEMENT,
    "release": pb.LEDGER_ENTRY_KIND_RELEASE,
    "adjustment": pb.LEDGER_ENTRY_KIND_ADJUSTMENT,
}
_STATES = {
    "open": pb.RESERVATION_STATE_OPEN,
    "settled": pb.RESERVATION_STATE_SETTLED,
    "released": pb.RESERVATION_STATE_RELEASED,
    "expired": pb.RESERVATION_STATE_EXPIRED,
}


def kind_of(scope: pb.BudgetScope) -> str:
    """The kind of a scope. Raises InvalidArgument."""
    kind = _KINDS.get(scope)
    if kind is None:
        raise InvalidArgument("name the scope of the budget", field="scope")
    return kind


def scope_of(kind: str) -> pb.BudgetScope:
    """The same, back."""
    return _SCOPES.get(kind, pb.BUDGET_SCOPE_UNSPECIFIED)


def period_of(period: pb.BudgetPeriod) -> str:
    """The name of a period. Raises InvalidArgument."""
    name = _PERIODS.get(period)
    if name is None:
        raise InvalidArgument("name the period of the budget", field="period")
    return name


def period_named(name: str) -> pb.BudgetPeriod:
    """The same, back."""
    return _PERIODS_BACK.get(name, pb.BUDGET_PERIOD_UNSPECIFIED)


def budget_message(budget: Budget, balance: Balance | None, now: datetime) -> pb.Budget:
    """A budget with the balance of the present period, None where nothing happened in it."""
    start, end = periods.window(budget.period, now)
    settled = balance.settled_nanousd if balance else 0
    return pb.Budget(
        id=budget.id,
        scope=scope_of(budget.scope_kind),
        scope_id=budget.scope_id,
        period=period_named(budget.period),
        limit_nanousd=budget.limit_nanousd,
        hard=budget.hard,
        thresholds=budget.percents,
        created_at=to_timestamp(budget.created_at),
        updated_at=to_timestamp(budget.updated_at),
        balance=pb.Balance(
            id=balance.id if balance else 0,
            period_start=to_timestamp(start),
            period_end=None if budget.period == periods.TOTAL else to_timestamp(end),
            settled_nanousd=settled,
            leased_nanousd=balance.leased_nanousd if balance else 0,
            remaining_nanousd=budget.limit_nanousd - settled,
        ),
    )


def entry_message(row: EntryRow) -> pb.LedgerEntry:
    """An entry of the ledger."""
    return pb.LedgerEntry(
        id=row.id,
        created_at=to_timestamp(row.created_at),
        kind=_ENTRY_KINDS.get(row.kind, pb.LEDGER_ENTRY_KIND_UNSPECIFIED),
        balance_id=row.balance_id,
        request_id=row.request_id,
        attempt=row.attempt,
        amount_nanousd=row.amount_nanousd,
        held_nanousd=row.held_nanousd,
        price_source=row.price_source,
        token_source=row.token_source,
        estimated=row.estimated,
        note=row.note,
        user_id=row.user_id,
    )


def reservation_message(reservation: Reservation) -> pb.Reservation:
    """A reservation."""
    return pb.Reservation(
        id=reservation.id,
        amount_nanousd=reservation.amount_nanousd,
        cost_nanousd=reservation.cost_nanousd,
        state=_STATES.get(reservation.state, pb.RESERVATION_STATE_UNSPECIFIED),
        note=reservation.note,
        created_at=to_timestamp(reservation.created_at),
        expires_at=to_timestamp(reservation.expires_at),
    )


def webhook_message(webhook: Webhook) -> pb.Webhook:
    """A webhook, without its secret."""
    return pb.Webhook(
        id=webhook.id,
        url=webhook.url,
        enabled=webhook.enabled,
        created_at=to_timestamp(webhook.created_at),
        updated_at=to_timestamp(webhook.updated_at),
    )
