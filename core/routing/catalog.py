"""The models that can be called now, kept in memory.

    providers (database) ─► Upstream per enabled provider ─► GET {base_url}/models ─► RuntimeModels
                                                                   + model entries     │
    routes (configuration) ────────────────────────────────────────────► Lookup   ◄───┘

A provider that can't be reached keeps the models it had, also over a restart: the last good list is
in the database. It is asked again later, less and less often. Nothing here waits for a provider when
the service starts.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from core.clock import Clock
from core.errors import DatabaseError, NotFound, RefreshFailed
from core.providers.upstream import Upstream
from core.routing.health import Health
from core.routing.lookup import Candidate, Doubt, Lookup, Offer, Route
from core.store import model_entries, model_lists, providers
from core.store.database import Database
from core.store.model_entries import ModelEntryRow
from core.store.model_lists import ModelList
from core.store.providers import ProviderRow

log = logging.getLogger(__name__)

MakeUpstream = Callable[[ProviderRow], Upstream]

_LOOK_EVERY = 1.0  # seconds, as all of these
_REFRESH_EVERY = 600.0
_RETRY_FIRST = 2.0
_RETRY_MAX = 300.0
_FIRST_WORDS = 3.0  # that a request waits for a model's provider to be heard for the first time
_KEPT_FOR = timedelta(days=1)  # until the time of an unchanged list is written again
_NOT_HEARD = "the provider was not heard since the start; these are the models that it had before"


@dataclass(frozen=True, slots=True)
class RuntimeModels:
    """What the last pull of a provider's models gave."""

    models: tuple[str, ...] = ()
    error: str = ""
    refreshed_at: datetime | None = None


@dataclass(slots=True)
class _Provider:
    row: ProviderRow
    upstream: Upstream | None  # None: disabled, or it can't be used
    fault: str = ""  # why it can't be used
    runtime: RuntimeModels = field(default_factory=RuntimeModels)
    heard: bool = False  # it has told its models to this process, or failed to
    kept: ModelList | None = None  # what the database has of its models
    entries: tuple[str, ...] = ()  # models added by hand
    retry_in: float = _RETRY_FIRST
    due: float = 0.0  # monotonic

    def offer(self) -> Offer:
        models = dict.fromkeys((*self.runtime.models, *self.entries))
        return Offer(self.row.name, self.upstream, models)


class Catalog:
    """The models of all enabled providers."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        health: Health,
        make_upstream: MakeUpstream,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._clock = clock
        self._health = health
        self._make_upstream = make_upstream
        self._sleep = sleep
        self._providers: dict[int, _Provider] = {}
        self._routes: tuple[Route, ...] = ()
        self._lookup = Lookup()
        self._heard = asyncio.Event()  # a provider has told its models, or failed to

    async def load(self) -> None:
        """Reads the providers from the database. Their models come with `refresh_due`. Raises DatabaseError."""
        async with self._database.read() as connection:
            rows = await providers.all_rows(connection)
            entries = await model_entries.of_providers(connection, [row.id for row in rows])
            kept = await model_lists.all_lists(connection)
        self._providers = {row.id: self._adopt(row, entries.get(row.id, ()), kept.get(row.id)) for row in rows}
        self._rebuild()

    def set_routes(self, routes: Sequence[Route]) -> None:
        """Replaces the routes of the configuration."""
        self._routes = tuple(routes)
        self._rebuild()

    def upstreams(self) -> Sequence[Upstream]:
        """The providers that can be called now."""
        return [p.upstream for p in self._providers.values() if p.upstream is not None]

    def candidates(self, model: str) -> tuple[Candidate, ...]:
        """Where a model can be called: a route's alias, exactly so named, or `provider/model`; () for nowhere."""
        return self._lookup.candidates(model)

    async def candidates_soon(self, model: str) -> tuple[Candidate, ...]:
        """The same for a service that has just started: waits a moment for providers that were not heard yet."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_WORDS):
                while not (found := self.candidates(model)) and self._listens():
                    self._heard.clear()
                    await self._heard.wait()
                return found
        return self.candidates(model)

    def _listens(self) -> bool:
        return any(p.upstream is not None and not p.heard for p in self._providers.values())

    def doubts(self) -> Sequence[Doubt]:
        """The targets of routes that lead nowhere now, or perhaps."""
        return self._lookup.doubts()

    def models(self) -> Mapping[str, tuple[Candidate, ...]]:
        """Every model and alias that can be called, and where."""
        return self._lookup.models

    def is_alias(self, model: str) -> bool:
        return self._lookup.is_alias(model)

    def runtime(self, provider_id: int) -> RuntimeModels:
        """The pulled models of a provider; none for one that is unknown, disabled or can't be used."""
        provider = self._providers.get(provider_id)
        if provider is None or provider.upstream is None:
            return RuntimeModels(error=provider.fault if provider else "")
        return provider.runtime

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
            raise RefreshFailed(provider.fault or "the provider is disabled")
        await self._pull(provider)
        if provider.runtime.error:
            raise RefreshFailed(provider.runtime.error)

    async def keep_fresh(self) -> None:
        """Pulls models that are due, for ever. A provider that takes its time keeps no other waiting."""
        pulls: set[asyncio.Task[None]] = set()
        try:
            while True:
                for provider in self._due():
                    task = asyncio.create_task(self._pull(provider))
                    pulls.add(task)
                    task.add_done_callback(pulls.discard)
                await self._sleep(_LOOK_EVERY)
        finally:
            ending = tuple(pulls)
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)  # they may be at the database, which closes next

    async def refresh_due(self) -> None:
        """Pulls the models of every provider whose time has come, at once, and waits for them."""
        await asyncio.gather(*map(self._pull, self._due()))

    def _due(self) -> Sequence[_Provider]:
        now = self._clock.monotonic()
        return [p for p in self._providers.values() if p.upstream is not None and p.due <= now]

    def _adopt(self, row: ProviderRow, entries: Sequence[ModelEntryRow], kept: ModelList | None = None) -> _Provider:
        """The provider in memory; it keeps the models it had where it is still the same place.

        kept: those that it had before this process began.
        """
        names = tuple(entry.name for entry in entries)
        before = self._providers.get(row.id)
        if before is not None and before.row == row:  # a pull may be on its way to it
            before.entries = names
            return before
        upstream, fault = self._upstream_of(row)
        provider = _Provider(row, upstream, fault, entries=names)
        if before is not None and provider.upstream is not None and before.row.base_url == row.base_url:
            provider.runtime, provider.heard, provider.kept = before.runtime, before.heard, before.kept
        elif kept is not None and kept.base_url == row.base_url and upstream is not None:
            provider.runtime, provider.kept = RuntimeModels(kept.models, _NOT_HEARD, kept.pulled_at), kept
        return provider

    def _upstream_of(self, row: ProviderRow) -> tuple[Upstream | None, str]:
        """The way to the provider, or None and why it can't be used, "" where it is disabled."""
        if not row.enabled:
            return None, ""
        try:
            return self._make_upstream(row), ""
        except ValueError as error:
            level = logging.INFO if row.source == "builtin" else logging.ERROR  # that one is off on purpose
            log.log(level, "provider '%s' can't be used: %s", row.name, error)
            return None, str(error)

    async def _pull(self, provider: _Provider) -> None:
        assert provider.upstream is not None
        provider.due = self._clock.monotonic() + _REFRESH_EVERY
        try:
            names = await provider.upstream.models()
        except RefreshFailed as error:
            self._note_failed_pull(provider, error)
            return
        except Exception:
            log.exception("a fault while the models of provider '%s' were pulled", provider.row.name)
            self._note_failed_pull(provider, RefreshFailed())
            return
        provider.retry_in, provider.heard = _RETRY_FIRST, True
        before = provider.runtime
        provider.runtime = RuntimeModels(tuple(names), "", self._clock.now())
        if before.models != provider.runtime.models:
            log.info("provider '%s' has %s", provider.row.name, _counted(len(names)))
            self._rebuild()
        self._heard.set()
        await self._keep(provider)

    async def _keep(self, provider: _Provider) -> None:
        """Keeps the list for the next start, where it changed or has not been written for a while."""
        assert provider.runtime.refreshed_at is not None
        pulled = ModelList(provider.row.base_url, provider.runtime.models, provider.runtime.refreshed_at)
        kept = provider.kept
        if kept is not None and kept[:2] == pulled[:2] and pulled.pulled_at - kept.pulled_at < _KEPT_FOR:
            return
        try:
            async with self._database.write() as connection:
                await model_lists.keep(connection, self._database, provider.row.id, pulled)
        except (DatabaseError, IntegrityError):
            return  # it is down, and asked again at the next pull; or the provider was removed just now
        provider.kept = pulled

    def _note_failed_pull(self, provider: _Provider, error: RefreshFailed) -> None:
        """The models of the last good pull stay."""
        provider.heard = True
        self._heard.set()
        provider.due = self._clock.monotonic() + provider.retry_in
        provider.retry_in = min(_RETRY_MAX, provider.retry_in * 2)
        before = provider.runtime
        provider.runtime = RuntimeModels(before.models, error.message, before.refreshed_at)
        log.warning("the models of provider '%s' can't be pulled: %s", provider.row.name, error.message)

    def _rebuild(self) -> None:
        """Makes the look-up tables anew; requests see the old ones or the new, never half of each."""
        known = sorted(self._providers.values(), key=lambda provider: provider.row.id)
        self._lookup = Lookup([provider.offer() for provider in known], self._routes)


def _counted(models: int) -> str:
    return "1 model" if models == 1 else f"{models} models"
