"""The calls that run now: to cancel one, and to end those whose time is up.

One sweep a few times a second watches them all, which is cheaper than a timer for every read of
every stream.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from core.auth import Principal
from core.clock import Clock
from core.errors import Cancelled, DeadlineExceeded, ProviderTimeout, RouterError, Unauthenticated

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.25


class Call:
    """One running call, as far as its supervision goes."""

    __slots__ = (
        "activity",
        "cause",
        "deadline",
        "idle_cause",
        "idle_limit",
        "principal",
        "request_id",
        "seen_activity",
        "seen_at",
        "task",
        "tell",
    )

    def __init__(self, request_id: str, principal: Principal, deadline: float) -> None:
        self.request_id = request_id
        self.principal = principal
        self.deadline = deadline  # monotonic
        self.task: asyncio.Task[object] | None = None  # what waits for the provider now
        self.tell: Callable[[], None] | None = None  # whom to tell where no task waits
        self.cause: RouterError | None = None  # why it was ended from outside
        self.idle_limit = 0.0  # seconds without activity; 0 while nothing is expected of anybody
        self.idle_cause: type[RouterError] = ProviderTimeout
        self.activity = 0  # counts up whenever the provider sends something
        self.seen_activity = -1
        self.seen_at = 0.0

    def expect(self, seconds: float, otherwise: type[RouterError] = ProviderTimeout) -> None:
        """From now on something must happen every so many seconds, or the call ends for that reason; 0 ends that."""
        self.idle_limit = seconds
        self.idle_cause = otherwise
        self.activity += 1

    @property
    def expires_at(self) -> float | None:
        """When its credential ends, in seconds since 1970. A JWT is short-lived, and has to be good at first alone."""
        return self.principal.expires_at if self.principal.kind != "jwt" else None

    def stop(self, cause: RouterError) -> None:
        """Ends the call from outside; a task that waits for the provider is told by cancelling it."""
        if self.cause is None:
            self.cause = cause
            if self.task is not None:
                self.task.cancel()
            if self.tell is not None:
                self.tell()


class ActiveCalls:
    """All running calls of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: dict[str, Call] = {}
        self._idle = asyncio.Event()

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Call) -> None:
        self._calls[call.request_id] = call

    def remove(self, call: Call) -> None:
        if self._calls.get(call.request_id) is call:
            del self._calls[call.request_id]
        if not self._calls:
            self._idle.set()

    async def wait_idle(self, timeout: float) -> None:
        """Returns when no call runs any more, or after so many seconds."""
        self._idle.clear()
        if self._calls:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout)

    def all(self) -> Iterable[Call]:
        return self._calls.values()

    def contains(self, request_id: str) -> bool:
        return request_id in self._calls

    def cancel(self, request_id: str) -> bool:
        """Cancels a call; false where none of that id runs here."""
        call = self._calls.get(request_id)
        if call is None:
            return False
        call.stop(Cancelled())
        return True

    def sweep(self) -> None:
        """Ends the calls whose deadline or credential has passed, and those whose provider or caller idled too long."""
        now, today = self._clock.monotonic(), self._clock.now().timestamp()
        for call in list(self._calls.values()):
            if now > call.deadline:
                call.stop(DeadlineExceeded())
            elif call.expires_at is not None and today >= call.expires_at:
                call.stop(Unauthenticated("the credential of this request has expired"))
            elif call.activity != call.seen_activity:
                call.seen_activity, call.seen_at = call.activity, now
            elif call.idle_limit and now - call.seen_at > call.idle_limit:
                call.stop(call.idle_cause())

    async def watch(self) -> None:
        """Sweeps for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()


def uncancel() -> int:
    """Takes back a cancellation that was meant for what this task was waiting for; returns how many are left."""
    task = asyncio.current_task()
    return 0 if task is None else task.uncancel()
