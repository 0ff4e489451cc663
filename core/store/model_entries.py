"""Model entries: models that were added to a provider by hand, because its own list leaves them out."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import model_entries


@dataclass(frozen=True, slots=True)
class ModelEntryRow:
    id: int
    provider_id: int
    name: str
    created_at: datetime
    updated_at: datetime


_COLUMNS = [model_entries.c[each.name] for each in fields(ModelEntryRow)]


async def all_rows(connection: AsyncConnection) -> Sequence[ModelEntryRow]:
    """Every entry of every provider, in the order of their numbers."""
    query = sa.select(*_COLUMNS).order_by(model_entries.c.id)
    return [ModelEntryRow(*row) for row in await connection.execute(query)]


async def of_provider(connection: AsyncConnection, provider_id: int) -> Sequence[ModelEntryRow]:
    """A provider's entries, in the order of their numbers."""
    return (await of_providers(connection, [provider_id])).get(provider_id, [])


async def names_of(connection: AsyncConnection, provider_id: int) -> Sequence[str]:
    """The names of a provider's entries, in the order of their numbers."""
    query = sa.select(model_entries.c.name).where(model_entries.c.provider_id == provider_id)
    return (await connection.execute(query.order_by(model_entries.c.id))).scalars().all()


async def of_providers(connection: AsyncConnection, provider_ids: Sequence[int]) -> dict[int, list[ModelEntryRow]]:
    """The entries of several providers by the provider's number; one that has none is absent."""
    query = sa.select(*_COLUMNS).where(model_entries.c.provider_id.in_(provider_ids)).order_by(model_entries.c.id)
    found: dict[int, list[ModelEntryRow]] = {}
    for row in await connection.execute(query):
        entry = ModelEntryRow(*row)
        found.setdefault(entry.provider_id, []).append(entry)
    return found


async def add(connection: AsyncConnection, provider_id: int, name: str, now: datetime) -> ModelEntryRow:
    """Adds an entry. Raises IntegrityError where the provider has it already, or does not exist."""
    values = {"provider_id": provider_id, "name": name, "created_at": now, "updated_at": now}
    statement = sa.insert(model_entries).values(values).returning(*_COLUMNS)
    return ModelEntryRow(*(await connection.execute(statement)).one())


async def remove(connection: AsyncConnection, entry_id: int, provider_id: int) -> bool:
    """Removes an entry; false where that provider has none of that number."""
    statement = sa.delete(model_entries).where(
        model_entries.c.id == entry_id, model_entries.c.provider_id == provider_id
    )
    return (await connection.execute(statement)).rowcount > 0
