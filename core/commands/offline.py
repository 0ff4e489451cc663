"""The parts of a core without its servers, for commands that work on the database themselves.

They run the same use cases as the RPCs, and note what they change in the same transaction, so that
running cores see it within a second.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import cast

from core import logs, sockets
from core.auth import NOBODY, Authenticator, Secrets
from core.clock import Clock, SystemClock
from core.commands.failure import Failure
from core.deps import Deps
from core.ids import NewId, new_id
from core.ledger.limits import Limits
from core.passwords import Argon2Hasher, Hasher
from core.providers.upstream import Upstream
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.rpc import caller
from core.rpc.caller import Caller
from core.secrets import Cipher, secret_key_of
from core.settings import Settings
from core.store import migrate
from core.store.database import Database
from core.store.providers import ProviderRow
from core.supervisor import EX_CONFIG

Connect = Callable[[Settings, Cipher, Clock], Callable[[ProviderRow], Upstream]]
"""Makes what makes the upstream of a provider's row."""


@dataclass(slots=True, kw_only=True)
class _Parts:
    """All of Deps but what only a running core has: no command answers an inference request."""

    settings: Settings
    clock: Clock
    new_id: NewId
    database: Database
    authenticator: Authenticator
    cipher: Cipher
    hasher: Hasher
    catalog: Catalog
    limits: Limits
    budgets: None = None


def _unconnected(settings: Settings, cipher: Cipher, clock: Clock) -> Callable[[ProviderRow], Upstream]:
    def refuse(row: ProviderRow) -> Upstream:
        raise ValueError("providers are not called here")

    return refuse


@asynccontextmanager
async def opened(settings: Settings, connect: Connect = _unconnected) -> AsyncGenerator[Deps]:
    """The parts, on a database that has its tables. The caller of use cases is nobody: the operator.

    connect: for commands that call providers. Raises Failure, SettingsError, DatabaseError, SchemaError.
    """
    if settings.log_level == "debug":
        logs.set_up(settings.log_level, settings.log_format, "command")
    else:  # what went wrong, commands say themselves
        logging.getLogger().addHandler(logging.NullHandler())
    sockets.prepare(settings)
    await _with_tables(settings.resolved_database_url)
    clock, database = SystemClock(), Database(settings.resolved_database_url)
    cipher = Cipher(secret_key_of(settings), settings.secret_keys_old)
    parts = _Parts(
        settings=settings,
        clock=clock,
        new_id=new_id,
        database=database,
        authenticator=Authenticator(database, clock),
        cipher=cipher,
        hasher=Argon2Hasher(),
        catalog=Catalog(database, clock, Health(clock), connect(settings, cipher, clock)),
        limits=Limits(database),
    )
    act_for(0)
    try:
        yield cast("Deps", parts)
    finally:
        await database.close()


async def _with_tables(url: str) -> None:
    """Makes the tables where there are none; older ones may still be needed by a running service."""
    found = await migrate.current(url)
    if not found:
        await migrate.upgrade(url)
    elif found != migrate.HEAD:
        raise Failure(
            f"the database is at revision {found} and this version of llmrouter wants {migrate.HEAD}: "
            "run `llmrouter migrate`, or the version that made it",
            EX_CONFIG,
        )


def act_for(user_id: int) -> None:
    """Makes a user the caller of the use cases that follow; 0 is the operator."""
    principal = replace(NOBODY, user_id=user_id)
    caller.enter(Caller(principal, "", "", "cli", Secrets(), is_facade=False))
