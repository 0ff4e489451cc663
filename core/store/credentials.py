"""Credentials: sessions, API keys, tokens and virtual keys, told apart by `kind`.

Only the SHA-256 of a secret is kept. The secrets are random and long, so a plain hash is enough:
there is nothing to guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import credentials, users, virtual_keys


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential without its secret."""

    id: int
    kind: str
    prefix: str
    user_id: int
    name: str
    scopes: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holder:
    """A credential and what there is to know of its user, for authentication."""

    credential_id: int
    kind: str
    scopes: str
    expires_at: datetime | None
    user_id: int
    role: str
    disabled: bool
    # What a virtual key has beside; of other credentials the plain values.
    is_active: bool
    project: str
    max_output_tokens: int
    max_reasoning_tokens: int
    allow_unpriced: bool


_COLUMNS = [c for c in credentials.c if c.name != "hash"]

# A virtual key's project: what it was given, else its agent, else its own name. NULL for other credentials.
_PROJECT = sa.case(
    (virtual_keys.c.credential_id.is_(None), None),
    (virtual_keys.c.project_name != "", virtual_keys.c.project_name),
    (virtual_keys.c.agent_name != "", virtual_keys.c.agent_name),
    else_=credentials.c.name,
)


async def holder(connection: AsyncConnection, secret_hash: bytes) -> Holder | None:
    """Whose credential has this hash."""
    query = (
        sa.select(
            credentials.c.id,
            credentials.c.kind,
            credentials.c.scopes,
            credentials.c.expires_at,
            users.c.id,
            users.c.role,
            users.c.disabled,
            sa.func.coalesce(sa.and_(virtual_keys.c.is_active, virtual_keys.c.revoked_at.is_(None)), sa.true()),
            sa.func.coalesce(_PROJECT, ""),
            sa.func.coalesce(virtual_keys.c.max_output_tokens, 0),
            sa.func.coalesce(virtual_keys.c.max_reasoning_tokens, 0),
            sa.func.coalesce(virtual_keys.c.allow_unpriced, sa.false()),
        )
        .join(users)
        .outerjoin(virtual_keys)
        .where(credentials.c.hash == secret_hash)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else Holder(*row)


async def good(connection: AsyncConnection, credential_ids: Sequence[int], now: datetime) -> set[int]:
    """Those of the credentials that count: not expired, not put out of use, and of a user who is not disabled."""
    in_use = sa.and_(virtual_keys.c.is_active, virtual_keys.c.revoked_at.is_(None))
    query = (
        sa.select(credentials.c.id)
        .join(users)
        .outerjoin(virtual_keys)
        .where(
            credentials.c.id.in_(credential_ids),
            sa.not_(users.c.disabled),
            sa.or_(credentials.c.expires_at.is_(None), credentials.c.expires_at > now),
            sa.or_(virtual_keys.c.credential_id.is_(None), in_use),
        )
    )
    return set((await connection.execute(query)).scalars())


async def add(
    connection: AsyncConnection,
    *,
    kind: str,
    secret_hash: bytes,
    prefix: str,
    user_id: int,
    scopes: str,
    now: datetime,
    name: str = "",
    expires_at: datetime | None = None,
) -> Credential:
    statement = (
        sa.insert(credentials)
        .values(
            kind=kind,
            hash=secret_hash,
            prefix=prefix,
            user_id=user_id,
            name=name,
            scopes=scopes,
            created_at=now,
            updated_at=now,
            expires_at=expires_at,
        )
        .returning(*_COLUMNS)
    )
    return Credential(*(await connection.execute(statement)).one())


async def of_user(
    connection: AsyncConnection, user_id: int, kind: str, *, after_id: int = 0, limit: int = 1000
) -> Sequence[Credential]:
    """A user's credentials of one kind, oldest first."""
    query = (
        sa.select(*_COLUMNS)
        .where(credentials.c.user_id == user_id, credentials.c.kind == kind, credentials.c.id > after_id)
        .order_by(credentials.c.id)
        .limit(limit)
    )
    return [Credential(*row) for row in await connection.execute(query)]


async def count(connection: AsyncConnection, user_id: int, kind: str) -> int:
    """How many credentials of one kind a user has."""
    query = sa.select(sa.func.count()).where(credentials.c.user_id == user_id, credentials.c.kind == kind)
    return (await connection.execute(query)).scalar_one()


async def remove(connection: AsyncConnection, credential_id: int, user_id: int, kind: str) -> bool:
    """Removes a user's credential; false where there is none of that number, user and kind."""
    statement = sa.delete(credentials).where(
        credentials.c.id == credential_id, credentials.c.user_id == user_id, credentials.c.kind == kind
    )
    return (await connection.execute(statement)).rowcount > 0


async def remove_sessions(connection: AsyncConnection, user_id: int, *, except_id: int = 0) -> None:
    """Ends a user's sessions, but for one."""
    await connection.execute(
        sa.delete(credentials).where(
            credentials.c.user_id == user_id, credentials.c.kind == "session", credentials.c.id != except_id
        )
    )


async def remove_expired(connection: AsyncConnection, now: datetime) -> None:
    """Removes sessions that ended by themselves."""
    await connection.execute(
        sa.delete(credentials).where(credentials.c.kind == "session", credentials.c.expires_at < now)
    )
