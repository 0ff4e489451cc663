"""Whom budgets and limits are for."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from core.ledger import scope as scopes
from core.store import credentials, users


async def exists(connection: AsyncConnection, kind: str, scope_id: str, now: datetime) -> bool:
    """Whether there is such a user, or such a credential that counts; of other kinds there is whatever is named."""
    if kind == scopes.USER:
        return await users.get(connection, int(scope_id)) is not None
    if kind == scopes.CREDENTIAL:
        return bool(await credentials.good(connection, [int(scope_id)], now))
    return True
