"""Prices that administrators set: dated, and never changed once they are in force for records that exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store import changes
from core.store.tables import price_overrides

CHANGE = "price"
"""The kind of a note about a price in the log of changes."""


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """A price as it is stored: nano-dollars per million tokens."""

    id: int
    provider: str
    model: str
    since: datetime
    input: int
    output: int
    cached_input: int | None
    cache_write: int | None
    audio_input: int | None
    audio_output: int | None
    created_at: datetime


async def every(connection: AsyncConnection) -> Sequence[PriceOverride]:
    """All of them, the oldest first."""
    rows = await connection.execute(sa.select(price_overrides).order_by(price_overrides.c.id))
    return [PriceOverride(*row) for row in rows]


async def add(connection: AsyncConnection, now: datetime, **columns: Any) -> PriceOverride:
    """Makes one. Raises IntegrityError where there is one for the same models from the same day."""
    statement = sa.insert(price_overrides).values(**columns, created_at=now).returning(*price_overrides.c)
    row = (await connection.execute(statement)).one()
    await changes.note(connection, CHANGE, row[0], now)
    return PriceOverride(*row)


async def remove(connection: AsyncConnection, number: int, now: datetime) -> bool:
    """Removes one; false where there is none. What was priced by it stays so."""
    gone = await connection.execute(sa.delete(price_overrides).where(price_overrides.c.id == number))
    if gone.rowcount:
        await changes.note(connection, CHANGE, number, now)
    return bool(gone.rowcount)
