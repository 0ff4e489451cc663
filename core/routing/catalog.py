"""The models that can be called now, kept in memory.

    providers (database) ─► Upstream per enabled provider ─► GET {base_url}/models ─► RuntimeModels
                                                                   + model entries     │
    routes (configuration) ────────────────────────────────────────────► Snapshot ◄───┘

A provider that can't be reached keeps the models it had; it is asked again later, less and less
often. Nothing here waits for a provider when the service starts.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.clock import Clock
from core.errors import NotFound, RefreshFailed
from core.providers.upstream import Upstream
from core.routing.health import Health
from core.store import model_entries, providers
from core.store.database import Database
from core.store.model_entries import ModelEntryRow
from core.store.providers import ProviderRow

log = logging.getLogger(__name__)

MakeUpstream = Callable[[ProviderRow], Upstream]

_REFRESH_EVERY = 600.0  # seconds
_RETRY_FIRST = 2.0
_RETRY_MAX = 300.0


@dataclass(frozen=True, slots=True)
class RuntimeModels:
    """What the last pull of a provider's models gave."""

    models: tuple[str, ...] = ()
    error: str = ""
    refreshed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a request may go."""

    upstream: Upstream
    model: str  # its name there


@dataclass(frozen=True, slots=True)
class RouteTarget:
    """A model that a route leads to.

    Without a provider the model is read as "provider/model" where a provider is so called, be it
    enabled or not; else it is a model of whoever has it.
    """

    model: str
    provider: str = ""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}" if self.provider else self.model


@dataclass(frozen=True, slots=True)
class Route:
    """An alias for an ordered list of models, as the configuration declares it.

    It wins over a model of the same name, even while none of its targets can be called.
    """

    alias: str
    targets: tuple[RouteTarget, ...]


@dataclass(slots=True)
class _Provider:
    row: ProviderRow
    upstream: Upstream | None  # None: disabled, or its key can't be read
    runtime: RuntimeModels = field(default_factory=RuntimeModels)
    entries: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()  # of both together
    retry_in: float = _RETRY_FIRST
    due: float = 0.0  # monotonic


class Catalog:
    """The models of all enabled providers."""

    def __init__(self, database: Database, clock: Clock, health: Health, make_upstream: MakeUpstream) -> None:
        self._database = database
        self._clock = clock
        self._health = health
        self._make_upstream = make_upstream
        self._providers: dict[int, _Provider] = {}
        self._routes: tuple[Route, ...] = ()
        self._plain: Mapping[str, tuple[Candidate, ...]] = {}  # models by their own names
        self._by_model: Mapping[str, tuple[Candidate, ...]] = {}  # the same, with the routes over them
        self._by_name: Mapping[str, _Provider] = {}
        self._aliases: frozenset[str] = frozenset()

    async def load(self) -> None:
        """Reads the providers from the database. Their models come with `refresh_due`. Raises DatabaseError."""
        async with self._database.read() as connection:
            rows = await providers.all_rows(connection)
            entries = await model_entries.of_providers(connection, [row.id for row in rows])
        self._providers = {row.id: self._adopt(row, entries.get(row.id, ())) for row in rows}
        self._rebuild()

    def set_routes(self, routes: Sequence[Route]) -> None:
        """Replaces the routes of the configuration."""
        self._routes = tuple(routes)
        self._rebuild()

    def candidates(self, model: str) -> tuple[Candidate, ...]:
        """Where a model can be called: a route's alias, exactly so named, or `provider/model`; () for nowhere."""
        found = self._by_model.get(model)
        if found is not None:
            return found
        if model in self._aliases:
            return ()
        name, slash, rest = model.partition("/")
        provider = self._by_name.get(name) if slash else None
        if provider is None or provider.upstream is None or not rest:
            return ()
        if provider.names and rest not in provider.names:  # one that lists no models is believed to have it
            return ()
        return (Candidate(provider.upstream, rest),)

    def doubts(self) -> Sequence[tuple[str, RouteTarget, str]]:
        """The targets of routes that lead nowhere now, or perhaps: alias, target and why."""
        targets = [(route.alias, target) for route in self._routes for target in route.targets]
        return [(alias, target, doubt) for alias, target in targets if (doubt := self._doubt(target))]

    def models(self) -> Mapping[str, tuple[Candidate, ...]]:
        """Every model and alias that can be called, and where."""
        return self._by_model

    def is_alias(self, model: str) -> bool:
        return model in self._aliases

    def runtime(self, provider_id: int) -> RuntimeModels:
        """The pulled models of a provider; empty for one that is unknown or disabled."""
        provider = self._providers.get(provider_id)
        return RuntimeModels() if provider is None or provider.upstream is None else provider.runtime

    async def provider_changed(self, provider_id: int) -> None:
        """Reads a provider anew and pulls its models. A provider that can't be reached raises nothing."""
        async with self._database.read() as connection:
            row = await providers.get(connection, provider_id)
            entries = await model_entries.of_provider(connection, provider_id)
        self._health.forget(provider_id)
        if row is None:
            self._providers.pop(provider_id, None)
            self._rebuild()
            return
        provider = self._providers[provider_id] = self._adopt(row, entries)
        self._rebuild()
        if provider.upstream is not None:
            await self._pull(provider)

    async def refresh(self, provider_id: int) -> None:
        """Pulls a provider's models. Raises RefreshFailed, NotFound."""
        provider = self._providers.get(provider_id)
        if provider is None:
            raise NotFound
        if provider.upstream is None:
            raise RefreshFailed("the provider is disabled")
        await self._pull(provider)
        if provider.runtime.error:
            raise RefreshFailed(provider.runtime.error)

    async def keep_fresh(self) -> None:
        """Pulls models that are due, for ever."""
        while True:
            await self.refresh_due()
            await asyncio.sleep(1.0)

    async def refresh_due(self) -> None:
        """Pulls the models of every provider whose time has come, at once."""
        now = self._clock.monotonic()
        due = [p for p in self._providers.values() if p.upstream is not None and p.due <= now]
        await asyncio.gather(*map(self._pull, due))

    def _adopt(self, row: ProviderRow, entries: Sequence[ModelEntryRow]) -> _Provider:
        """The provider in memory; it keeps the models it had where it is still the same place."""
        provider = _Provider(row, self._upstream_of(row), entries=tuple(entry.name for entry in entries))
        before = self._providers.get(row.id)
        if before is not None and provider.upstream is not None and before.row.base_url == row.base_url:
            provider.runtime = before.runtime
        return provider

    def _upstream_of(self, row: ProviderRow) -> Upstream | None:
        if not row.enabled:
            return None
        try:
            return self._make_upstream(row)
        except ValueError as error:
            log.error("provider '%s' can't be used: %s", row.name, error)  # noqa: TRY400 - no trace is needed
            return None

    async def _pull(self, provider: _Provider) -> None:
        assert provider.upstream is not None
        provider.due = self._clock.monotonic() + _REFRESH_EVERY
        try:
            names = await provider.upstream.models()
        except RefreshFailed as error:
            provider.due = self._clock.monotonic() + provider.retry_in
            provider.retry_in = min(_RETRY_MAX, provider.retry_in * 2)
            before = provider.runtime
            provider.runtime = RuntimeModels(before.models, error.message, before.refreshed_at)
            log.warning("the models of provider '%s' can't be pulled: %s", provider.row.name, error.message)
            return
        provider.retry_in = _RETRY_FIRST
        before = provider.runtime
        provider.runtime = RuntimeModels(tuple(names), "", self._clock.now())
        if before.models != provider.runtime.models:
            log.info("provider '%s' has %d models", provider.row.name, len(names))
            self._rebuild()

    def _rebuild(self) -> None:
        """Makes the look-up tables anew; requests see the old ones or the new, never half of each."""
        active = [p for p in self._providers.values() if p.upstream is not None]
        by_model: dict[str, list[Candidate]] = {}
        for provider in sorted(active, key=lambda p: p.row.id):
            assert provider.upstream is not None
            names = dict.fromkeys((*provider.runtime.models, *provider.entries))
            provider.names = frozenset(names)
            for name in names:
                by_model.setdefault(name, []).append(Candidate(provider.upstream, name))
        self._by_name = {p.row.name: p for p in active}
        self._plain = {name: tuple(places) for name, places in by_model.items()}
        aliases = {route.alias: self._route_places(route) for route in self._routes}
        self._aliases = frozenset(aliases)
        self._by_model = {name: places for name, places in (self._plain | aliases).items() if places}

    def _route_places(self, route: Route) -> tuple[Candidate, ...]:
        """The places of a route in its order, each once. A named provider is believed to have the model."""
        places: list[Candidate] = []
        for target in map(self._parted, route.targets):
            if not target.provider:
                places += self._plain.get(target.model, ())
            elif (provider := self._by_name.get(target.provider)) is not None and provider.upstream is not None:
                places.append(Candidate(provider.upstream, target.model))
        return tuple(dict.fromkeys(places))

    def _parted(self, target: RouteTarget) -> RouteTarget:
        """The target with its provider named apart, where one is in it."""
        name, slash, rest = target.model.partition("/")
        if target.provider or not slash or all(p.row.name != name for p in self._providers.values()):
            return target
        return RouteTarget(rest, name)

    def _doubt(self, target: RouteTarget) -> str:
        """Why nothing can be called by a target, or why that is doubtful; "" for neither."""
        target = self._parted(target)
        if not target.provider:
            return "" if target.model in self._plain else "no enabled provider has this model"
        if (provider := self._by_name.get(target.provider)) is None:
            known = any(p.row.name == target.provider for p in self._providers.values())
            return "its provider is disabled or can't be used" if known else "there is no such provider"
        unlisted = provider.names and target.model not in provider.names
        return "its provider does not list this model" if unlisted else ""
