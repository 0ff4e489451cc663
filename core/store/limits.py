"""Limits, as they are stored: one row for each scope."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import limits


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A scope's limits; 0 is none."""

    id: int
    scope_kind: str
    scope_id: str
    requests_per_minute: int
    tokens_per_minute: int
    requests_per_day: int
    tokens_per_day: int
    concurrent_requests: int
    source: str  # "api" or "config"
    created_at: datetime
    updated_at: datetime


class LimitChange(TypedDict, total=False):
    """What to change of a limit; what is absent stays."""

    requests_per_minute: int
    tokens_per_minute: int
    requests_per_day: int
    tokens_per_day: int
    concurrent_requests: int
    source: str


COUNTS = ("requests_per_minute", "tokens_per_minute", "requests_per_day", "tokens_per_day", "concurrent_requests")
"""The columns that limit something."""

_COLUMNS = [limits.c[each.name] for each in fields(LimitRow)]


async def all_rows(connection: AsyncConnection) -> Sequence[LimitRow]:
    """Every limit, in the order of their numbers."""
    query = sa.select(*_COLUMNS).order_by(limits.c.id)
    return [LimitRow(*row) for row in await connection.execute(query)]


async def lock_all(connection: AsyncConnection) -> Sequence[LimitRow]:
    """Every limit; until the transaction ends nobody else adds, changes or removes one.

    On SQLite every transaction that writes is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.text("LOCK TABLE limits IN EXCLUSIVE MODE"))
    return await all_rows(connection)


async def page(connection: AsyncConnection, kind: str, *, after_id: int, limit: int) -> Sequence[LimitRow]:
    """At most `limit` limits with a number above `after_id`, in order. kind: of the scope; "" for all."""
    query = sa.select(*_COLUMNS).where(limits.c.id > after_id).order_by(limits.c.id).limit(limit)
    if kind:
        query = query.where(limits.c.scope_kind == kind)
    return [LimitRow(*row) for row in await connection.execute(query)]


async def get(connection: AsyncConnection, limit_id: int) -> LimitRow | None:
    row = (await connection.execute(sa.select(*_COLUMNS).where(limits.c.id == limit_id))).first()
    return None if row is None else LimitRow(*row)


async def of_scope(connection: AsyncConnection, kind: str, scope_id: str) -> LimitRow | None:
    """The limit of exactly this scope."""
    query = sa.select(*_COLUMNS).where(limits.c.scope_kind == kind, limits.c.scope_id == scope_id)
    row = (await connection.execute(query)).first()
    return None if row is None else LimitRow(*row)


async def count(connection: AsyncConnection) -> int:
    return (await connection.execute(sa.select(sa.func.count()).select_from(limits))).scalar_one()


async def add(
    connection: AsyncConnection, kind: str, scope_id: str, counts: LimitChange, source: str, now: datetime
) -> LimitRow:
    """Adds a scope's limits. Raises IntegrityError where it has some."""
    values = {
        **dict.fromkeys(COUNTS, 0),
        **counts,
        "scope_kind": kind,
        "scope_id": scope_id,
        "source": source,
        "created_at": now,
        "updated_at": now,
    }
    return LimitRow(*(await connection.execute(sa.insert(limits).values(values).returning(*_COLUMNS))).one())


async def change(connection: AsyncConnection, limit_id: int, values: LimitChange, now: datetime) -> LimitRow | None:
    """The limit after the change, None where there is none."""
    statement = sa.update(limits).where(limits.c.id == limit_id).values(**values, updated_at=now).returning(*_COLUMNS)
    row = (await connection.execute(statement)).first()
    return None if row is None else LimitRow(*row)


async def remove(connection: AsyncConnection, limit_id: int) -> bool:
    """Removes a limit; false where there is none."""
    return (await connection.execute(sa.delete(limits).where(limits.c.id == limit_id))).rowcount > 0
