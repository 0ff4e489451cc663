"""Sums over usage records: by hour, by day and by month.

    records ─┬─► usage_hourly    user                                                    spans of time
             ├─► usage_daily     user, credential, project, provider, model, status      what it was for
             └─► usage_monthly   user, project                                           the overview

They answer at once where counting the records would take a while, and they stay when old records are
deleted. Each record is added once, some seconds after it came: usage_marks.py knows which are in. What
is not is counted from the records (usage_sums.py), so that no answer is late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store import usage_days
from core.store.database import Database
from core.store.usage_days import DAY

HOUR = 3_600_000_000  # microseconds

BEGINNING = -(2**63)
"""Before all times."""

_SUMS = {
    "requests": "count(*)",
    "failures": "sum(CASE WHEN outcome <> 'answered' THEN 1 ELSE 0 END)",
    "latency_us": "sum(latency_us)",
    "input_tokens": "sum(input_tokens)",
    "output_tokens": "sum(output_tokens)",
    "cached_input_tokens": "sum(cached_input_tokens)",
    "reasoning_tokens": "sum(reasoning_tokens)",
    "messages": "sum(messages)",
    "cost_nanousd": "coalesce(sum(cost_nanousd), 0)",
}


def month_of(column: str, *, on_sqlite: bool) -> str:
    """The beginning of the UTC month of a time, in SQL."""
    if on_sqlite:
        return f"CAST(strftime('%s', {column} / 1000000, 'unixepoch', 'start of month') AS INTEGER) * 1000000"
    local = f"to_timestamp({column} / 1000000) AT TIME ZONE 'UTC'"
    return f"CAST(extract(epoch FROM date_trunc('month', {local})) AS bigint) * 1000000"


@dataclass(frozen=True, slots=True)
class Grouping:
    """A table of sums. keys: its columns, each as it is made of a record; start: the one that is a time."""

    table: str
    start: str
    keys: Mapping[str, str]

    @property
    def columns(self) -> Sequence[str]:
        return (*self.keys, *_SUMS)

    def selected(self, where: str) -> str:
        """The rows that some records make."""
        columns = ", ".join(f"{made} AS {name}" for name, made in {**self.keys, **_SUMS}.items())
        return f"SELECT {columns} FROM usage_records WHERE {where} GROUP BY {_places(len(self.keys))}"  # noqa: S608 - our own names


@cache
def groupings(*, on_sqlite: bool) -> tuple[Grouping, Grouping, Grouping]:
    """The three tables, from fine to coarse."""
    day = {
        "day": f"created_at - created_at % {DAY}",
        "user_id": "user_id",
        "credential_id": "credential_id",
        "project": "project",
        "provider": "provider",
        "model": "model",
        "status_class": "status_code / 100",
    }
    month = month_of("created_at", on_sqlite=on_sqlite)
    return (
        Grouping("usage_hourly", "hour", {"user_id": "user_id", "hour": f"created_at - created_at % {HOUR}"}),
        Grouping("usage_daily", "day", day),
        Grouping("usage_monthly", "month", {"user_id": "user_id", "month": month, "project": "project"}),
    )


async def add(
    connection: AsyncConnection, database: Database, *, after: int, last: int, since: int = BEGINNING
) -> None:
    """Adds up the records with a number above `after` and up to `last`, of which no sum knows yet.

    since: only those from this time on, in microseconds. The caller has the marks.
    """
    values = {"after": after, "last": last, "since": since}
    for statement in _adding(on_sqlite=database.is_sqlite):
        await connection.execute(statement, values)
    await usage_days.add(connection, database, after=after, last=last)


async def rebuild(connection: AsyncConnection, database: Database, *, since: int, last: int) -> None:
    """Makes all sums of records from a day on anew, up to the record `last`.

    since: the beginning of that day, in microseconds. The sums of its month are made of the month's days,
    for the records of some may be gone. The caller has the marks.
    """
    hourly, daily, monthly = groupings(on_sqlite=database.is_sqlite)
    for grouping in (hourly, daily):
        await _run(connection, f"DELETE FROM {grouping.table} WHERE {grouping.start} >= :since", since=since)  # noqa: S608
        where = "created_at >= :since AND id <= :last"
        made = f"INSERT INTO {grouping.table} ({', '.join(grouping.columns)}) {grouping.selected(where)}"
        await _run(connection, made, since=since, last=last)
    await usage_days.rebuild(connection, since=since, last=last)
    month = await month_begin(connection, database, since)
    await _run(connection, "DELETE FROM usage_monthly WHERE month >= :month", month=month)
    made = f"INSERT INTO usage_monthly ({', '.join(monthly.columns)}) {_months_of_days(database)}"
    await _run(connection, made, since=month)


async def differences(connection: AsyncConnection, database: Database, *, since: int, last: int) -> Mapping[str, int]:
    """How many rows of each table are not what they should be.

    Hours and days are compared with the records from a day on and up to `last`, months with their days.
    """
    hourly, daily, monthly = groupings(on_sqlite=database.is_sqlite)
    month = await month_begin(connection, database, since)
    found = {
        grouping.table: await _differing(
            connection, grouping, grouping.selected("created_at >= :since AND id <= :last"), since=since, last=last
        )
        for grouping in (hourly, daily)
    }
    of_days = _months_of_days(database)
    return found | {monthly.table: await _differing(connection, monthly, of_days, since=month)}


async def month_begin(connection: AsyncConnection, database: Database, moment: int) -> int:
    """The beginning of the month of a time; all in microseconds."""
    query = f"SELECT {month_of(':moment', on_sqlite=database.is_sqlite)}"
    statement = sa.text(query).bindparams(sa.bindparam("moment", type_=sa.BigInteger))
    return int((await connection.execute(statement, {"moment": moment})).scalar_one())


async def _differing(connection: AsyncConnection, grouping: Grouping, right: str, **values: int) -> int:
    kept = f"SELECT {', '.join(grouping.columns)} FROM {grouping.table} WHERE {grouping.start} >= :since"  # noqa: S608
    keys = ", ".join(grouping.keys)
    either = f"SELECT {keys} FROM ({kept} EXCEPT {right}) AS a UNION SELECT {keys} FROM ({right} EXCEPT {kept}) AS b"  # noqa: S608
    statement = sa.text(f"SELECT count(*) FROM ({either}) AS both_ways")  # noqa: S608
    return (await connection.execute(statement, values)).scalar_one()


def _months_of_days(database: Database) -> str:
    month = month_of("day", on_sqlite=database.is_sqlite)
    sums = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)
    return (
        f"SELECT user_id, {month} AS month, project, {sums} FROM usage_daily WHERE day >= :since"  # noqa: S608
        f" GROUP BY {_places(3)}"
    )


async def _run(connection: AsyncConnection, statement: str, **values: int) -> None:
    await connection.execute(sa.text(statement), values)


def _places(count: int) -> str:
    return ", ".join(str(place + 1) for place in range(count))


@cache
def _adding(*, on_sqlite: bool) -> Sequence[sa.TextClause]:
    """The statements that add some records to the tables."""
    statements: list[sa.TextClause] = []
    for grouping in groupings(on_sqlite=on_sqlite):
        table = grouping.table
        sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in _SUMS)
        statements.append(
            sa.text(
                f"INSERT INTO {table} ({', '.join(grouping.columns)})"
                f" {grouping.selected('id > :after AND id <= :last AND created_at >= :since')}"
                f" ON CONFLICT ({', '.join(grouping.keys)}) DO UPDATE SET {sums}"
            )
        )
    return statements
