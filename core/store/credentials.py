"""Credentials: sessions, API keys, tokens and virtual keys, told apart by `kind`.

Only the SHA-256 of a secret is kept. The secrets are random and long, so a plain hash is enough:
there is nothing to guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import credentials, users


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


_COLUMNS = [c for c in credentials.c if c.name != "hash"]


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
        )
        .join(users)
        .where(credentials.c.hash == secret_hash)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else Holder(*row)


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
