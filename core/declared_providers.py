"""Providers that the environment declares: made at start where no provider of that name exists.

What is made is an ordinary provider. Who changes it by the API changes it for good; the environment
does not win it back.
"""

import logging

from sqlalchemy.exc import IntegrityError

from core.deps import Deps
from core.providers.declared import vendors_in_environment
from core.settings import SettingsError
from core.store import changes, providers

log = logging.getLogger(__name__)

ECHO = "echo"


async def declare_providers(deps: Deps) -> None:
    """Makes the providers that are declared and missing. Raises DatabaseError, SettingsError."""
    try:
        declared = vendors_in_environment(deps.settings.environ)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    wanted = [(vendor.type, vendor.type, vendor.base_url, vendor.api_key, "environment") for vendor in declared]
    if deps.settings.echo:
        wanted.append((ECHO, ECHO, "", "", "builtin"))
    for name, kind, base_url, api_key, source in wanted:
        await _ensure(deps, name, kind, base_url, api_key, source)


async def _ensure(deps: Deps, name: str, kind: str, base_url: str, api_key: str, source: str) -> None:
    try:
        async with deps.database.write() as connection:
            if await providers.get_by_name(connection, name) is not None:
                return
            row = await providers.add(
                connection,
                name=name,
                type=kind,
                base_url=base_url,
                api_key=deps.cipher.encrypt(api_key) if api_key else None,
                enabled=True,
                source=source,
                now=deps.clock.now(),
            )
            await changes.note(connection, "provider", row.id, deps.clock.now())
    except IntegrityError:
        return  # another process was faster
    log.info("provider '%s' was declared by the %s", name, source)
