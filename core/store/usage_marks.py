"""How far the sums over usage go, and from when on there are records: one row.

records     … deleted …  │ kept_from ───────────────────────────────► now
sums        ─────────────────────────────── summed_to │ to be added
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import micros
from core.store.database import Database
from core.store.tables import usage_marks, usage_records


@dataclass(frozen=True, slots=True)
class Marks:
    """summed_to: the last record that the sums have in them; kept_from: microseconds, the beginning of a day."""

    summed_to: int
    kept_from: int


async def read(connection: AsyncConnection) -> Marks:
    """The marks. Who reads sums and records after it wants a snapshot, or they may have moved by then."""
    summed_to, kept_from = (await connection.execute(_QUERY)).one()
    return Marks(summed_to, micros(kept_from))


async def take(connection: AsyncConnection, database: Database) -> Marks | None:
    """The marks, to be moved in this transaction; None where another has them."""
    query = _QUERY if database.is_sqlite else _QUERY.with_for_update(skip_locked=True)
    row = (await connection.execute(query)).first()
    return None if row is None else Marks(row[0], micros(row[1]))


async def wait(connection: AsyncConnection, database: Database) -> Marks:
    """The marks, to be moved in this transaction, when nobody else has them."""
    query = _QUERY if database.is_sqlite else _QUERY.with_for_update()
    summed_to, kept_from = (await connection.execute(query)).one()
    return Marks(summed_to, micros(kept_from))


async def summed(connection: AsyncConnection, last: int) -> None:
    """Notes that the sums have everything up to a record in them."""
    await connection.execute(sa.update(usage_marks).values(summed_to=last))


async def keep_from(connection: AsyncConnection, moment: datetime) -> None:
    """Notes that records before the beginning of a day may be gone. It never goes back."""
    await connection.execute(sa.update(usage_marks).values(kept_from=moment).where(usage_marks.c.kept_from < moment))


async def last_record(connection: AsyncConnection) -> int:
    """The number of the newest record; 0 where there is none."""
    return (await connection.execute(sa.select(sa.func.max(usage_records.c.id)))).scalar_one() or 0


_QUERY = sa.select(usage_marks.c.summed_to, usage_marks.c.kept_from)
