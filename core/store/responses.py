"""Responses that are kept, each its user's: to others they are not there."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.database import Database
from core.store.tables import stored_items, stored_responses

MOST_TURNS = 2000
"""Of one conversation."""


class StoredResponse(NamedTuple):
    """A response, and what was asked for with it. input, response: JSON; items: ids in the response's output."""

    user_id: int
    id: str
    previous_id: str  # "" for none
    created_at: datetime
    input: str
    response: str
    items: Sequence[str] = ()


_COLUMNS = [stored_responses.c[name] for name in StoredResponse._fields if name != "items"]


async def keep(connection: AsyncConnection, database: Database, row: StoredResponse) -> None:
    """Keeps a response in the place of one of the same id. Raises IntegrityError where the user is gone."""
    values = row._asdict()
    del values["items"]
    statement = database.insert(stored_responses).values(values)
    of = {"user_id": row.user_id, "response_id": row.id}
    key = [stored_responses.c.user_id, stored_responses.c.id]
    await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values))
    if row.items:
        adding = database.insert(stored_items).on_conflict_do_update(
            index_elements=[stored_items.c.user_id, stored_items.c.id], set_={"response_id": row.id}
        )
        await connection.execute(adding, [{"id": item, **of} for item in dict.fromkeys(row.items)])


async def find(connection: AsyncConnection, user_id: int, response_id: str) -> StoredResponse | None:
    """The response; None where the user has none of that id."""
    row = (await connection.execute(sa.select(*_COLUMNS).where(_is(user_id, response_id)))).first()
    return None if row is None else StoredResponse(*row)


async def conversation(connection: AsyncConnection, user_id: int, response_id: str) -> Sequence[StoredResponse]:
    """The response and those before it, the last first, as far as they are kept; MOST_TURNS at most."""
    steps = (
        sa.select(stored_responses.c.id, stored_responses.c.previous_id, sa.literal(0).label("depth"))
        .where(_is(user_id, response_id))
        .cte("steps", recursive=True)
    )
    before = sa.select(stored_responses.c.id, stored_responses.c.previous_id, steps.c.depth + 1).join(
        steps,
        sa.and_(
            stored_responses.c.user_id == user_id,
            stored_responses.c.id == steps.c.previous_id,
            steps.c.depth < MOST_TURNS,  # what goes in a circle ends too
        ),
    )
    steps = steps.union_all(before)
    query = (
        sa.select(*_COLUMNS)
        .join(steps, sa.and_(stored_responses.c.user_id == user_id, stored_responses.c.id == steps.c.id))
        .order_by(steps.c.depth)
    )
    return [StoredResponse(*row) for row in await connection.execute(query)]


async def of_item(connection: AsyncConnection, user_id: int, item_id: str) -> StoredResponse | None:
    """The response in whose output an item is; None where the user has none of that id."""
    query = (
        sa.select(*_COLUMNS)
        .join(
            stored_items,
            sa.and_(
                stored_items.c.user_id == stored_responses.c.user_id,
                stored_items.c.response_id == stored_responses.c.id,
            ),
        )
        .where(stored_items.c.user_id == user_id, stored_items.c.id == item_id)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else StoredResponse(*row)


async def remove(connection: AsyncConnection, user_id: int, response_id: str) -> bool:
    """Removes a response; false where the user has none of that id."""
    return (await connection.execute(sa.delete(stored_responses).where(_is(user_id, response_id)))).rowcount > 0


async def delete_before(connection: AsyncConnection, time: datetime, *, limit: int) -> int:
    """Removes responses that are older, `limit` at most; returns how many."""
    old = (
        sa.select(stored_responses.c.user_id, stored_responses.c.id)
        .where(stored_responses.c.created_at < time)
        .limit(limit)
    )
    key = sa.tuple_(stored_responses.c.user_id, stored_responses.c.id)
    return (await connection.execute(sa.delete(stored_responses).where(key.in_(old)))).rowcount


def _is(user_id: int, response_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(stored_responses.c.user_id == user_id, stored_responses.c.id == response_id)
