"""Usage records: what every request used, one row to a request.

Rows come in batches from the shipper of the usage journal and are never changed. Their numbers ascend
in the order in which they come.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import starmap
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.database import Database
from core.store.tables import Instant, usage_records, users, virtual_keys


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A usage record as it is stored. Times are in microseconds, money in nano-dollars."""

    id: int
    request_id: str
    created_at: datetime
    user_id: int
    credential_id: int
    surface: str
    operation: str
    requested_model: str
    provider: str
    model: str
    status_code: int
    outcome: str
    error_reason: str
    streamed: bool
    attempts: int
    latency_us: int
    ttft_us: int | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    audio_input_tokens: int
    audio_output_tokens: int
    token_source: str
    cost_nanousd: int | None
    price_source: str
    messages: int
    prompt_hash: str
    project: str
    user_email: str = ""  # "" for nobody, and for a user who was removed
    virtual_key_id: int = 0  # 0 where another kind of credential was used


# What a selection compares with the column of the same name.
_NAMED = ("user_id", "credential_id", "provider", "status_code", "request_id", "project", "outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which records; what is None is not asked about. `model` is as the provider or as the request named it."""

    user_id: int | None = None
    credential_id: int | None = None
    start: datetime | int | None = None  # from this time on; a number is of microseconds
    end: datetime | int | None = None  # up to, not including, this time
    model: str | None = None
    provider: str | None = None
    status_code: int | None = None
    request_id: str | None = None
    project: str | None = None
    outcome: str | None = None
    before_id: int | None = None  # only records with a lower number
    after_id: int | None = None  # only records with a higher number

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """As the terms of a WHERE."""
        columns = usage_records.c
        terms = [columns[name] == value for name in _NAMED if (value := getattr(self, name)) is not None]
        if self.model is not None:
            terms.append(sa.or_(columns.model == self.model, columns.requested_model == self.model))
        if self.before_id is not None:
            terms.append(columns.id < self.before_id)
        if self.after_id is not None:
            terms.append(columns.id > self.after_id)
        if self.start is not None:
            terms.append(columns.created_at >= self.start)
        if self.end is not None:
            terms.append(columns.created_at < self.end)
        return terms


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over usage records."""

    requests: int
    latency_us: int
    input_tokens: int
    output_tokens: int
    messages: int
    cost_nanousd: int
    failures: int

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Sums)))


NOTHING = Sums(0, 0, 0, 0, 0, 0, 0)


_COLUMNS = [usage_records.c[name] for name in (each.name for each in fields(UsageRow)) if name in usage_records.c]
_ROWS = sa.select(
    *_COLUMNS, sa.func.coalesce(users.c.email, ""), sa.func.coalesce(virtual_keys.c.credential_id, 0)
).select_from(
    usage_records.outerjoin(users, users.c.id == usage_records.c.user_id).outerjoin(
        virtual_keys, virtual_keys.c.credential_id == usage_records.c.credential_id
    )
)


async def page(
    connection: AsyncConnection, selection: Selection, *, limit: int, before_id: int | None = None
) -> Sequence[UsageRow]:
    """At most `limit` records with a number below `before_id`, the newest first."""
    query = _ROWS.where(*selection.conditions()).order_by(usage_records.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(usage_records.c.id < before_id)
    return [UsageRow(*row) for row in await connection.execute(query)]


async def following(connection: AsyncConnection, selection: Selection, *, limit: int) -> Sequence[UsageRow]:
    """At most `limit` records, the oldest first."""
    query = _ROWS.where(*selection.conditions()).order_by(usage_records.c.id).limit(limit)
    return [UsageRow(*row) for row in await connection.execute(query)]


async def sums(connection: AsyncConnection, selection: Selection) -> Sums:
    """Sums over the records that were selected; zeros where there are none."""
    columns = usage_records.c

    def total(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
        # PostgreSQL adds up integers as NUMERIC, and no rows to NULL.
        return sa.func.coalesce(sa.cast(sa.func.sum(column), sa.BigInteger), 0)

    query = sa.select(
        sa.func.count(),
        total(columns.latency_us),
        total(columns.input_tokens),
        total(columns.output_tokens),
        total(columns.messages),
        total(columns.cost_nanousd),
        total(sa.case((columns.outcome != "answered", 1), else_=0)),
    ).where(*selection.conditions())
    return Sums(*(await connection.execute(query)).one())


async def delete_before(connection: AsyncConnection, moment: datetime, *, up_to: int, limit: int) -> int:
    """Deletes at most `limit` records of requests that came before a time; returns how many.

    up_to: no record with a higher number.
    """
    columns = usage_records.c
    old = sa.select(columns.id).where(columns.created_at < moment, columns.id <= up_to)
    some = old.order_by(columns.created_at).limit(limit)
    return (await connection.execute(sa.delete(usage_records).where(columns.id.in_(some)))).rowcount


async def insert_records(connection: AsyncConnection, database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds records in bulk; one whose request_id is known already changes nothing.

    A row names every column but the id; `created_at` is in microseconds since 1970. What does not fit
    its column is made to fit, so that no record, whatever a caller or a provider put into it, can hold
    up those behind it.
    """
    if not rows:
        return
    # All of this goes past the statement compiler, which costs more than the database does.
    values = list(map(_values_of, rows))
    columns = list(zip(*values, strict=True))
    if repaired := {number: fitted for number in range(len(columns)) if (fitted := _fitted(number, columns[number]))}:
        columns = [repaired.get(number, column) for number, column in enumerate(columns)]
        values = list(zip(*columns, strict=True))
    if database.is_sqlite:
        await connection.exec_driver_sql(_INSERT_SQLITE, values)
    else:
        await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_STORING_LOCK})")
        await connection.exec_driver_sql(_INSERT_POSTGRESQL, tuple(columns))


_WRITTEN = [column for column in usage_records.c if column.name != "id"]
_NAMES = [column.name for column in _WRITTEN]
_values_of = itemgetter(*_NAMES)


def _array(number: int, column: sa.Column[Any]) -> str:
    return f"${number}::{column.type.compile(postgresql.dialect())}[]"


_INTO = f"INSERT INTO usage_records ({', '.join(_NAMES)})"
_INSERT_SQLITE = f"{_INTO} VALUES ({', '.join('?' * len(_NAMES))}) ON CONFLICT (request_id) DO NOTHING"
# One array to a column: with a parameter to a value, PostgreSQL would plan and be sent each by itself.
_ARRAYS = ", ".join(starmap(_array, enumerate(_WRITTEN, 1)))
_INSERT_POSTGRESQL = f"{_INTO} SELECT * FROM unnest({_ARRAYS}) ON CONFLICT (request_id) DO NOTHING"  # noqa: S608 - our own names

# Who stores records holds it to the end of the transaction, and SQLite has one writer anyway. So records become
# visible in the order of their numbers, and who goes on from the highest number that it saw misses none.
_STORING_LOCK = 7_265_017_002  # any number, the same in every process

# A figure that is larger is nobody's: 31 years, or a million dollars. Thousands of such records can be
# added up before the sum leaves 64 bits.
_MOST_OF_A_FIGURE = 10**15


def _most(column: sa.Column[Any]) -> int:
    if type(column.type) is sa.Integer:
        return 2**31 - 1
    names_something = isinstance(column.type, Instant) or column.name.endswith("_id")
    return 2**63 - 1 if names_something else _MOST_OF_A_FIGURE


def _fitted(number: int, values: Sequence[Any]) -> Sequence[Any] | None:
    """A column's values as it can hold them; None where all of them fit, which is the usual case."""
    column = _WRITTEN[number]
    if isinstance(column.type, sa.String):
        width = column.type.length or 0
        if "\0" in "".join(values) or max(map(len, values)) > width:  # PostgreSQL has no NUL in texts
            return [value.replace("\0", "\N{REPLACEMENT CHARACTER}")[:width] for value in values]
    elif isinstance(column.type, sa.Integer | Instant):
        most = _most(column)
        known = [value for value in values if value is not None] if column.nullable else values
        if known and (max(known) > most or min(known) < -most):
            return [None if value is None else max(-most, min(most, value)) for value in values]
    return None
