"""What `llmrouter doctor` looks at in the database: that it answers, its tables, its clock, the providers in it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import sqlalchemy as sa

from core.commands import provider_trial
from core.commands.failure import explain
from core.commands.machine_checks import Finding
from core.commands.output import models
from core.errors import RefreshFailed
from core.providers.fields import ECHO
from core.secrets import secret_key_file
from core.settings import Settings
from core.store import migrate, providers, users
from core.store.database import Database
from core.store.providers import ProviderRow
from core.store.tables import changes

_CLOCK_TOLERANCE = 60.0  # seconds
_PROVIDER_LIMIT = 15.0  # seconds
_PROVIDERS_AT_ONCE = 8


async def look(settings: Settings, *, ask_providers: bool) -> AsyncGenerator[Finding]:
    """The database, and what can only be told when it answers."""
    url = settings.resolved_database_url
    if settings.on_sqlite and not _sqlite_file(url).exists():
        yield Finding(True, "database", "SQLite, made at the first start")
        return
    try:
        revision = await migrate.current(url)
    except Exception as error:
        yield Finding(False, "database", explain(error)[0])
        return
    if revision != migrate.HEAD:
        older = f"at revision {revision}, and this version wants {migrate.HEAD}: `llmrouter migrate`"
        yield Finding(not revision, "database", older if revision else "no tables yet; the first start makes them")
        return
    yield Finding(True, "database", f"{'SQLite' if settings.on_sqlite else 'PostgreSQL'}, at revision {revision}")
    database = Database(url)
    try:
        yield await _database_clock(database)
        async with database.read() as connection:
            has_administrator = await users.has_administrator(connection)
            rows = [row for row in await providers.all_rows(connection) if row.enabled]
    finally:
        await database.close()
    mend = "there is none; `llmrouter users add --admin EMAIL` makes one"
    yield Finding(has_administrator, "administrator", "there is one" if has_administrator else mend)
    for finding in await _providers(settings, rows, ask=ask_providers):
        yield finding


def _sqlite_file(url: str) -> Path:
    return Path(sa.make_url(url).database or "")


async def _database_clock(database: Database) -> Finding:
    """The database's clock where it has one of its own, else the time of the last change."""
    async with database.read() as connection:
        if database.is_sqlite:
            newest = (await connection.execute(sa.select(sa.func.max(changes.c.created_at)))).scalar()
            ahead = 0.0 if newest is None else newest.timestamp() - time.time()
        else:
            ahead = float((await connection.execute(sa.text("SELECT extract(epoch FROM now())"))).scalar_one())
            ahead = abs(ahead - time.time())
    good = ahead <= _CLOCK_TOLERANCE
    wrong = f"this machine's clock and the database's differ by {ahead:.0f} s; set them"
    return Finding(good, "database's time", "agrees with this machine's" if good else wrong)


async def _providers(settings: Settings, rows: Sequence[ProviderRow], *, ask: bool) -> list[Finding]:
    """Whether each enabled provider's key can be read and whether it answers, all at once."""
    if not settings.secret_key and not secret_key_file(settings).exists():
        return [
            Finding(False, f"provider {row.name}", "its key is lost with the secret key") for row in rows if row.api_key
        ]
    turns = asyncio.Semaphore(_PROVIDERS_AT_ONCE)

    async with provider_trial.connected(settings) as (_, make):

        async def look_at(row: ProviderRow) -> Finding:
            about = f"provider {row.name}"
            if row.type == ECHO and not settings.echo:
                return Finding(True, about, "not offered, for LLMROUTER_ECHO is off")
            try:
                upstream = make(row)
            except ValueError as error:
                return Finding(False, about, f"can't be used: {error}")
            if not ask:
                return Finding(True, about, "its key can be read")
            try:
                async with turns, asyncio.timeout(_PROVIDER_LIMIT):
                    found = await upstream.models()
            except RefreshFailed as error:
                return Finding(False, about, str(error))
            except TimeoutError:
                return Finding(False, about, f"no answer in {_PROVIDER_LIMIT:.0f} seconds")
            return Finding(True, about, f"answers, with {models(len(found))}")

        return list(await asyncio.gather(*map(look_at, rows)))
