"""Hears of what other processes changed, and makes this one look again.

    changes (database) ──every so often──► new notes ─┬─ user, credential ─► authenticator forgets
                                                    ├─ provider ─────────► provider_changed, in a task
                                                    └─ limit, budget, … ─► read anew

Numbers are given when a note is written and seen when it is committed, so on PostgreSQL a lower
number may appear after a higher one. A number that was skipped is therefore asked for again, until
no transaction can be so old any more.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from core.auth import Authenticator
from core.clock import Clock
from core.errors import DatabaseError
from core.store import changes, credentials
from core.store.changes import Change
from core.store.database import Database

log = logging.getLogger(__name__)

# All in seconds. What was noted is kept for far longer than any process looks away; one that did look
# away for half of that time starts anew.
_INTERVAL = 0.25
_GAP_LIFETIME = 120.0
_RETRY = 1.0
_TIDY_EVERY = 600.0
_KEPT = 24 * 3600.0
_LOOKED_AWAY = _KEPT / 2

# How many skipped numbers are watched, and how many before the first note seen count as skipped.
_MAX_GAPS = 1000
_BEFORE_START = 100

ProviderChanged = Callable[[int], Awaitable[None]]
Reload = Callable[[], Awaitable[None]]
Tell = Callable[[int], None]
Sleep = Callable[[float], Awaitable[None]]


class ChangePoller:
    """Reads the log of changes for as long as the process runs."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        authenticator: Authenticator,
        provider_changed: ProviderChanged,
        reload_providers: Reload,
        sleep: Sleep = asyncio.sleep,
        interval: float = _INTERVAL,
        reloads: Mapping[str, Reload] | None = None,
        tells: Mapping[str, Tell] | None = None,
    ) -> None:
        """interval: seconds between looks; reloads: what to call where something of a kind has changed; tells: what
        hears the number of each thing of a kind that changed, and 0 where notes may have been missed.

        provider_changed hears the number of each provider that changed, and again where the database
        did not answer it; reload_providers is called at first and where notes may have been missed.
        """
        self._database = database
        self._clock = clock
        self._authenticator = authenticator
        self._provider_changed = provider_changed
        self._reload_providers = reload_providers
        self._sleep = sleep
        self._interval = interval
        self._reloads = reloads or {}
        self._tells = tells or {}
        self._last: int | None = None  # the highest number seen; None before the first look
        self._gaps: dict[int, float] = {}  # skipped numbers, and until when they are watched
        self._looked_at = 0.0  # seconds since 1970
        self._tidy_at = clock.monotonic() + _TIDY_EVERY
        self._unreachable = False
        self._telling: dict[int, asyncio.Task[None]] = {}
        self._tell_again: set[int] = set()

    async def run(self) -> None:
        """Looks for changes until it is cancelled."""
        try:
            while True:
                await self.look()
                await self._sleep(self._interval)
        finally:
            for task in self._telling.values():
                task.cancel()

    async def look(self) -> None:
        """Looks once. An outage of the database is logged when it begins and when it ends."""
        try:
            await self._look()
            if self._clock.monotonic() >= self._tidy_at:
                await self._tidy()
        except Exception as error:
            # A fault of ours must not end the looking either: disabled users would be let in for ever.
            if not self._unreachable:
                fault = None if isinstance(error, DatabaseError) else error
                log.warning("changes can't be read; going on with what is known", exc_info=fault)
            self._unreachable = True
        else:
            if self._unreachable:
                log.info("changes can be read again")
            self._unreachable = False

    async def _look(self) -> None:
        now = self._clock.monotonic()
        # By the time of day, because the other one stands still while a machine is suspended.
        today = self._clock.now().timestamp()
        if self._last is None or today - self._looked_at > _LOOKED_AWAY:
            await self._start(now)
            self._looked_at = today
            return
        async with self._database.read() as connection:
            found = await changes.since(connection, self._last, self._gaps)
        self._looked_at = today
        self._note_gaps(found, now)
        for change in found:
            self._apply(change)
        for kind in {change.kind for change in found} & self._reloads.keys():
            await self._reload(kind)

    async def _reload(self, kind: str) -> None:
        try:
            await self._reloads[kind]()
        except DatabaseError:
            self._last = None  # the next look begins anew, and so looks at everything
            raise

    async def _start(self, now: float) -> None:
        """Begins at the newest note. Whatever is remembered from before it is looked up anew."""
        async with self._database.read() as connection:
            last = await changes.last_id(connection)
            recent = await changes.since(connection, last - _BEFORE_START)
        seen = {change.id for change in recent}
        before = range(max(1, last - _BEFORE_START), last)
        self._authenticator.forget()
        await self._reload_providers()
        for reload in self._reloads.values():
            await reload()
        for tell in self._tells.values():
            tell(0)
        self._gaps = {number: now + _GAP_LIFETIME for number in before if number not in seen}
        self._last = last

    def _note_gaps(self, found: Sequence[Change], now: float) -> None:
        assert self._last is not None
        for change in found:
            if change.id <= self._last:
                self._gaps.pop(change.id, None)
                continue
            for number in range(max(self._last + 1, change.id - _MAX_GAPS), change.id):
                self._gaps[number] = now + _GAP_LIFETIME
            self._last = change.id
        for number in [number for number, until in self._gaps.items() if until <= now]:
            del self._gaps[number]
        while len(self._gaps) > _MAX_GAPS:
            del self._gaps[next(iter(self._gaps))]

    def _apply(self, change: Change) -> None:
        if change.kind == "user":
            self._authenticator.forget_user(change.object_id)
        elif change.kind == "credential":
            self._authenticator.forget_credential(change.object_id)
        elif change.kind == "provider":
            self._tell(change.object_id)
        elif change.kind in self._tells:
            self._tells[change.kind](change.object_id)

    def _tell(self, provider_id: int) -> None:
        """Tells of a provider without waiting; changes that come meanwhile are told once, afterwards."""
        if provider_id in self._telling:
            self._tell_again.add(provider_id)
        else:
            self._telling[provider_id] = asyncio.create_task(self._tell_until_quiet(provider_id))

    async def _tell_until_quiet(self, provider_id: int) -> None:
        try:
            while True:
                self._tell_again.discard(provider_id)
                try:
                    await self._provider_changed(provider_id)
                except DatabaseError:
                    await self._sleep(_RETRY)
                    continue
                except Exception:
                    log.exception("a fault while a provider was read anew")
                if provider_id not in self._tell_again:
                    return
        finally:
            self._telling.pop(provider_id, None)

    async def _tidy(self) -> None:
        """Forgets notes that everybody has read, and sessions that ended by themselves."""
        self._tidy_at = self._clock.monotonic() + _TIDY_EVERY
        now = self._clock.now()
        async with self._database.write() as connection:
            await changes.prune(connection, now - timedelta(seconds=_KEPT))
            await credentials.remove_expired(connection, now)
