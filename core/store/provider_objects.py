"""Files and batches that lie at providers, each its user's: to others they are not there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.database import Database
from core.store.tables import provider_objects as table

FILE: Final = "file"
BATCH: Final = "batch"


class ProviderObject(NamedTuple):
    """A file or a batch. The fields are the columns of the table."""

    user_id: int
    id: str
    kind: str
    provider_id: int
    provider: str
    purpose: str
    credential_id: int
    surface: str
    project: str
    created_at: datetime
    due_at: datetime | None
    body: str


_COLUMNS = [table.c[name] for name in ProviderObject._fields]


async def add(connection: AsyncConnection, database: Database, row: ProviderObject) -> bool:
    """Adds an object, or sees one anew that is the same user's; false where it is another's of this provider.

    Raises IntegrityError where the user is gone, or has an object of the same id at another provider.
    """
    adding = database.insert(table).values(row._asdict())
    same = table.c.user_id == adding.excluded.user_id
    seen = adding.on_conflict_do_update(
        index_elements=[table.c.provider_id, table.c.id], set_={"body": adding.excluded.body}, where=same
    )
    return (await connection.execute(seen.returning(table.c.id))).first() is not None


async def add_new(connection: AsyncConnection, database: Database, row: ProviderObject) -> None:
    """Adds an object where nobody has it. Raises IntegrityError where the user is gone."""
    await connection.execute(database.insert(table).values(row._asdict()).on_conflict_do_nothing())


async def find(connection: AsyncConnection, user_id: int, kind: str, object_id: str) -> ProviderObject | None:
    """The object; None where the user has none of that id."""
    row = (await connection.execute(sa.select(*_COLUMNS).where(_is(user_id, object_id), table.c.kind == kind))).first()
    return None if row is None else ProviderObject(*row)


async def page(
    connection: AsyncConnection,
    user_id: int,
    kind: str,
    *,
    after: ProviderObject | None,
    ascending: bool,
    purpose: str,
    limit: int,
) -> Sequence[ProviderObject]:
    """Objects in the order in which they were made. after: the one before the page; purpose: "" for any."""
    query = sa.select(*_COLUMNS).where(table.c.user_id == user_id, table.c.kind == kind)
    if purpose:
        query = query.where(table.c.purpose == purpose)
    place = sa.tuple_(table.c.created_at, table.c.id)
    if after is not None:
        before = sa.tuple_(sa.literal(after.created_at, table.c.created_at.type), sa.literal(after.id))
        query = query.where(place > before if ascending else place < before)
    order = (table.c.created_at, table.c.id) if ascending else (table.c.created_at.desc(), table.c.id.desc())
    rows = await connection.execute(query.order_by(*order).limit(limit))
    return [ProviderObject(*row) for row in rows]


async def see(connection: AsyncConnection, row: ProviderObject, body: str, due_at: datetime | None) -> None:
    """Notes how an object looks now. What is no longer due stays so."""
    due = sa.case((table.c.due_at.is_(None), None), else_=sa.literal(due_at, table.c.due_at.type))
    await connection.execute(sa.update(table).where(_is(row.user_id, row.id)).values(body=body, due_at=due))


async def take_due(
    connection: AsyncConnection, now: datetime, again: datetime, *, limit: int
) -> Sequence[ProviderObject]:
    """The batches that are to be looked at, the longest due first; they are due again at another time."""
    due = sa.select(*_COLUMNS).where(table.c.due_at <= now).order_by(table.c.due_at).limit(limit)
    rows = [ProviderObject(*row) for row in await connection.execute(due)]
    for row in rows:
        await connection.execute(sa.update(table).where(_is(row.user_id, row.id)).values(due_at=again))
    return rows


async def remove(connection: AsyncConnection, row: ProviderObject) -> None:
    """Forgets an object."""
    await connection.execute(sa.delete(table).where(_is(row.user_id, row.id)))


def _is(user_id: int, object_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.user_id == user_id, table.c.id == object_id)
