"""Events of budgets: a threshold was reached, or a hard cap. Each is noted once for a budget's period."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store import webhooks
from core.store.database import Database
from core.store.tables import balances, budget_events, budgets

THRESHOLD: Final = "threshold"
EXHAUSTED: Final = "exhausted"

_ALL = 100  # percent


@dataclass(frozen=True, slots=True)
class BudgetEvent:
    """An event, with the balance that it is about."""

    id: int
    kind: str
    percent: int
    settled_nanousd: int
    limit_nanousd: int
    created_at: datetime
    budget_id: int
    scope_kind: str
    scope_id: str
    period: str
    starts_at: datetime


async def note_thresholds(
    connection: AsyncConnection, database: Database, spent: Mapping[int, int], now: datetime
) -> None:
    """Notes the thresholds that balances have come to; spent: by how much each has just grown."""
    if not spent:
        return
    query = (
        sa.select(
            balances.c.id,
            balances.c.settled_nanousd,
            budgets.c.limit_nanousd,
            budgets.c.hard,
            budgets.c.thresholds,
        )
        .join(budgets, budgets.c.id == balances.c.budget_id)
        .where(balances.c.id.in_(spent), sa.or_(budgets.c.hard, budgets.c.thresholds != ""))
    )
    for balance_id, settled, limit, hard, thresholds in (await connection.execute(query)).all():
        before = settled - spent[balance_id]
        for percent in map(int, thresholds.split()):
            if _reached(before, percent, limit) < _reached(settled, percent, limit):
                await _note(connection, database, balance_id, THRESHOLD, percent, settled, limit, now)
        if hard and _reached(before, _ALL, limit) < _reached(settled, _ALL, limit):
            await _note(connection, database, balance_id, EXHAUSTED, _ALL, settled, limit, now)


async def note_exhausted(connection: AsyncConnection, database: Database, balance_id: int, now: datetime) -> None:
    """Notes that a request was refused because a balance had no room for it."""
    query = (
        sa.select(balances.c.settled_nanousd, budgets.c.limit_nanousd)
        .join(budgets, budgets.c.id == balances.c.budget_id)
        .where(balances.c.id == balance_id)
    )
    row = (await connection.execute(query)).first()
    if row is not None:
        await _note(connection, database, balance_id, EXHAUSTED, _ALL, row[0], row[1], now)


async def get(connection: AsyncConnection, event_id: int) -> BudgetEvent | None:
    """One event."""
    row = (await connection.execute(_QUERY.where(budget_events.c.id == event_id))).first()
    return None if row is None else BudgetEvent(*row)


async def page(connection: AsyncConnection, *, after_id: int, limit: int) -> Sequence[BudgetEvent]:
    """At most `limit` events with a higher number, in order."""
    query = _QUERY.where(budget_events.c.id > after_id).order_by(budget_events.c.id).limit(limit)
    return [BudgetEvent(*row) for row in await connection.execute(query)]


_QUERY = sa.select(
    budget_events.c.id,
    budget_events.c.kind,
    budget_events.c.percent,
    budget_events.c.settled_nanousd,
    budget_events.c.limit_nanousd,
    budget_events.c.created_at,
    balances.c.budget_id,
    balances.c.scope_kind,
    balances.c.scope_id,
    balances.c.period,
    balances.c.starts_at,
).join(balances, balances.c.id == budget_events.c.balance_id)


def _reached(settled: int, percent: int, limit: int) -> bool:
    return settled * 100 >= percent * limit


async def _note(
    connection: AsyncConnection,
    database: Database,
    balance_id: int,
    kind: str,
    percent: int,
    settled: int,
    limit: int,
    now: datetime,
) -> None:
    statement = database.insert(budget_events).values(
        balance_id=balance_id,
        kind=kind,
        percent=percent,
        settled_nanousd=settled,
        limit_nanousd=limit,
        created_at=now,
    )
    event_id = (await connection.execute(statement.on_conflict_do_nothing().returning(budget_events.c.id))).scalar()
    if event_id is not None:
        await webhooks.tell_all(connection, event_id, now)
