"""The ledger: what was held, spent, given back and put right, one row each, never changed.

    entries ─post─► INSERT, each once ─► the balances, by what was really new ─► events at thresholds

An entry is known by its request, its attempt, its kind and its balance, so that posting it twice
changes nothing. All of a post is the caller's one transaction.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import micros
from core.store import balances, budget_events
from core.store.database import Database
from core.store.tables import balances as balances_table
from core.store.tables import leases, ledger_entries

HOLD: Final = "hold"
SETTLEMENT: Final = "settlement"
RELEASE: Final = "release"
ADJUSTMENT: Final = "adjustment"

SPENDING: Final = (SETTLEMENT, ADJUSTMENT)
"""The kinds whose amounts add up to what a balance has spent."""


class Entry(msgspec.Struct, frozen=True):  # there are thousands a second
    """An entry to be posted, in the order of its columns, and what it does to a lease."""

    created_at: int  # microseconds since 1970
    kind: str
    balance_id: int
    request_id: str
    attempt: int
    amount: int  # spent, held or released; an adjustment may be negative
    held: int = 0
    price_source: str = ""
    token_source: str = ""
    estimated: bool = False
    note: str = ""
    user_id: int = 0
    lease_id: int = 0
    drawn: int = 0  # what it takes out of the lease


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry as it is stored."""

    id: int
    created_at: datetime
    kind: str
    balance_id: int
    request_id: str
    attempt: int
    amount_nanousd: int
    held_nanousd: int
    price_source: str
    token_source: str
    estimated: bool
    note: str
    user_id: int


async def post(connection: AsyncConnection, database: Database, entries: Sequence[Entry], now: datetime) -> None:
    """Adds entries and settles their balances; an entry that is there already changes nothing."""
    if not entries:
        return
    numbers = sorted({entry.balance_id for entry in entries})
    await balances.lock(connection, numbers)
    spent: dict[int, int] = defaultdict(int)
    drawn: dict[tuple[int, int], int] = defaultdict(int)
    for entry in await _insert(connection, database, entries):
        balance_id = entry.balance_id
        if entry.kind in SPENDING:
            spent[balance_id] += entry.amount
        if entry.drawn and entry.lease_id:
            drawn[balance_id, entry.lease_id] += entry.drawn
    for balance_id, cost in sorted(spent.items()):
        await balances.settle(connection, balance_id, cost, now)
    for (balance_id, lease_id), amount in sorted(drawn.items()):
        await balances.draw(connection, lease_id, balance_id, amount, now)
    await budget_events.note_thresholds(connection, database, {key: cost for key, cost in spent.items() if cost}, now)


async def page(
    connection: AsyncConnection, *, balance_id: int | None, before_id: int | None, limit: int
) -> Sequence[EntryRow]:
    """At most `limit` entries with a number below `before_id`, the newest first."""
    query = sa.select(*_COLUMNS).order_by(ledger_entries.c.id.desc()).limit(limit)
    if balance_id is not None:
        query = query.where(ledger_entries.c.balance_id == balance_id)
    if before_id is not None:
        query = query.where(ledger_entries.c.id < before_id)
    return [EntryRow(*row) for row in await connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Proof:
    """A balance as it stands, and as its entries and leases say."""

    balance_id: int
    settled: int
    leased: int
    settled_by_entries: int
    leased_by_leases: int

    @property
    def holds(self) -> bool:
        return (self.settled, self.leased) == (self.settled_by_entries, self.leased_by_leases)


async def proofs(connection: AsyncConnection, *, after_id: int, limit: int) -> Sequence[Proof]:
    """The proofs of at most `limit` balances with a higher number, in the order of their numbers."""
    picked = (
        sa.select(balances_table.c.id, balances_table.c.settled_nanousd, balances_table.c.leased_nanousd)
        .where(balances_table.c.id > after_id)
        .order_by(balances_table.c.id)
        .limit(limit)
        .subquery()
    )

    def total(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.cast(sa.func.sum(column), sa.BigInteger), 0)  # PostgreSQL adds up as NUMERIC

    spent = (
        sa.select(total(ledger_entries.c.amount_nanousd))
        .where(ledger_entries.c.balance_id == picked.c.id, ledger_entries.c.kind.in_(SPENDING))
        .scalar_subquery()
    )
    leased = sa.select(total(leases.c.amount_nanousd)).where(leases.c.balance_id == picked.c.id).scalar_subquery()
    query = sa.select(picked.c.id, picked.c.settled_nanousd, picked.c.leased_nanousd, spent, leased)
    return [Proof(*row) for row in await connection.execute(query.order_by(picked.c.id))]


async def strays(connection: AsyncConnection) -> int:
    """How many entries name a balance that does not exist."""
    absent = sa.select(balances_table.c.id).where(balances_table.c.id == ledger_entries.c.balance_id).exists()
    query = sa.select(sa.func.count()).select_from(ledger_entries).where(~absent)
    return (await connection.execute(query)).scalar_one()


_COLUMNS = [ledger_entries.c[each.name] for each in fields(EntryRow)]
_WRITTEN = [column for column in ledger_entries.c if column.name != "id"]
_NAMES = ", ".join(column.name for column in _WRITTEN)
_ONCE = "ON CONFLICT DO NOTHING"
_RETURNING = f"{_ONCE} RETURNING request_id, attempt, kind, balance_id"
_ARRAYS = ", ".join(
    f"${number}::{column.type.compile(postgresql.dialect())}[]" for number, column in enumerate(_WRITTEN, 1)
)
_INSERT_POSTGRESQL = f"INSERT INTO ledger_entries ({_NAMES}) SELECT * FROM unnest({_ARRAYS})"  # noqa: S608 - our own names
_INSERT_SQLITE = f"INSERT INTO ledger_entries ({_NAMES}) VALUES ({', '.join('?' * len(_WRITTEN))})"  # noqa: S608 - our own names
_TEXTS = [
    (number, column.type.length or 0) for number, column in enumerate(_WRITTEN) if isinstance(column.type, sa.String)
]


async def _insert(connection: AsyncConnection, database: Database, entries: Sequence[Entry]) -> Sequence[Entry]:
    """Adds entries; returns those that were not there.

    Nearly always that is all of them, of which their number is proof; only else they are asked for by name.
    """
    columns = _columns(entries)
    rows: list[Any] = list(zip(*columns, strict=True)) if database.is_sqlite else [tuple(columns)]
    statement, values = (_INSERT_SQLITE, rows) if database.is_sqlite else (_INSERT_POSTGRESQL, rows[0])
    savepoint = await connection.begin_nested()
    if (await connection.exec_driver_sql(f"{statement} {_ONCE}", values)).rowcount == len(entries):
        await savepoint.commit()
        return entries
    await savepoint.rollback()
    # The driver of SQLite returns nothing of a statement for many rows.
    found = [row for some in rows for row in await connection.exec_driver_sql(f"{statement} {_RETURNING}", some)]
    new = {tuple(row) for row in found}
    return [entry for entry in entries if (entry.request_id, entry.attempt, entry.kind, entry.balance_id) in new]


def _columns(entries: Sequence[Entry]) -> list[Sequence[Any]]:
    """What is stored, column by column, cut to fit: no text that a caller or a provider chose may hold up the rest."""
    columns: list[Any] = [*zip(*map(msgspec.structs.astuple, entries), strict=True)][: len(_WRITTEN)]
    for number, width in _TEXTS:
        column = columns[number]
        if "\0" in "".join(column) or max(map(len, column)) > width:
            columns[number] = [text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:width] for text in column]
    return columns


def adjustment(balance_id: int, amount: int, *, entry_id: str, note: str, user_id: int, now: datetime) -> Entry:
    """An entry by which somebody puts a balance right; a negative amount lessens what it has spent."""
    return Entry(
        created_at=micros(now),
        kind=ADJUSTMENT,
        balance_id=balance_id,
        request_id=entry_id,
        attempt=1,
        amount=amount,
        note=note,
        user_id=user_id,
    )
