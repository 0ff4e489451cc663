"""Budgets: how much a scope may spend in a period.

A scope is a kind and an id: a credential's or a user's number as text, a project's name, or the whole
deployment, whose id is "". Who changes a budget notes it in the same transaction, and every core
process hears of it within a second.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store import changes
from core.store.database import Database
from core.store.tables import budgets

CHANGE = "budget"
"""The kind of a note about a budget in the log of changes."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as it is stored."""

    id: int
    scope_kind: str
    scope_id: str
    period: str
    limit_nanousd: int
    hard: bool  # whether a request that does not fit is refused
    thresholds: str  # percents of the limit at which to tell, separated by spaces
    created_at: datetime
    updated_at: datetime

    @property
    def scope(self) -> tuple[str, str]:
        return self.scope_kind, self.scope_id

    @property
    def percents(self) -> Sequence[int]:
        return tuple(map(int, self.thresholds.split()))


_COLUMNS = list(budgets.c)


async def add(
    connection: AsyncConnection,
    *,
    scope: tuple[str, str],
    period: str,
    limit_nanousd: int,
    hard: bool,
    thresholds: Sequence[int],
    now: datetime,
) -> Budget:
    """Makes a budget. Raises IntegrityError where its scope has one of that period."""
    values: dict[str, Any] = {
        "scope_kind": scope[0],
        "scope_id": scope[1],
        "period": period,
        "limit_nanousd": limit_nanousd,
        "hard": hard,
        "thresholds": " ".join(map(str, sorted(set(thresholds)))),
        "created_at": now,
        "updated_at": now,
    }
    row = (await connection.execute(sa.insert(budgets).values(**values).returning(*_COLUMNS))).one()
    await changes.note(connection, CHANGE, row[0], now)
    return Budget(*row)


async def set_cap(
    connection: AsyncConnection,
    database: Database,
    scope: tuple[str, str],
    period: str,
    cap_nanousd: int | None,
    now: datetime,
) -> None:
    """Makes, changes or (None) removes the hard cap of a scope in a period."""
    if cap_nanousd is None:
        found = await of_scopes(connection, [scope])
        for budget in found:
            if budget.period == period:
                await remove(connection, budget.id, now)
        return
    changed = {"limit_nanousd": cap_nanousd, "hard": True, "updated_at": now}
    statement = database.insert(budgets).values(
        scope_kind=scope[0], scope_id=scope[1], period=period, thresholds="", created_at=now, **changed
    )
    columns = [budgets.c.scope_kind, budgets.c.scope_id, budgets.c.period]
    row = await connection.execute(
        statement.on_conflict_do_update(index_elements=columns, set_=changed).returning(budgets.c.id)
    )
    await changes.note(connection, CHANGE, row.scalar_one(), now)


async def get(connection: AsyncConnection, budget_id: int, *, lock: bool = False) -> Budget | None:
    """One budget."""
    query = sa.select(*_COLUMNS).where(budgets.c.id == budget_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    return None if row is None else Budget(*row)


async def page(
    connection: AsyncConnection, *, after_id: int, limit: int, kind: str = "", scope_id: str | None = None
) -> Sequence[Budget]:
    """At most `limit` budgets with a higher number, in the order of their numbers."""
    query = sa.select(*_COLUMNS).where(budgets.c.id > after_id)
    if kind:
        query = query.where(budgets.c.scope_kind == kind)
    if scope_id is not None:
        query = query.where(budgets.c.scope_id == scope_id)
    rows = await connection.execute(query.order_by(budgets.c.id).limit(limit))
    return [Budget(*row) for row in rows]


async def of_scopes(connection: AsyncConnection, scopes: Iterable[tuple[str, str]]) -> Sequence[Budget]:
    """The budgets of some scopes, in the order of their numbers."""
    wanted = [sa.and_(budgets.c.scope_kind == kind, budgets.c.scope_id == name) for kind, name in scopes]
    if not wanted:
        return []
    rows = await connection.execute(sa.select(*_COLUMNS).where(sa.or_(*wanted)).order_by(budgets.c.id))
    return [Budget(*row) for row in rows]


async def every(connection: AsyncConnection) -> Sequence[Budget]:
    """All budgets, in the order of their numbers."""
    return [Budget(*row) for row in await connection.execute(sa.select(*_COLUMNS).order_by(budgets.c.id))]


async def update(connection: AsyncConnection, budget_id: int, now: datetime, **values: Any) -> Budget | None:
    """Changes columns of a budget; None where there is none."""
    statement = sa.update(budgets).where(budgets.c.id == budget_id).values(**values, updated_at=now)
    row = (await connection.execute(statement.returning(*_COLUMNS))).first()
    if row is None:
        return None
    await changes.note(connection, CHANGE, budget_id, now)
    return Budget(*row)


async def remove(connection: AsyncConnection, budget_id: int, now: datetime) -> bool:
    """Removes a budget, whose accounts stay; false where there is none."""
    gone = await connection.execute(sa.delete(budgets).where(budgets.c.id == budget_id))
    if not gone.rowcount:
        return False
    await changes.note(connection, CHANGE, budget_id, now)
    return True
