"""Providers: the places where models are.

A provider's key is kept encrypted (core/secrets.py) and stays so here; whoever calls the provider
decrypts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import providers


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A provider as it is stored. Times to wait are in milliseconds, 0 for the default."""

    id: int
    name: str
    type: str
    base_url: str
    api_key: bytes | None = field(repr=False)  # encrypted
    enabled: bool
    source: str  # "api", "environment", "config" or "builtin"
    connect_ms: int
    first_byte_ms: int
    idle_ms: int
    created_at: datetime
    updated_at: datetime


class ProviderChange(TypedDict, total=False):
    """What to change of a provider; what is absent stays."""

    name: str
    type: str
    base_url: str
    api_key: bytes | None  # encrypted
    enabled: bool
    source: str
    connect_ms: int
    first_byte_ms: int
    idle_ms: int


_COLUMNS = [providers.c[each.name] for each in fields(ProviderRow)]


async def all_rows(connection: AsyncConnection) -> Sequence[ProviderRow]:
    """Every provider, in the order of their numbers."""
    query = sa.select(*_COLUMNS).order_by(providers.c.id)
    return [ProviderRow(*row) for row in await connection.execute(query)]


async def page(connection: AsyncConnection, *, after_id: int, limit: int) -> Sequence[ProviderRow]:
    """At most `limit` providers with a number above `after_id`, in the order of their numbers."""
    query = sa.select(*_COLUMNS).where(providers.c.id > after_id).order_by(providers.c.id).limit(limit)
    return [ProviderRow(*row) for row in await connection.execute(query)]


async def get(connection: AsyncConnection, provider_id: int) -> ProviderRow | None:
    return await _one(connection, providers.c.id == provider_id)


async def get_by_name(connection: AsyncConnection, name: str) -> ProviderRow | None:
    """The provider of exactly this name, case included."""
    return await _one(connection, providers.c.name == name)


async def lock(connection: AsyncConnection, provider_id: int) -> ProviderRow | None:
    """A provider that nobody else changes until the transaction ends."""
    query = sa.select(*_COLUMNS).where(providers.c.id == provider_id).with_for_update()
    row = (await connection.execute(query)).first()
    return None if row is None else ProviderRow(*row)


async def lock_all(connection: AsyncConnection) -> Sequence[ProviderRow]:
    """Every provider; until the transaction ends nobody else adds, changes or removes one.

    On SQLite every transaction that writes is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        # As strong as it takes to wait for who holds a single row: two that wait for each other would never end.
        await connection.execute(sa.text("LOCK TABLE providers IN EXCLUSIVE MODE"))
    return await all_rows(connection)


async def add(
    connection: AsyncConnection,
    *,
    name: str,
    type: str,  # noqa: A002 - the column's name
    base_url: str,
    enabled: bool,
    source: str,
    now: datetime,
    api_key: bytes | None = None,
    connect_ms: int = 0,
    first_byte_ms: int = 0,
    idle_ms: int = 0,
) -> ProviderRow:
    """Adds a provider; api_key is encrypted already. Raises IntegrityError where the name is taken."""
    values = {
        "name": name,
        "type": type,
        "base_url": base_url,
        "api_key": api_key,
        "enabled": enabled,
        "source": source,
        "connect_ms": connect_ms,
        "first_byte_ms": first_byte_ms,
        "idle_ms": idle_ms,
        "created_at": now,
        "updated_at": now,
    }
    return ProviderRow(*(await connection.execute(sa.insert(providers).values(values).returning(*_COLUMNS))).one())


async def change(
    connection: AsyncConnection, provider_id: int, values: ProviderChange, now: datetime
) -> ProviderRow | None:
    """The provider after the change, None where there is none. Raises IntegrityError where the new name is taken."""
    statement = (
        sa.update(providers).where(providers.c.id == provider_id).values(**values, updated_at=now).returning(*_COLUMNS)
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else ProviderRow(*row)


async def remove(connection: AsyncConnection, provider_id: int) -> bool:
    """Removes a provider with its model entries; false where there is none."""
    return (await connection.execute(sa.delete(providers).where(providers.c.id == provider_id))).rowcount > 0


async def _one(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> ProviderRow | None:
    row = (await connection.execute(sa.select(*_COLUMNS).where(condition))).first()
    return None if row is None else ProviderRow(*row)
