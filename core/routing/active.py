"""The calls that run now: to cancel one, and to end those whose time is up.

One sweep a few times a second watches them all, which is cheaper than a timer for every read of
every stream.
"""

import asyncio
import logging
from collections.abc import Iterable

from core.clock import Clock
from core.errors import Cancelled, DeadlineExceeded, ProviderTimeout, RouterError

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.25


class Call:
    """One running call, as far as its supervision goes."""

    __slots__ = (
        "activity",
        "cause",
        "deadline",
        "idle_limit",
        "request_id",
        "seen_activity",
        "seen_at",
        "task",
        "user_id",
    )

    def __init__(self, request_id: str, user_id: int, deadline: float) -> None:
        self.request_id = request_id
        self.user_id = user_id
        self.deadline = deadline  # monotonic
        self.task: asyncio.Task[object] | None = None  # what waits for the provider now
        self.cause: RouterError | None = None  # why it was ended from outside
        self.idle_limit = 0.0  # seconds without activity; 0 while nothing is expected of the provider
        self.activity = 0  # counts up whenever the provider sends something
        self.seen_activity = -1
        self.seen_at = 0.0

    def expect(self, seconds: float) -> None:
        """From now on the provider must send something every so many seconds; 0 ends that."""
        self.idle_limit = seconds
        self.activity += 1

    def stop(self, cause: RouterError) -> None:
        """Ends the call from outside; what waits for the provider is told by cancelling it."""
        if self.cause is None:
            self.cause = cause
            if self.task is not None:
                self.task.cancel()


class ActiveCalls:
    """All running calls of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Call) -> None:
        self._calls[call.request_id] = call

    def remove(self, call: Call) -> None:
        self._calls.pop(call.request_id, None)

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
        """Ends the calls whose deadline has passed or whose provider has been silent for too long."""
        now = self._clock.monotonic()
        for call in list(self._calls.values()):
            if now > call.deadline:
                call.stop(DeadlineExceeded())
            elif call.activity != call.seen_activity:
                call.seen_activity, call.seen_at = call.activity, now
            elif call.idle_limit and now - call.seen_at > call.idle_limit:
                call.stop(ProviderTimeout())

    async def watch(self) -> None:
        """Sweeps for ever."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.sweep()
