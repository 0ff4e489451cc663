"""Personas: system prompts with a name.

Each belongs to a user, and every function asks whose it is: to others it is not there.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import personas
from core.store.weight import weighed


@dataclass(frozen=True, slots=True)
class PersonaRow:
    id: str
    user_id: int
    name: str
    system_prompt: str
    created_at: datetime
    updated_at: datetime


class PersonaChange(TypedDict, total=False):
    """What to change of a persona; what is absent stays."""

    name: str
    system_prompt: str


_COLUMNS = [personas.c[each.name] for each in fields(PersonaRow)]


async def page(
    connection: AsyncConnection, user_id: int, *, before: tuple[int, str] | None, limit: int
) -> tuple[Sequence[PersonaRow], bool]:
    """A user's personas, the newest first, and whether there are more.

    before: when the last one of the page before was made, in microseconds since 1970, and its id. There are at most
    `limit`, and no more than one answer can hold (core/store/weight.py).
    """
    query = sa.select(*_COLUMNS).where(personas.c.user_id == user_id)
    if before is not None:
        query = query.where(sa.tuple_(personas.c.created_at, personas.c.id) < before)
    query = query.order_by(personas.c.created_at.desc(), personas.c.id.desc())
    rows, more = await weighed(connection, query, key=personas.c.id, text=personas.c.system_prompt, limit=limit)
    return [PersonaRow(*row) for row in rows], more


async def add(connection: AsyncConnection, persona: PersonaRow) -> None:
    await connection.execute(sa.insert(personas).values(asdict(persona)))


async def change(
    connection: AsyncConnection, persona_id: str, user_id: int, values: PersonaChange, now: datetime
) -> PersonaRow | None:
    """The persona after the change; None where the user has none of that id."""
    statement = sa.update(personas).where(_of(persona_id, user_id)).values(**values, updated_at=now)
    row = (await connection.execute(statement.returning(*_COLUMNS))).first()
    return None if row is None else PersonaRow(*row)


async def remove(connection: AsyncConnection, persona_id: str, user_id: int) -> bool:
    """Removes a persona; false where the user has none of that id."""
    return (await connection.execute(sa.delete(personas).where(_of(persona_id, user_id)))).rowcount > 0


def _of(persona_id: str, user_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(personas.c.id == persona_id, personas.c.user_id == user_id)
