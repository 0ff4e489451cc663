"""Puts what the configuration file says in force.

file ─read─► Configuration ─┬─ providers ─► database (core/configured_providers.py), by core 0 alone
                            ├─ routes ────► Catalog ┐ in every core process
                            ├─ prices ────► Prices  ┘
                            └─ limits ────► database (core/configured_limits.py), by core 0 alone
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core import config_file, configured_limits
from core.config_file import Configuration, ConfigurationError
from core.configured_providers import bring_in_line
from core.deps import Deps
from core.good_copy import GoodCopy
from core.ledger.prices import Prices
from core.routing.catalog import Catalog
from core.settings import Settings, SettingsError

log = logging.getLogger(__name__)

_FIRST_LOOK = 20.0  # seconds; by then every provider has told its models, or failed to
_LOOK_EVERY = 5.0


def read(settings: Settings, *, restarted: bool = False) -> Configuration:
    """What the file says; nothing where no file is named. Raises ConfigurationError.

    restarted: whether this process takes the place of one that ended. It goes on with the last good
    configuration where the file is wrong now: what would be a wrong start is no reason to stop serving.
    """
    if settings.config_file is None:
        return Configuration()
    good = GoodCopy(settings.data_dir)
    try:
        text = config_file.text_of(settings.config_file)
        configuration = config_file.parse(text, settings.environ, str(settings.config_file))
    except ConfigurationError as error:
        if not restarted or not good.exists():
            raise
        log.error("%s; going on with the last good configuration", error.in_one_line())  # noqa: TRY400 - the line says it all
        return config_file.load(good.path, settings.environ)
    good.keep(text)
    return configuration


async def reload(deps: Deps, prices: Prices, *, declares: bool) -> None:
    """Reads the file again and puts it in force; where that fails, the old one stays in force, whole.

    declares: whether this process is the one that brings the providers into the database.
    Raises SettingsError, DatabaseError.
    """
    try:
        configuration = await asyncio.to_thread(read, deps.settings)
    except ConfigurationError as error:
        raise SettingsError(error.in_one_line()) from None  # for a log
    if declares and deps.settings.config_file is not None:
        await bring_in_line(deps, configuration.providers)
        await configured_limits.bring_in_line(deps, configuration.limits)
        await deps.limits.load()
    deps.catalog.set_routes(configuration.routes)
    prices.set_overrides(configuration.prices)


class RouteWatch:
    """Warns of routes that lead nowhere, or perhaps: once, until that changes."""

    def __init__(self, catalog: Catalog, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._catalog = catalog
        self._sleep = sleep
        self._told: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Looks for ever."""
        await self._sleep(_FIRST_LOOK)
        while True:
            self.look()
            await self._sleep(_LOOK_EVERY)

    def look(self) -> None:
        doubts = frozenset(map(str, self._catalog.doubts()))
        for doubt in sorted(doubts - self._told):
            log.warning("%s", doubt)
        for doubt in sorted(self._told - doubts):
            log.info("no longer so: %s", doubt)
        self._told = doubts
