"""Balances: what the periods of budgets have spent, and who has taken what of the rest.

    limit ≥ settled + leased, at every moment        (for a hard budget)
    leased = the sum of the leases

A core process takes a slice of what is left before it lets requests in, and gives back what it does not
need. Every transaction here locks the balance before its leases, and balances in the order of their
numbers, so that none waits for another in a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store import changes
from core.store.budgets import Budget
from core.store.database import Database
from core.store.tables import balances, budgets, leases

RECALL = "recall"
"""The kind of a note in the log of changes that calls idle money of a balance back."""

_SHARE = 8  # a slice is this part of what is left, so that slices become smaller near the cap


@dataclass(frozen=True, slots=True)
class Balance:
    """A balance as it is stored."""

    id: int
    budget_id: int
    scope_kind: str
    scope_id: str
    period: str
    starts_at: datetime
    settled_nanousd: int
    leased_nanousd: int
    recalls: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process got of a balance."""

    balance_id: int
    lease_id: int  # 0 where it has none
    amount: int
    total: int  # all that was ever taken and not given back, spent or not
    left: int  # in the balance, after this
    others: int  # how many others have something
    silent: int  # of these, who has not answered the last recall


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who leases: a journal with the life of its process, or a reservation, whose life is 0."""

    name: str
    life: int = 0


async def find(connection: AsyncConnection, budget_id: int, starts_at: datetime) -> Balance | None:
    """The balance of a budget's period."""
    query = sa.select(balances).where(balances.c.budget_id == budget_id, balances.c.starts_at == starts_at)
    row = (await connection.execute(query)).first()
    return None if row is None else Balance(*row)


async def find_or_add(
    connection: AsyncConnection, database: Database, budget: Budget, starts_at: datetime, now: datetime
) -> int:
    """The number of the balance of a budget's period, made where there is none."""
    query = sa.select(balances.c.id).where(balances.c.budget_id == budget.id, balances.c.starts_at == starts_at)
    found = (await connection.execute(query)).scalar()
    if found is not None:
        return found
    statement = database.insert(balances).values(
        budget_id=budget.id,
        scope_kind=budget.scope_kind,
        scope_id=budget.scope_id,
        period=budget.period,
        starts_at=starts_at,
        updated_at=now,
    )
    await connection.execute(statement.on_conflict_do_nothing())
    return (await connection.execute(query)).scalar_one()


async def take(
    connection: AsyncConnection,
    database: Database,
    balance_id: int,
    holder: Holder,
    *,
    least: int,
    most: int,
    now: datetime,
    exactly: bool = False,
) -> Taken | None:
    """Takes a slice of what a hard budget has left: `most`, or more where there is plenty, or what there is.

    least: what it must be, else nothing is taken; exactly: no more than `most`. None where the budget is
    gone or has no cap any more.
    """
    query = (
        sa.select(balances.c.settled_nanousd, balances.c.leased_nanousd, balances.c.recalls, budgets.c.limit_nanousd)
        .join(budgets, budgets.c.id == balances.c.budget_id)
        .where(balances.c.id == balance_id, budgets.c.hard)
        .with_for_update(of=balances)
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    settled, leased, recalls, limit = row
    room = max(0, limit - settled - leased)
    amount = 0 if room < least else min(room, most if exactly else max(most, room // _SHARE))
    if amount:
        await _add_leased(connection, balance_id, amount, now)
        lease_id, total = await _add_to_lease(connection, database, balance_id, holder, amount, recalls, now)
    else:
        lease_id, total = await lease_of(connection, balance_id, holder)
    others, silent = await _others(connection, balance_id, holder, recalls) if amount < most else (0, 0)
    return Taken(balance_id, lease_id, amount, total, room - amount, others, silent)


async def watch(
    connection: AsyncConnection, database: Database, balance_id: int, holder: Holder, now: datetime
) -> None:
    """A lease of nothing, by which a holder is known to be under a budget that only watches."""
    await _add_to_lease(connection, database, balance_id, holder, 0, 0, now)


async def lease_of(connection: AsyncConnection, balance_id: int, holder: Holder) -> tuple[int, int]:
    """The number of a holder's lease and its total; zeros where there is none. Lock the balance before."""
    query = sa.select(leases.c.id, leases.c.amount_nanousd + leases.c.drawn_nanousd).where(
        leases.c.balance_id == balance_id, leases.c.holder == holder.name, leases.c.life == holder.life
    )
    row = (await connection.execute(query)).first()
    return (0, 0) if row is None else (row[0], row[1])


async def recall(connection: AsyncConnection, balance_id: int, now: datetime) -> None:
    """Calls back what the holders of a balance's leases do not need."""
    counted = {"recalls": balances.c.recalls + 1, "updated_at": now}
    await connection.execute(sa.update(balances).where(balances.c.id == balance_id).values(**counted))
    await changes.note(connection, RECALL, balance_id, now)


async def give_back(connection: AsyncConnection, balance_id: int, lease_id: int, amount: int, now: datetime) -> None:
    """Returns a part of a lease, perhaps nothing, and answers every recall so far."""
    await _add_leased(connection, balance_id, -amount, now)
    answered = sa.select(balances.c.recalls).where(balances.c.id == balance_id).scalar_subquery()
    await connection.execute(
        sa.update(leases)
        .where(leases.c.id == lease_id)
        .values(amount_nanousd=leases.c.amount_nanousd - amount, recalls=answered, updated_at=now)
    )


async def end_leases(connection: AsyncConnection, holder: str, now: datetime, *, before_life: int = 2**62) -> int:
    """Returns what is left of a holder's leases, or of those of earlier lives; how much that was.

    For a journal only once everything of those lives is in the ledger.
    """
    mine = sa.and_(leases.c.holder == holder, leases.c.life < before_life)
    await lock(connection, sa.select(leases.c.balance_id).where(mine))
    gone = (
        await connection.execute(sa.delete(leases).where(mine).returning(leases.c.balance_id, leases.c.amount_nanousd))
    ).all()
    for balance_id, amount in sorted((balance_id, amount) for balance_id, amount in gone):
        await _add_leased(connection, balance_id, -amount, now)
    return sum(amount for _, amount in gone)


async def lock(connection: AsyncConnection, numbers: Sequence[int] | sa.Select[Any]) -> None:
    """Locks balances, in the order of their numbers. On SQLite a writer is alone as it is."""
    if connection.dialect.name != "sqlite":
        query = sa.select(balances.c.id).where(balances.c.id.in_(numbers)).order_by(balances.c.id)
        await connection.execute(query.with_for_update())


async def settle(connection: AsyncConnection, balance_id: int, cost: int, now: datetime) -> None:
    """Adds to what a balance has spent."""
    changed = {"settled_nanousd": balances.c.settled_nanousd + cost, "updated_at": now}
    await connection.execute(sa.update(balances).where(balances.c.id == balance_id).values(**changed))


async def draw(connection: AsyncConnection, lease_id: int, balance_id: int, amount: int, now: datetime) -> None:
    """Takes an amount out of a lease because it is spent or not needed; nothing where there is no such lease."""
    lessened = {
        "amount_nanousd": leases.c.amount_nanousd - amount,
        "drawn_nanousd": leases.c.drawn_nanousd + amount,
        "updated_at": now,
    }
    found = await connection.execute(sa.update(leases).where(leases.c.id == lease_id).values(**lessened))
    if found.rowcount:
        await _add_leased(connection, balance_id, -amount, now)


async def _add_leased(connection: AsyncConnection, balance_id: int, amount: int, now: datetime) -> None:
    changed = {"leased_nanousd": balances.c.leased_nanousd + amount, "updated_at": now}
    await connection.execute(sa.update(balances).where(balances.c.id == balance_id).values(**changed))


async def _add_to_lease(
    connection: AsyncConnection,
    database: Database,
    balance_id: int,
    holder: Holder,
    amount: int,
    recalls: int,
    now: datetime,
) -> tuple[int, int]:
    statement = database.insert(leases).values(
        balance_id=balance_id,
        holder=holder.name,
        life=holder.life,
        amount_nanousd=amount,
        recalls=recalls,
        updated_at=now,
    )
    columns = [leases.c.balance_id, leases.c.holder, leases.c.life]
    more = {"amount_nanousd": leases.c.amount_nanousd + amount, "updated_at": now}
    statement = statement.on_conflict_do_update(index_elements=columns, set_=more)
    answer = await connection.execute(
        statement.returning(leases.c.id, leases.c.amount_nanousd + leases.c.drawn_nanousd)
    )
    row = answer.one()
    return row[0], row[1]


async def _others(connection: AsyncConnection, balance_id: int, holder: Holder, recalls: int) -> tuple[int, int]:
    """How many other processes have something of a balance, and how many of them have not answered a recall."""
    query = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((leases.c.recalls < recalls, 1), else_=0)), 0)
    ).where(
        leases.c.balance_id == balance_id,
        leases.c.life > 0,
        leases.c.amount_nanousd > 0,
        sa.or_(leases.c.holder != holder.name, leases.c.life != holder.life),
    )
    row = (await connection.execute(query)).one()
    return row[0], row[1]
