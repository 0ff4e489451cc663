"""What usage was for: sums by user, credential, project, provider, model, day or month."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store import usage_marks
from core.store.database import Database
from core.store.rollups import month_of
from core.store.tables import usage_daily, usage_records
from core.store.usage_days import DAY

_COLUMNS = {"user": "user_id", "credential": "credential_id", "status": "status_class"}


@dataclass(frozen=True, slots=True)
class Part:
    """Sums over a part of the requests. name: a number, a text, or microseconds for a day or a month."""

    name: int | str
    requests: int
    failures: int
    input_tokens: int
    output_tokens: int
    cost_nanousd: int


async def breakdown(
    connection: AsyncConnection, database: Database, by: str, *, first: int, last: int, limit: int
) -> Sequence[Part]:
    """The parts of the requests of some days; the dearest first, but days and months in their order.

    by: "user", "credential", "project", "provider", "model", "status", "day" or "month".
    first, last: the beginnings of the first day and of the day after the last, in microseconds. The connection is
    a snapshot: what is not summed up yet is counted from the records.
    """
    marks = await usage_marks.read(connection)
    days, late = usage_daily.c, usage_records.c
    sums = [days[name] for name in ("requests", "failures", "input_tokens", "output_tokens", "cost_nanousd")]
    summed = sa.select(_key(by, database, days.day, days), *sums).where(days.day >= first, days.day < last)
    to_add = sa.select(
        _key(by, database, late.created_at, late),
        sa.literal(1, sa.BigInteger),
        sa.case((late.outcome != "answered", 1), else_=0),
        late.input_tokens,
        late.output_tokens,
        sa.func.coalesce(late.cost_nanousd, 0),
    ).where(late.id > marks.summed_to, late.created_at >= first, late.created_at < last)
    both = summed.union_all(to_add).subquery().c
    totals = [sa.cast(sa.func.sum(both[column.name]), sa.BigInteger).label(column.name) for column in sums]
    query = sa.select(both.key, *totals).group_by(both.key).limit(limit)
    in_order = by in ("day", "month")
    query = query.order_by(both.key) if in_order else query.order_by(sa.text("cost_nanousd DESC"), both.key)
    return [Part(*row) for row in await connection.execute(query)]


def _key(by: str, database: Database, moment: sa.ColumnElement[Any], columns: Any) -> sa.Label[Any]:
    if by in ("day", "month"):
        text = month_of(str(moment), on_sqlite=database.is_sqlite) if by == "month" else f"{moment} - {moment} % {DAY}"
        return sa.literal_column(text, sa.BigInteger).label("key")
    if by == "status" and "status_code" in columns:
        return sa.literal_column("status_code / 100", sa.Integer).label("key")
    return columns[_COLUMNS.get(by, by)].label("key")
