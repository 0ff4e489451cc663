"""The log of changes: how a process learns what another changed.

Who changes a user, a credential or a provider notes it in the same transaction; every core process
reads the notes a few times a second and looks again at what they name.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import changes


class Change(NamedTuple):
    id: int
    kind: str  # "user", "credential", "provider" or "limit"
    object_id: int


async def note(connection: AsyncConnection, kind: str, object_id: int, now: datetime) -> None:
    """Notes a change; it is seen by others when the transaction is committed."""
    await connection.execute(sa.insert(changes).values(kind=kind, object_id=object_id, created_at=now))


async def since(connection: AsyncConnection, after_id: int, also: Collection[int] = ()) -> Sequence[Change]:
    """The changes with a higher number, and those of these numbers, in order."""
    wanted = changes.c.id > after_id
    if also:
        wanted |= changes.c.id.in_(also)
    query = sa.select(changes.c.id, changes.c.kind, changes.c.object_id).where(wanted)
    return [Change(*row) for row in await connection.execute(query.order_by(changes.c.id))]


async def last_id(connection: AsyncConnection) -> int:
    """The highest number so far, 0 where there is none."""
    return (await connection.execute(sa.select(sa.func.max(changes.c.id)))).scalar() or 0


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Forgets notes that every process has long read."""
    await connection.execute(sa.delete(changes).where(changes.c.created_at < before))
