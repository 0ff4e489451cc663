"""Virtual keys: credentials with caps and labels, for programs that call models.

A key is a row of `credentials` and one of `virtual_keys`; its number is the credential's. A revoked
one stays, so that the accounts still name it, and is never used again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import budgets, credentials, users, virtual_keys

KIND = "virtual_key"
"""The kind of their credentials."""

SCOPE, CAP_PERIOD = "credential", "month"
"""The kind of scope, and the period, of the hard budget that is a key's monthly cap."""


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A virtual key without its secret."""

    id: int
    prefix: str
    user_id: int
    name: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    email: str  # the user's
    cost_centre: str
    environment: str
    agent_name: str
    project_name: str
    max_output_tokens: int
    max_reasoning_tokens: int
    allow_unpriced: bool
    is_active: bool
    revoked_at: datetime | None
    monthly_cap_nanousd: int | None

    @property
    def usable(self) -> bool:
        """Whether it was put out of use neither for a time nor for good."""
        return self.is_active and self.revoked_at is None

    @property
    def project(self) -> str:
        """What its usage is counted for: the project that it was given, else its agent, else its own name."""
        return self.project_name or self.agent_name or self.name


CHANGEABLE = frozenset(
    (
        "cost_centre",
        "environment",
        "agent_name",
        "project_name",
        "max_output_tokens",
        "max_reasoning_tokens",
        "allow_unpriced",
        "is_active",
    )
)
"""The columns of the table that a change may name; `name` and `expires_at` are the credential's."""

_ELSEWHERE = {"email": users.c.email, "monthly_cap_nanousd": budgets.c.limit_nanousd}


def _column(name: str) -> sa.ColumnElement[Any]:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    return credentials.c[name] if name in credentials.c else virtual_keys.c[name]


_CAP = sa.and_(
    budgets.c.scope_kind == SCOPE,
    budgets.c.scope_id == sa.cast(credentials.c.id, sa.String(20)),
    budgets.c.period == CAP_PERIOD,
    budgets.c.hard,
)
_KEYS = (
    sa.select(*(_column(field.name) for field in fields(VirtualKey)))
    .select_from(credentials)
    .join(virtual_keys)
    .join(users)
    .outerjoin(budgets, _CAP)
)


async def add(connection: AsyncConnection, credential_id: int, values: Mapping[str, Any]) -> None:
    """Makes a credential that was just added a virtual key; values: by column."""
    await connection.execute(sa.insert(virtual_keys).values(credential_id=credential_id, **values))


async def get(
    connection: AsyncConnection, key_id: int, *, user_id: int | None = None, lock: bool = False
) -> VirtualKey | None:
    """The key of that number. user_id: only where it is this user's; lock: until the transaction ends."""
    query = _KEYS.where(credentials.c.id == key_id)
    if user_id is not None:
        query = query.where(credentials.c.user_id == user_id)
    if lock:
        query = query.with_for_update(of=[credentials, virtual_keys], key_share=True)
    row = (await connection.execute(query)).first()
    return None if row is None else VirtualKey(*row)


async def page(connection: AsyncConnection, *, user_id: int | None, after_id: int, limit: int) -> Sequence[VirtualKey]:
    """Keys in the order of their numbers. user_id: only this user's."""
    query = _KEYS.where(credentials.c.id > after_id).order_by(credentials.c.id).limit(limit)
    if user_id is not None:
        query = query.where(credentials.c.user_id == user_id)
    return [VirtualKey(*row) for row in await connection.execute(query)]


async def change(connection: AsyncConnection, key_id: int, values: Mapping[str, Any], now: datetime) -> None:
    """Changes a key; values: by column of either table."""
    own = {name: value for name, value in values.items() if name in CHANGEABLE}
    others = {name: value for name, value in values.items() if name not in CHANGEABLE}
    if own:
        await connection.execute(sa.update(virtual_keys).where(virtual_keys.c.credential_id == key_id).values(**own))
    await connection.execute(
        sa.update(credentials)
        .where(credentials.c.id == key_id, credentials.c.kind == KIND)
        .values(**others, updated_at=now)
    )


async def revoke(connection: AsyncConnection, key_id: int, now: datetime) -> None:
    """Puts a key out of use for good. One that was revoked before stays so from then on."""
    await connection.execute(
        sa.update(virtual_keys)
        .where(virtual_keys.c.credential_id == key_id, virtual_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
