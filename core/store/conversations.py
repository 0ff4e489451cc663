"""Conversations. Each belongs to a user, and every function asks whose it is: to others it is not there."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import conversations


@dataclass(frozen=True, slots=True)
class ConversationRow:
    id: int
    user_id: int
    title: str
    created_at: datetime
    updated_at: datetime


_COLUMNS = [conversations.c[each.name] for each in fields(ConversationRow)]


async def page(
    connection: AsyncConnection,
    user_id: int,
    *,
    before: tuple[int, int],
    limit: int,
    title_contains: str = "",
) -> Sequence[ConversationRow]:
    """At most `limit` of a user's conversations, the one that changed last first.

    before: when the last one of the page before was changed, in microseconds since 1970, and its number.
    title_contains: only those whose title has this in it, whatever the case.
    """
    query = sa.select(*_COLUMNS).where(
        conversations.c.user_id == user_id, sa.tuple_(conversations.c.updated_at, conversations.c.id) < before
    )
    if title_contains:
        query = query.where(conversations.c.title_folded.contains(title_contains.casefold(), autoescape=True))
    query = query.order_by(conversations.c.updated_at.desc(), conversations.c.id.desc()).limit(limit)
    return [ConversationRow(*row) for row in await connection.execute(query)]


async def get(connection: AsyncConnection, conversation_id: int, user_id: int) -> ConversationRow | None:
    row = (await connection.execute(sa.select(*_COLUMNS).where(_of(conversation_id, user_id)))).first()
    return None if row is None else ConversationRow(*row)


async def add(connection: AsyncConnection, *, user_id: int, title: str, now: datetime) -> ConversationRow:
    values = {**_titled(title), "user_id": user_id, "created_at": now, "updated_at": now}
    statement = sa.insert(conversations).values(values).returning(*_COLUMNS)
    return ConversationRow(*(await connection.execute(statement)).one())


async def rename(
    connection: AsyncConnection, conversation_id: int, user_id: int, title: str, now: datetime
) -> ConversationRow | None:
    """The conversation with its new title; None where the user has none of that number."""
    statement = sa.update(conversations).where(_of(conversation_id, user_id))
    changed = statement.values(**_titled(title), updated_at=now).returning(*_COLUMNS)
    row = (await connection.execute(changed)).first()
    return None if row is None else ConversationRow(*row)


async def touch(connection: AsyncConnection, conversation_id: int, user_id: int, now: datetime) -> bool:
    """Notes that a conversation changed; false where the user has none of that number."""
    statement = sa.update(conversations).where(_of(conversation_id, user_id)).values(updated_at=now)
    return (await connection.execute(statement)).rowcount > 0


async def remove(connection: AsyncConnection, conversation_id: int, user_id: int) -> bool:
    """Removes a conversation with its messages; false where the user has none of that number."""
    return (await connection.execute(sa.delete(conversations).where(_of(conversation_id, user_id)))).rowcount > 0


def _of(conversation_id: int, user_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(conversations.c.id == conversation_id, conversations.c.user_id == user_id)


def _titled(title: str) -> dict[str, str]:
    # Folded here because the databases differ in what they hold for upper and lower case.
    return {"title": title, "title_folded": title.casefold()}
