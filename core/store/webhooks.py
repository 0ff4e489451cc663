"""Webhooks, and what they are to be told: one row for each event and webhook."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import webhook_deliveries, webhooks


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook without its secret."""

    id: int
    url: str
    enabled: bool
    created_at: datetime
    updated_at: datetime


class Delivery(NamedTuple):
    """Something to be told, with all that it takes."""

    id: int
    event_id: int
    attempts: int  # this one included
    url: str
    secret: bytes  # encrypted


_COLUMNS = [column for column in webhooks.c if column.name != "secret"]


async def every(connection: AsyncConnection) -> Sequence[Webhook]:
    """All webhooks, oldest first."""
    return [Webhook(*row) for row in await connection.execute(sa.select(*_COLUMNS).order_by(webhooks.c.id))]


async def add(connection: AsyncConnection, url: str, secret: bytes, now: datetime) -> Webhook:
    """Makes one. secret: encrypted."""
    values = {"url": url, "secret": secret, "enabled": True, "created_at": now, "updated_at": now}
    row = (await connection.execute(sa.insert(webhooks).values(**values).returning(*_COLUMNS))).one()
    return Webhook(*row)


async def update(connection: AsyncConnection, webhook_id: int, now: datetime, **values: Any) -> Webhook | None:
    """Changes one; None where there is none."""
    statement = sa.update(webhooks).where(webhooks.c.id == webhook_id).values(**values, updated_at=now)
    row = (await connection.execute(statement.returning(*_COLUMNS))).first()
    return None if row is None else Webhook(*row)


async def remove(connection: AsyncConnection, webhook_id: int) -> bool:
    """Removes one, and what it was still to be told; false where there is none."""
    return bool((await connection.execute(sa.delete(webhooks).where(webhooks.c.id == webhook_id))).rowcount)


async def tell_all(connection: AsyncConnection, event_id: int, now: datetime) -> None:
    """Has every enabled webhook be told of a new event."""
    told = sa.select(
        webhooks.c.id, sa.literal(event_id), sa.literal(0), sa.literal(now, webhooks.c.created_at.type), sa.literal("")
    )
    columns = ["webhook_id", "event_id", "attempts", "due_at", "failure"]
    await connection.execute(
        sa.insert(webhook_deliveries).from_select(columns, told.where(webhooks.c.enabled), include_defaults=False)
    )


async def any_due(connection: AsyncConnection, now: datetime) -> bool:
    """Whether something is to be told now."""
    query = sa.select(webhook_deliveries.c.id).where(webhook_deliveries.c.due_at <= now).limit(1)
    return (await connection.execute(query)).first() is not None


async def claim(connection: AsyncConnection, now: datetime, *, limit: int, lease: float) -> Sequence[Delivery]:
    """Takes at most `limit` that are due; nobody else has them for `lease` seconds."""
    due = (
        sa.select(webhook_deliveries.c.id)
        .where(webhook_deliveries.c.due_at <= now)
        .order_by(webhook_deliveries.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    numbers = (await connection.execute(due)).scalars().all()
    if not numbers:
        return []
    mine = webhook_deliveries.c.id.in_(numbers)
    later = {"attempts": webhook_deliveries.c.attempts + 1, "due_at": now + timedelta(seconds=lease)}
    await connection.execute(sa.update(webhook_deliveries).where(mine).values(**later))
    query = sa.select(
        webhook_deliveries.c.id,
        webhook_deliveries.c.event_id,
        webhook_deliveries.c.attempts,
        webhooks.c.url,
        webhooks.c.secret,
    ).join(webhooks, webhooks.c.id == webhook_deliveries.c.webhook_id)
    return [Delivery(*row) for row in await connection.execute(query.where(mine))]


async def delivered(connection: AsyncConnection, delivery_id: int, now: datetime) -> None:
    """Notes that one was told."""
    values = {"due_at": None, "delivered_at": now, "failure": ""}
    await connection.execute(sa.update(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id).values(values))


async def failed(connection: AsyncConnection, delivery_id: int, failure: str, due_at: datetime | None) -> None:
    """Notes that one could not be told. due_at: when to try again; None for never."""
    values = {"due_at": due_at, "failure": failure[:200]}
    await connection.execute(sa.update(webhook_deliveries).where(webhook_deliveries.c.id == delivery_id).values(values))
