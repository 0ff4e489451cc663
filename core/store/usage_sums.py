"""Questions that the sums over usage answer: a user's totals in a span of time, and the overview."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import micros
from core.store import usage, usage_marks
from core.store.rollups import HOUR
from core.store.tables import usage_hourly, usage_monthly, usage_records, users
from core.store.usage import Selection, Sums


@dataclass(frozen=True, slots=True)
class Spend:
    """What requests cost, in nano-dollars."""

    today: int
    month: int
    year: int
    requests: int  # all that there ever were
    tokens: int  # of all of them, in and out


@dataclass(frozen=True, slots=True)
class Spender:
    """A user or a project, with its requests of a month. name: None for a user who was removed."""

    id: int
    name: str | None
    cost_nanousd: int
    requests: int


async def of_user(connection: AsyncConnection, user_id: int, start: datetime | None, end: datetime | None) -> Sums:
    """Sums over a user's requests from `start` on and before `end`; the connection is a snapshot.

    Whole hours come from their sums, and from the records what is left at the two ends, and what the sums
    don't have in them yet. Where records are deleted, an hour counts whole where its beginning is in the span.
    """
    first = None if start is None else micros(start)
    last = None if end is None else micros(end)
    marks = await usage_marks.read(connection)
    first, last = (None if edge is None else edge if edge >= marks.kept_from else _up(edge) for edge in (first, last))
    if first is not None and last is not None and first >= last:
        return usage.NOTHING
    from_hour = None if first is None else _up(first)
    to_hour = None if last is None else _down(last)
    selection = Selection(user_id=user_id, start=first, end=last)
    if from_hour is not None and to_hour is not None and from_hour > to_hour:  # within one hour
        return await usage.sums(connection, selection)
    total = await usage.sums(connection, replace(selection, after_id=marks.summed_to))
    total += await _of_hours(connection, user_id, from_hour, to_hour)
    for begin, stop in ((first, from_hour), (to_hour, last)):
        if begin != stop:
            edge = replace(selection, start=begin, end=stop, before_id=marks.summed_to + 1)
            total += await usage.sums(connection, edge)
    return total


async def spend(connection: AsyncConnection, user_id: int | None, *, day: int, month: int, year: int) -> Spend:
    """What requests cost since the beginnings of a day, its month and its year, in microseconds.

    user_id: whose; None for everybody's. The connection is a snapshot.
    """
    marks = await usage_marks.read(connection)
    hourly, monthly, late = usage_hourly.c, usage_monthly.c, usage_records.c
    query = sa.select(_total(hourly.cost_nanousd)).where(hourly.hour >= day, *_of(hourly.user_id, user_id))
    today = (await connection.execute(query)).scalar_one()
    query = sa.select(
        _since(month, monthly.month, monthly.cost_nanousd),
        _since(year, monthly.month, monthly.cost_nanousd),
        _total(monthly.requests),
        _total(monthly.input_tokens + monthly.output_tokens),
    ).where(*_of(monthly.user_id, user_id))
    summed = (today, *(await connection.execute(query)).one())
    query = sa.select(
        *(_since(start, late.created_at, late.cost_nanousd) for start in (day, month, year)),
        sa.func.count(),
        _total(late.input_tokens + late.output_tokens),
    ).where(late.id > marks.summed_to, *_of(late.user_id, user_id))
    to_add = (await connection.execute(query)).one()
    return Spend(*(one + other for one, other in zip(summed, to_add, strict=True)))


async def top_users(connection: AsyncConnection, user_id: int | None, *, month: int, limit: int) -> Sequence[Spender]:
    """Who spent most since the beginning of a month; requests of nobody don't count. The rest is as in `spend`."""
    sums = await _tops(connection, "user_id", user_id, month, limit, nothing=0)
    query = (
        sa.select(sums.c.user_id, users.c.email, sums.c.cost, sums.c.requests)
        .outerjoin_from(sums, users, users.c.id == sums.c.user_id)
        .order_by(sums.c.cost.desc(), sums.c.requests.desc(), sums.c.user_id)
    )
    return [Spender(*row) for row in await connection.execute(query)]


async def top_projects(
    connection: AsyncConnection, user_id: int | None, *, month: int, limit: int
) -> Sequence[Spender]:
    """What most was spent for since the beginning of a month; requests without a project don't count."""
    sums = await _tops(connection, "project", user_id, month, limit, nothing="")
    query = sa.select(sums).order_by(sums.c.cost.desc(), sums.c.requests.desc(), sums.c.project)
    return [Spender(0, *row) for row in await connection.execute(query)]


async def _tops(
    connection: AsyncConnection, name: str, user_id: int | None, month: int, limit: int, *, nothing: int | str
) -> sa.Subquery:
    """The dearest users or projects since the beginning of a month, from the sums and the records after them."""
    marks = await usage_marks.read(connection)
    monthly, late = usage_monthly.c, usage_records.c
    summed = sa.select(monthly[name], monthly.cost_nanousd.label("cost"), monthly.requests.label("requests")).where(
        monthly.month >= month, monthly[name] != nothing, *_of(monthly.user_id, user_id)
    )
    to_add = sa.select(late[name], sa.func.coalesce(late.cost_nanousd, 0), sa.literal(1, sa.BigInteger)).where(
        late.id > marks.summed_to, late.created_at >= month, late[name] != nothing, *_of(late.user_id, user_id)
    )
    both = summed.union_all(to_add).subquery()
    cost, requests = _total(both.c.cost), _total(both.c.requests)
    query = sa.select(both.c[name], cost.label("cost"), requests.label("requests")).group_by(both.c[name])
    return query.order_by(cost.desc(), requests.desc(), both.c[name]).limit(limit).subquery()


async def any_of_user(connection: AsyncConnection, user_id: int) -> bool:
    """Whether a user ever made a request."""
    for table in (usage_hourly, usage_records):
        query = sa.select(table.c.user_id).where(table.c.user_id == user_id).limit(1)
        if (await connection.execute(query)).first() is not None:
            return True
    return False


async def _of_hours(connection: AsyncConnection, user_id: int, first: int | None, last: int | None) -> Sums:
    columns = usage_hourly.c
    names = ("requests", "latency_us", "input_tokens", "output_tokens", "messages", "cost_nanousd", "failures")
    query = sa.select(*(_total(columns[name]) for name in names)).where(columns.user_id == user_id)
    if first is not None:
        query = query.where(columns.hour >= first)
    if last is not None:
        query = query.where(columns.hour < last)
    return Sums(*(await connection.execute(query)).one())


def _of(column: sa.ColumnElement[int], user_id: int | None) -> Sequence[sa.ColumnElement[bool]]:
    return () if user_id is None else (column == user_id,)


def _since(start: int, moment: sa.ColumnElement[Any], column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return _total(sa.case((moment >= start, column), else_=0))


def _total(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.cast(sa.func.sum(column), sa.BigInteger), 0)


def _down(moment: int) -> int:
    """The beginning of the hour that a time is in."""
    return moment - moment % HOUR


def _up(moment: int) -> int:
    """The beginning of the hour that does not begin before a time."""
    return -_down(-moment)
