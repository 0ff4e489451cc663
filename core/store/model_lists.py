"""The models that each provider had when it was last heard: what a start goes by until it is heard again."""

from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.database import Database
from core.store.tables import model_lists


class ModelList(NamedTuple):
    base_url: str  # where they were pulled from; those of another place say nothing
    models: tuple[str, ...]
    pulled_at: datetime


_decode = msgspec.json.Decoder(tuple[str, ...]).decode


async def all_lists(connection: AsyncConnection) -> dict[int, ModelList]:
    """The lists by the providers' numbers."""
    query = sa.select(model_lists.c.provider_id, model_lists.c.base_url, model_lists.c.models, model_lists.c.pulled_at)
    return {
        number: ModelList(base_url, _decode(models), pulled_at)
        for number, base_url, models, pulled_at in await connection.execute(query)
    }


async def keep(connection: AsyncConnection, database: Database, provider_id: int, pulled: ModelList) -> None:
    """Keeps a provider's list in the place of the one before. Raises IntegrityError where the provider is gone."""
    values = {
        "base_url": pulled.base_url,
        "models": msgspec.json.encode(pulled.models).decode(),
        "pulled_at": pulled.pulled_at,
    }
    statement = database.insert(model_lists).values(provider_id=provider_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=[model_lists.c.provider_id], set_=values))
