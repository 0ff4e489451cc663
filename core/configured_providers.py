"""Providers that the configuration file declares, brought into the database.

What the file declares belongs to the file: what the API changes of such a provider lasts until the
next start or reload. A provider that is not in the file any more is disabled, never deleted. Where the
API made a provider of the same name, or it is built in, that one is left alone.
"""

import logging
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from core.config.providers import DeclaredProvider
from core.deps import Deps
from core.secrets import Cipher
from core.store import changes, model_entries, providers
from core.store.model_entries import ModelEntryRow
from core.store.providers import ProviderChange, ProviderRow

log = logging.getLogger(__name__)

_SOURCE = "config"
# Whose providers the file may take over: its own, and those that are declared in a weaker way.
_YIELDING = (_SOURCE, "environment")


async def bring_in_line(deps: Deps, declared: Sequence[DeclaredProvider], *, tells: bool = True) -> None:
    """Brings the providers to what the file says: all of them, or none where it fails. Raises DatabaseError.

    tells: whether this process, of those that all do so, tells of what it leaves alone.
    """
    done: list[tuple[int, str, str]] = []
    async with deps.database.write() as connection:
        rows = {row.name: row for row in await providers.lock_all(connection)}
        entries = await model_entries.of_providers(connection, [row.id for row in rows.values()])
        for provider in declared:
            row = rows.get(provider.name)
            if row is not None and row.source not in _YIELDING:
                done.append(
                    (
                        logging.WARNING if tells else logging.DEBUG,
                        row.name,
                        f"has the source '{row.source}' and is left alone",
                    )
                )
            elif said := await _bring(connection, deps, provider, row, entries.get(row.id, []) if row else []):
                done.append((logging.INFO, provider.name, said))
        names = {provider.name for provider in declared}
        for row in rows.values():
            if row.source == _SOURCE and row.enabled and row.name not in names:
                await providers.change(connection, row.id, {"enabled": False}, deps.clock.now())
                await changes.note(connection, "provider", row.id, deps.clock.now())
                done.append((logging.WARNING, row.name, "is not in the file any more and was disabled"))
    for level, name, said in done:
        log.log(level, "provider '%s' %s", name, said)


async def _bring(
    connection: AsyncConnection,
    deps: Deps,
    provider: DeclaredProvider,
    row: ProviderRow | None,
    entries: Sequence[ModelEntryRow],
) -> str:
    """Makes a provider and its entries what the file says; tells what was done, "" for nothing."""
    now = deps.clock.now()
    wanted = _wanted(provider, deps.cipher, None if row is None else row.api_key)
    said = ""
    if row is None:
        row = await providers.add(connection, **cast("dict[str, Any]", wanted), now=now)
        said = "was declared by the file"
    elif different := _different(row, wanted):
        await providers.change(connection, row.id, different, now)
        said = f"was changed by the file: {', '.join(different)}"
    for entry in entries:
        if entry.name not in provider.models:
            await model_entries.remove(connection, entry.id, row.id)
            said = said or "has other models in the file"
    for name in provider.models:
        if all(entry.name != name for entry in entries):
            await model_entries.add(connection, row.id, name, now)
            said = said or "has other models in the file"
    if said:
        await changes.note(connection, "provider", row.id, now)
    return said


def _wanted(provider: DeclaredProvider, cipher: Cipher, key_before: bytes | None) -> ProviderChange:
    """The provider as its row shall be."""
    return {
        "name": provider.name,
        "type": provider.type,
        "base_url": provider.base_url,
        "api_key": _stored(provider.api_key, key_before, cipher),
        "enabled": provider.enabled,
        "source": _SOURCE,
        "connect_ms": provider.connect_ms,
        "first_byte_ms": provider.first_byte_ms,
        "idle_ms": provider.idle_ms,
    }


def _stored(api_key: str, before: bytes | None, cipher: Cipher) -> bytes | None:
    """The key as it is kept. One that is kept already stays: encrypting it again would look like a change."""
    if not api_key:
        return None
    try:
        if before is not None and cipher.decrypt(before) == api_key:
            return before
    except ValueError:
        pass  # nobody can read it any more
    return cipher.encrypt(api_key)


def _different(row: ProviderRow, wanted: ProviderChange) -> ProviderChange:
    return cast("ProviderChange", {name: value for name, value in wanted.items() if getattr(row, name) != value})
