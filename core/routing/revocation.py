"""Ends the running calls of those who may not call any more.

    a change ─► Authenticator forgets ─► changed() ─► look(): who of them still may? ─► Call.stop

A new request is turned away by core/auth.py. A stream was let in before, and can run for an hour.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from core.clock import Clock
from core.errors import DatabaseError, Unauthenticated
from core.routing.active import ActiveCalls, Call
from core.store import credentials, users
from core.store.database import Database

log = logging.getLogger(__name__)

_EVERYBODY = (0, 0)
_RETRY = 0.5  # seconds
_AT_ONCE = 1000  # numbers that the database is asked about in one query
_WHY = "the credential of this request was revoked, or its user was disabled"


class Revocation:
    """Watches over the calls of one process."""

    def __init__(
        self,
        active: ActiveCalls,
        database: Database,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._active = active
        self._database = database
        self._clock = clock
        self._sleep = sleep
        self._changes: set[tuple[int, int]] = set()
        self._due = asyncio.Event()

    def changed(self, user_id: int, credential_id: int) -> None:
        """Something about a user, or about a credential, changed; where both are 0, perhaps about anybody."""
        self._changes.add((user_id, credential_id))
        self._due.set()

    async def run(self) -> None:
        """Looks whenever something changed, for ever. What the database did not answer is asked again."""
        while True:
            await self._due.wait()
            try:
                await self.look()
            except Exception as error:
                if not isinstance(error, DatabaseError):
                    log.exception("a fault while the calls of revoked credentials were looked for")
                await self._sleep(_RETRY)

    async def look(self) -> None:
        """Looks once at the calls that the changes are about. Raises DatabaseError; the changes are kept then."""
        changes, self._changes = self._changes, set()
        self._due.clear()
        calls = [call for call in self._active.all() if _concerned(call, changes)]
        try:
            ended = await self._ended(calls) if calls else ()
        except BaseException:
            self._changes |= changes
            self._due.set()
            raise
        for call in ended:
            call.stop(Unauthenticated(_WHY))
        if ended:
            log.info("%d running requests were ended: %s", len(ended), _WHY)

    async def _ended(self, calls: Sequence[Call]) -> Sequence[Call]:
        """Those of the calls whose credential does not count any more, or whose user."""
        numbers = {call.principal.credential_id for call in calls}
        # A JWT has no number, and beside a virtual key it may say that another than the key's user calls.
        holders = {call.principal.user_id for call in calls}
        good, enabled = set[int](), set[int]()
        async with self._database.read() as connection:
            for some in _in_parts(numbers):
                good |= await credentials.good(connection, some, self._clock.now())
            for some in _in_parts(holders):
                enabled |= await users.enabled(connection, some)
        return [call for call in calls if not _counts(call, good, enabled)]


def _concerned(call: Call, changes: set[tuple[int, int]]) -> bool:
    who = call.principal
    return bool(changes & {_EVERYBODY, (who.user_id, 0), (0, who.credential_id)})


def _counts(call: Call, good: set[int], enabled: set[int]) -> bool:
    who = call.principal
    return who.user_id in enabled and (not who.credential_id or who.credential_id in good)


def _in_parts(numbers: set[int]) -> Sequence[Sequence[int]]:
    rest = iter(numbers)
    return list(iter(lambda: list(islice(rest, _AT_ONCE)), []))
