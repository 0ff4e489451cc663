"""Goals. Each belongs to a user, and every function asks whose it is: to others it is not there."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import goals
from core.store.weight import weighed


@dataclass(frozen=True, slots=True)
class GoalRow:
    id: str
    user_id: int
    title: str
    description: str
    status: str  # "pending", "in_progress", "completed" or "cancelled"
    created_at: datetime
    updated_at: datetime


class GoalChange(TypedDict, total=False):
    """What to change of a goal; what is absent stays."""

    title: str
    description: str
    status: str


_COLUMNS = [goals.c[each.name] for each in fields(GoalRow)]


async def page(
    connection: AsyncConnection, user_id: int, *, before: tuple[int, str] | None, limit: int
) -> tuple[Sequence[GoalRow], bool]:
    """A user's goals, the newest first, and whether there are more.

    before: when the last one of the page before was made, in microseconds since 1970, and its id. There are at most
    `limit`, and no more than one answer can hold (core/store/weight.py).
    """
    query = sa.select(*_COLUMNS).where(goals.c.user_id == user_id)
    if before is not None:
        query = query.where(sa.tuple_(goals.c.created_at, goals.c.id) < before)
    query = query.order_by(goals.c.created_at.desc(), goals.c.id.desc())
    rows, more = await weighed(connection, query, key=goals.c.id, text=goals.c.description, limit=limit)
    return [GoalRow(*row) for row in rows], more


async def add(connection: AsyncConnection, goal: GoalRow) -> None:
    await connection.execute(sa.insert(goals).values(asdict(goal)))


async def change(
    connection: AsyncConnection, goal_id: str, user_id: int, values: GoalChange, now: datetime
) -> GoalRow | None:
    """The goal after the change; None where the user has none of that id."""
    statement = sa.update(goals).where(_of(goal_id, user_id)).values(**values, updated_at=now).returning(*_COLUMNS)
    row = (await connection.execute(statement)).first()
    return None if row is None else GoalRow(*row)


async def remove(connection: AsyncConnection, goal_id: str, user_id: int) -> bool:
    """Removes a goal; false where the user has none of that id."""
    return (await connection.execute(sa.delete(goals).where(_of(goal_id, user_id)))).rowcount > 0


def _of(goal_id: str, user_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(goals.c.id == goal_id, goals.c.user_id == user_id)
