"""Users. E-mail addresses and user names are kept in lower case.

A user name with an @ is its owner's own e-mail address, so that nobody can sign in by, or take,
what is another's address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVarTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.tables import users

_Row = TypeVarTuple("_Row")

ADMIN = "admin"
USER = "user"


@dataclass(frozen=True, slots=True)
class User:
    """A user without the password's hash."""

    id: int
    email: str
    username: str
    full_name: str
    role: str  # USER or ADMIN
    disabled: bool
    must_change_password: bool
    created_at: datetime
    updated_at: datetime

    @property
    def administers(self) -> bool:
        """Whether this is an administrator who can sign in."""
        return self.role == ADMIN and not self.disabled


_COLUMNS = [c for c in users.c if c.name != "password_hash"]


def _with_password(row: tuple[Any, ...]) -> tuple[User, str]:
    return User(*row[1:]), row[0]


def _locking(query: sa.Select[*_Row]) -> sa.Select[*_Row]:
    # FOR NO KEY UPDATE: others may go on to add rows that refer to these. SQLite, which has one
    # writer at a time, leaves it out.
    return query.with_for_update(key_share=True)


async def add(
    connection: AsyncConnection,
    *,
    email: str,
    username: str,
    password_hash: str,
    role: str,
    now: datetime,
    full_name: str = "",
    must_change_password: bool = False,
) -> User:
    """Makes a user. Raises IntegrityError where the address or the name is taken."""
    statement = (
        sa.insert(users)
        .values(
            email=email,
            username=username,
            full_name=full_name,
            password_hash=password_hash,
            role=role,
            disabled=False,
            must_change_password=must_change_password,
            created_at=now,
            updated_at=now,
        )
        .returning(*_COLUMNS)
    )
    return User(*(await connection.execute(statement)).one())


async def get(connection: AsyncConnection, user_id: int) -> User | None:
    row = (await connection.execute(sa.select(*_COLUMNS).where(users.c.id == user_id))).first()
    return None if row is None else User(*row)


async def by_login(connection: AsyncConnection, login: str) -> tuple[User, str] | None:
    """The user with this e-mail address or user name, in lower case, and the password's hash."""
    query = sa.select(users.c.password_hash, *_COLUMNS).where((users.c.email == login) | (users.c.username == login))
    row = (await connection.execute(query)).first()
    return None if row is None else _with_password(tuple(row))


async def with_password(connection: AsyncConnection, user_id: int, *, lock: bool = False) -> tuple[User, str] | None:
    """A user and the password's hash. lock: nobody else changes the user until the transaction ends."""
    query = sa.select(users.c.password_hash, *_COLUMNS).where(users.c.id == user_id)
    row = (await connection.execute(_locking(query) if lock else query)).first()
    return None if row is None else _with_password(tuple(row))


async def lock_administrators(connection: AsyncConnection) -> Sequence[int]:
    """The numbers of the administrators who can sign in; none of them ceases to be one until the
    transaction ends. To be called before another user is locked, lest two transactions wait for each other.
    """
    query = sa.select(users.c.id).where(users.c.role == ADMIN, users.c.disabled.is_(False)).order_by(users.c.id)
    return (await connection.execute(_locking(query))).scalars().all()


async def has_administrator(connection: AsyncConnection) -> bool:
    """Whether there is an administrator, disabled or not."""
    query = sa.select(sa.exists().where(users.c.role == ADMIN))
    return bool((await connection.execute(query)).scalar())


async def page(connection: AsyncConnection, *, after_id: int, limit: int) -> Sequence[User]:
    """Users in the order of their numbers."""
    query = sa.select(*_COLUMNS).where(users.c.id > after_id).order_by(users.c.id).limit(limit)
    return [User(*row) for row in await connection.execute(query)]


async def change(connection: AsyncConnection, user_id: int, values: dict[str, Any], now: datetime) -> User:
    """Changes a user who exists; values: by column. Raises IntegrityError where an address or name is taken."""
    statement = sa.update(users).where(users.c.id == user_id).values(**values, updated_at=now).returning(*_COLUMNS)
    return User(*(await connection.execute(statement)).one())


async def enabled(connection: AsyncConnection, user_ids: Sequence[int]) -> set[int]:
    """Those of the users who exist and are not disabled."""
    query = sa.select(users.c.id).where(users.c.id.in_(user_ids), sa.not_(users.c.disabled))
    return set((await connection.execute(query)).scalars())


async def rehash(connection: AsyncConnection, user_id: int, password_hash: str) -> None:
    """Keeps another hash of the same password."""
    await connection.execute(sa.update(users).where(users.c.id == user_id).values(password_hash=password_hash))


async def remove(connection: AsyncConnection, user_id: int) -> bool:
    """Removes a user with everything that is the user's, but for usage records; false where there is none."""
    return (await connection.execute(sa.delete(users).where(users.c.id == user_id))).rowcount > 0
