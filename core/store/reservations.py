"""Reservations: money that is held for work outside of the router. What holds it are leases in its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import leases, reservations

OPEN: Final = "open"
SETTLED: Final = "settled"
RELEASED: Final = "released"
EXPIRED: Final = "expired"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reservation as it is stored."""

    id: str
    user_id: int
    credential_id: int
    project: str
    note: str
    amount_nanousd: int
    cost_nanousd: int
    state: str
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


class Held(NamedTuple):
    """What a reservation holds of one balance."""

    lease_id: int
    balance_id: int
    amount: int


async def add(connection: AsyncConnection, reservation: Reservation) -> None:
    """Keeps a new one."""
    values = {column.name: getattr(reservation, column.name) for column in reservations.c}
    await connection.execute(sa.insert(reservations).values(**values))


async def get(connection: AsyncConnection, reservation_id: str, *, lock: bool = False) -> Reservation | None:
    """One reservation."""
    query = sa.select(reservations).where(reservations.c.id == reservation_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    return None if row is None else Reservation(*row)


async def close(connection: AsyncConnection, reservation_id: str, state: str, cost: int, now: datetime) -> None:
    """Ends one."""
    values = {"state": state, "cost_nanousd": cost, "updated_at": now}
    await connection.execute(sa.update(reservations).where(reservations.c.id == reservation_id).values(**values))


async def count_open(connection: AsyncConnection, user_id: int) -> int:
    """How many a user has open."""
    query = sa.select(sa.func.count()).where(reservations.c.user_id == user_id, reservations.c.state == OPEN)
    return (await connection.execute(query)).scalar_one()


async def overdue(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[str]:
    """At most `limit` open ones whose time is up."""
    query = sa.select(reservations.c.id).where(reservations.c.state == OPEN, reservations.c.expires_at <= now)
    return (await connection.execute(query.order_by(reservations.c.expires_at).limit(limit))).scalars().all()


async def held(connection: AsyncConnection, reservation_id: str) -> Sequence[Held]:
    """What a reservation holds, balance by balance."""
    query = sa.select(leases.c.id, leases.c.balance_id, leases.c.amount_nanousd).where(
        leases.c.holder == reservation_id
    )
    return [Held(*row) for row in await connection.execute(query.order_by(leases.c.balance_id))]
