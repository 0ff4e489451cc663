"""How far each usage journal has been shipped into the database.

A process appends usage records to a journal on its disk, segment after segment; the shipper writes
them to the database and, in the same transaction, notes here how far it came. So a record is never
shipped half, and after a crash the shipper goes on where it was.
"""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.database import Database
from core.store.tables import journals


class Position(NamedTuple):
    """Everything before this is in the database."""

    segment: int
    position: int  # in bytes, within the segment


async def position(connection: AsyncConnection, journal_id: str) -> Position | None:
    """How far a journal has been shipped; None where nothing of it has been."""
    query = sa.select(journals.c.segment, journals.c.position).where(journals.c.id == journal_id)
    row = (await connection.execute(query)).first()
    return None if row is None else Position(*row)


async def advance(
    connection: AsyncConnection, database: Database, journal_id: str, segment: int, position: int, now: datetime
) -> None:
    """Notes how far a journal has been shipped now."""
    values = {"segment": segment, "position": position, "updated_at": now}
    statement = database.insert(journals).values(id=journal_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=[journals.c.id], set_=values))
