"""Providers that the environment declares: made at start where no provider of that name exists.

What is made is an ordinary provider. Who changes it by the API changes it for good; the environment
does not win it back. A key that was replaced in the environment is therefore not taken over either,
which the log tells at each start.
"""

import logging

from sqlalchemy.exc import IntegrityError

from core.deps import Deps
from core.providers.declared import vendors_in_environment
from core.secrets import Cipher
from core.settings import SettingsError
from core.store import changes, providers
from core.store.providers import ProviderRow

log = logging.getLogger(__name__)

ECHO = "echo"
_ENVIRONMENT = "environment"


async def declare_providers(deps: Deps, *, tells: bool = True) -> None:
    """Makes the providers that are declared and missing. Raises DatabaseError, SettingsError.

    tells: whether this process, of those that all do so, tells of keys that differ.
    """
    try:
        declared = vendors_in_environment(deps.settings.environ)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    wanted = [(vendor.type, vendor.type, vendor.base_url, vendor.api_key, _ENVIRONMENT) for vendor in declared]
    if deps.settings.echo:
        wanted.append((ECHO, ECHO, "", "", "builtin"))
    for name, kind, base_url, api_key, source in wanted:
        await _ensure(deps, name, kind, base_url, api_key, source, tells=tells)


async def _ensure(deps: Deps, name: str, kind: str, base_url: str, api_key: str, source: str, *, tells: bool) -> None:
    try:
        async with deps.database.write() as connection:
            before = await providers.get_by_name(connection, name)
            if before is not None:
                if tells:
                    _compare(before, api_key, deps.cipher)
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
    log.info("provider '%s' was added, source %s", name, source)


def _compare(before: ProviderRow, api_key: str, cipher: Cipher) -> None:
    """Tells where a key in the environment is not the one in use."""
    if before.source != _ENVIRONMENT:
        return
    try:
        stored = cipher.decrypt(before.api_key) if before.api_key else ""
    except ValueError:
        return  # the catalog tells it
    if stored != api_key:
        log.warning(
            "provider '%s' keeps the key it has, which is not the one in the environment: "
            "change it by the API, or remove the provider and start again",
            before.name,
        )
