"""Puts the core together: dependency injection is `build`, and nothing else knows all the parts.

Settings ─build─► Service ─start─► serving ─stop─► drained, shipped, closed
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from core import configuration, configured_limits, sockets
from core.access_tokens import AccessTokens
from core.administrator import ensure_administrator
from core.auth import Authenticator
from core.change_poller import ChangePoller
from core.clock import Clock, SystemClock
from core.configured_providers import bring_in_line
from core.declared_providers import declare_providers
from core.deps import Deps
from core.errors import RouterError, Unavailable
from core.ids import NewId, new_id
from core.ledger import journal as journals
from core.ledger.budgets import Budgets
from core.ledger.journal import Journal
from core.ledger.limit_counters import Counters
from core.ledger.limits import Limits
from core.ledger.local_counters import LocalCounters
from core.ledger.orphans import Orphans
from core.ledger.prices import Prices
from core.ledger.recovery import recover
from core.ledger.reservations import Reservations
from core.ledger.response_expiry import ResponseExpiry
from core.ledger.retention import Retention
from core.ledger.shipper import Shipper
from core.ledger.stored_prices import StoredPrices
from core.ledger.summing import Summing
from core.ledger.webhooks import Webhooks
from core.metrics import Metrics
from core.passwords import Argon2Hasher, Hasher
from core.process import settle_heap
from core.providers.echo import EchoUpstream
from core.providers.http_upstream import HttpUpstream
from core.providers.session import Session
from core.providers.upstream import Target, Upstream
from core.routing.active import ActiveCalls
from core.routing.batches import Batches
from core.routing.budgeting import Budgeting
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.routing.limiting import Limiter
from core.routing.objects import Objects
from core.routing.responses import Responses
from core.routing.revocation import Revocation
from core.routing.run import Pipeline
from core.routing.settlement import Settlement
from core.rpc.link import Links
from core.rpc.server import NOT_SERVING, SERVING, build_server
from core.secrets import Cipher, internal_token, secret_key_of
from core.settings import Settings, SettingsError
from core.store.balances import RECALL, Holder
from core.store.budgets import CHANGE as BUDGET
from core.store.database import Database
from core.store.migrate import ensure_current
from core.store.price_overrides import CHANGE as PRICE
from core.store.providers import ProviderRow

log = logging.getLogger("llmrouter.core")

CONNECT_TIMEOUT, FIRST_BYTE_TIMEOUT, IDLE_TIMEOUT = 5.0, 300.0, 120.0
_PROBE_SECONDS = 2.0
_SETTLE_SECONDS = 2.0
_LAST_WORDS = 0.5  # seconds for callers to be told that their time is up
_SHIP_AT_END = 10.0  # seconds; what is not shipped by then waits in the journal for the next start


class Service:
    """One core process."""

    def __init__(
        self,
        deps: Deps,
        *,
        worker: int,
        secret_key: str,
        session: Session,
        journal: Journal,
        shipper: Shipper,
        active: ActiveCalls,
        revocation: Revocation,
        counters: Counters,
        budgets: Budgets,
        prices: Prices,
    ) -> None:
        self.deps = deps
        self._worker = worker
        self._session = session
        self._journal = journal
        self._shipper = shipper
        self._active = active
        self._revocation = revocation
        self._counters = counters
        self._budgets = budgets
        self._prices = prices
        self._server, self._health, self._service_names = build_server(deps, internal_token(secret_key))
        self._links = Links(deps, internal_token(secret_key))
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Binds and serves. Models are pulled in the background. Raises OSError for a taken address."""
        settings = self.deps.settings
        socket = sockets.core_socket(settings, self._worker)
        socket.unlink(missing_ok=True)
        self._server.add_insecure_port(f"unix:{socket.absolute()}")
        socket_address = str(settings.grpc_addr)
        if self._server.add_insecure_port(socket_address) == 0:
            raise OSError(f"can't listen on {socket_address}")
        relay_socket = sockets.relay_socket(settings, self._worker)
        relay_socket.unlink(missing_ok=True)
        await self._links.listen(relay_socket)
        await self._server.start()
        deps = self.deps
        catalog = deps.catalog
        alone = self.deps.database.is_sqlite and settings.core_workers == 1  # then only the command line changes things
        interval = 1.0 if alone else 0.25
        poller = ChangePoller(
            deps.database,
            deps.clock,
            deps.authenticator,
            catalog.provider_changed,
            catalog.load,
            interval=interval,
            reloads={"limit": deps.limits.load, PRICE: StoredPrices(deps.database, self._prices).load},
            tells={BUDGET: self._budgets.changed, RECALL: self._budgets.recalled},
        )
        for work in (
            self._shipper.run(),
            self._active.watch(),
            self._revocation.run(),
            self._counters.run(),
            self._budgets.run(),
            Reservations(deps.database, deps.clock, deps.new_id, self._budgets).run(),
            Webhooks(deps.database, deps.cipher, deps.clock).run(),
            deps.pipeline.note_progress(),
            deps.responses.run(),
            catalog.keep_fresh(),
            poller.run(),
            self._watch_dependencies(),
            self._load_prices(),
            configuration.RouteWatch(catalog).run(),
        ):
            self._background(work)
        if self._worker == 0:
            orphans = Orphans(settings.journal_dir, self._journal.folder, deps.database, self._prices, deps.clock)
            self._background(orphans.watch())
            self._background(deps.batches.run())
            self._background(Summing(deps.database).run())
            self._background(ResponseExpiry(deps.database, deps.clock, settings.responses_keep).run())
            self._background(Retention(deps.database, deps.clock, settings.usage_retention_days).run())
        for name in ("", *self._service_names):
            await self._health.set(name, SERVING)

    async def reload(self) -> None:
        """Reads the configuration file again; a bad one changes nothing and raises SettingsError."""
        await configuration.reload(self.deps, self._prices, declares=self._worker == 0)

    async def stop(self, drain: float) -> None:
        """Refuses new work, lets what runs finish for up to `drain` seconds, ships the usage, closes."""
        self.deps.pipeline.draining = True
        await self._health.enter_graceful_shutdown()
        await self._active.wait_idle(drain)
        for call in tuple(self._active.all()):
            call.stop(Unavailable("the service is stopping, and the time for it to finish is over; try again"))
        await self._active.wait_idle(_LAST_WORDS)
        self._links.close()
        await self._server.stop(grace=0.2)
        await self._active.wait_idle(_SETTLE_SECONDS)  # what was cut off just now settles
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(RouterError):
            await self.deps.responses.write()
        if not await self._shipper.finish(_SHIP_AT_END):
            log.warning("the database did not take all usage; the rest waits in %s", self._journal.folder)
        with contextlib.suppress(RouterError):  # what is not given back now is at the next start
            await self._budgets.close()
        await self._session.close()
        await self._counters.close()
        await self.deps.database.close()
        self._journal.release()

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_complain)
        self._tasks.append(task)

    async def _watch_dependencies(self) -> None:
        """Keeps the health of "database" and "journal" current."""
        while True:
            try:
                await self.deps.database.ping()
            except RouterError:
                await self._health.set("database", NOT_SERVING)
            else:
                await self._health.set("database", SERVING)
            kept = self._shipper.healthy and self._journal.writable
            await self._health.set("journal", SERVING if kept else NOT_SERVING)
            self._prices.roll_over()
            await asyncio.sleep(_PROBE_SECONDS)

    async def _load_prices(self) -> None:
        """Imports the price list off the way, so that the first request does not wait for it."""
        await asyncio.sleep(0.5)
        await asyncio.get_running_loop().run_in_executor(None, self._prices.find, "", "openai", "gpt-4o-mini")
        settle_heap()


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("background work ended", exc_info=error)


async def build(
    settings: Settings,
    *,
    worker: int = 0,
    clock: Clock | None = None,
    make_id: NewId = new_id,
    hasher: Hasher | None = None,
    restarted: bool = False,
) -> Service:
    """Makes a service that is not serving yet: database migrated, journal recovered, providers known.

    restarted: whether it takes the place of a process that ended (core/configuration.py).
    Raises DatabaseError, SettingsError, ValueError with a message for the operator.
    """
    clock = clock or SystemClock()
    configured = configuration.read(settings, restarted=restarted)
    secret_key = secret_key_of(settings)
    cipher = Cipher(secret_key, settings.secret_keys_old)
    access_tokens = AccessTokens(secret_key)
    async with contextlib.AsyncExitStack() as undo:
        database = Database(settings.resolved_database_url)
        undo.push_async_callback(database.close)
        await ensure_current(database, settings.resolved_database_url)
        session = Session()
        undo.push_async_callback(session.close)
        journal = journals.take(Path(settings.journal_dir), worker, limit=settings.journal_limit)
        undo.callback(journal.release)

        prices, metrics, health = Prices(clock, configured.prices), Metrics(f"core-{worker}"), Health(clock)
        life = journal.segment
        lost = recover(journal, prices, clock)
        if lost:
            log.warning("%d requests were cut off when an earlier process died; their usage is estimated", lost)
        active = ActiveCalls(clock)
        revocation = Revocation(active, database, clock)
        catalog = Catalog(database, clock, health, upstreams(settings, cipher, session, clock, make_id))
        settlement = Settlement(journal, prices, metrics, clock)
        budgets = Budgets(database, Holder(name=journal.id, life=life), clock, earlier_ends=journal.end)
        limits, counters = Limits(database), _counters(settings, worker, clock)
        undo.push_async_callback(counters.close)
        responses = Responses(
            database,
            clock,
            make_id,
            days=settings.responses_keep,
            largest=settings.max_body,
            alone=database.is_sqlite and settings.core_workers == 1,
        )
        pipeline = Pipeline(
            catalog=catalog,
            health=health,
            active=active,
            settlement=settlement,
            metrics=metrics,
            clock=clock,
            timeout=settings.request_timeout,
            limiter=Limiter(limits, counters),
            responses=responses,
            budgeting=Budgeting(budgets, prices, settlement),
        )
        objects = Objects(database, clock, catalog)
        deps = Deps(
            settings=settings,
            clock=clock,
            new_id=make_id,
            database=database,
            authenticator=Authenticator(database, clock, access_tokens),
            access_tokens=access_tokens,
            cipher=cipher,
            hasher=hasher or Argon2Hasher(),
            catalog=catalog,
            limits=limits,
            metrics=metrics,
            pipeline=pipeline,
            responses=responses,
            objects=objects,
            batches=Batches(database, clock, objects, pipeline),
            budgets=budgets,
        )
        deps.authenticator.on_change = revocation.changed
        metrics.watch("journal_waiting_bytes", "Usage that waits for the database", lambda: float(journal.backlog))
        metrics.watch(
            "usage_dropped_records", "Refused requests that the journal had no room for", lambda: float(journal.dropped)
        )
        if worker == 0:
            for variable in settings.without_effect:
                log.warning("%s is set, and nothing in this version reads it", variable)
        # By each worker, for who is ready first is asked first.
        await ensure_administrator(deps)
        if settings.config_file is not None:
            await bring_in_line(deps, configured.providers, tells=worker == 0)
            await configured_limits.bring_in_line(deps, configured.limits)
        await declare_providers(deps, tells=worker == 0)
        await catalog.load()
        await limits.load()
        await StoredPrices(database, prices).load()
        catalog.set_routes(configured.routes)
        service = Service(
            deps,
            worker=worker,
            secret_key=secret_key,
            session=session,
            journal=journal,
            shipper=Shipper(journal, database, clock),
            active=active,
            revocation=revocation,
            counters=counters,
            budgets=budgets,
            prices=prices,
        )
        undo.pop_all()
        return service
    raise AssertionError("unreachable")


def _counters(settings: Settings, worker: int, clock: Clock) -> Counters:
    """What counts requests against limits: on this machine, or with Redis on all. Raises SettingsError."""
    local = LocalCounters(settings.limits_dir, worker, clock)
    if not settings.redis_url:
        return local
    from core.ledger.limit_machine import Machine  # here: only who has several machines needs them
    from core.ledger.redis_counters import RedisCounters
    from core.ledger.redis_link import RedisLink

    try:
        return RedisCounters(RedisLink(settings.redis_url), local, Machine(settings.limits_dir), clock)
    except (OSError, ValueError) as error:
        raise SettingsError(f"LLMROUTER_REDIS_URL: {error}") from None


def upstreams(settings: Settings, cipher: Cipher, session: Session, clock: Clock, make_id: NewId):
    """Makes the upstream of a provider's row."""

    def make(row: ProviderRow) -> Upstream:
        target = Target(
            id=row.id,
            name=row.name,
            type=row.type,
            base_url=row.base_url,
            api_key=cipher.decrypt(row.api_key) if row.api_key else "",
            connect_timeout=row.connect_ms / 1000 or CONNECT_TIMEOUT,
            first_byte_timeout=row.first_byte_ms / 1000 or FIRST_BYTE_TIMEOUT,
            idle_timeout=row.idle_ms / 1000 or IDLE_TIMEOUT,
        )
        if row.type == "echo":
            if not settings.echo:
                raise ValueError("LLMROUTER_ECHO is off")
            return EchoUpstream(target, clock, make_id, settings.echo_tokens_per_second)
        return HttpUpstream(target, session, clock, settings.environ)

    return make
