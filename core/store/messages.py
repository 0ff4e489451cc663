"""The messages of conversations. Whoever asks makes sure first that the conversation is the caller's."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import messages
from core.store.weight import weighed


@dataclass(frozen=True, slots=True)
class MessageRow:
    id: int
    conversation_id: int
    role: str  # "system", "developer", "user", "assistant" or "tool"
    content: str
    input_tokens: int | None  # None: not known
    output_tokens: int | None
    created_at: datetime


_COLUMNS = [messages.c[each.name] for each in fields(MessageRow)]


async def page(
    connection: AsyncConnection, conversation_id: int, *, after_id: int, limit: int
) -> tuple[Sequence[MessageRow], bool]:
    """A conversation's messages with a number above `after_id`, oldest first, and whether there are more.

    There are at most `limit`, and no more than one answer can hold (core/store/weight.py).
    """
    query = sa.select(*_COLUMNS).where(messages.c.conversation_id == conversation_id, messages.c.id > after_id)
    rows, more = await weighed(
        connection, query.order_by(messages.c.id), key=messages.c.id, text=messages.c.content, limit=limit
    )
    return [MessageRow(*row) for row in rows], more


async def add(
    connection: AsyncConnection,
    *,
    conversation_id: int,
    role: str,
    content: str,
    now: datetime,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
) -> MessageRow:
    values = {
        "conversation_id": conversation_id,
        "role": role,
        "content": content,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "created_at": now,
    }
    return MessageRow(*(await connection.execute(sa.insert(messages).values(values).returning(*_COLUMNS))).one())
