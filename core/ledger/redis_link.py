"""The way to Redis: scripts that are answered in time, or not at all.

A call that fails or takes too long closes the way at once, for all that would come after it. The beat, in
the background, tries again and opens it; until then nobody waits.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

# For a decision that a request waits for; and for the beat, which nobody waits for.
_PATIENCE, _PATIENCE_OF_BEAT = 0.05, 2.0
_STEPS = 5


class Gone(Exception):
    """Redis did not answer in time."""


class RedisLink:
    """A connection to one Redis."""

    def __init__(self, url: str, patience: float = _PATIENCE) -> None:
        """patience: seconds that a request waits."""
        self._redis: Redis = Redis.from_url(
            url, socket_connect_timeout=_PATIENCE_OF_BEAT, retry=Retry(NoBackoff(), 0), decode_responses=True
        )
        self._patience = patience
        self._scripts: dict[str, Any] = {}
        self._told = False
        self.open = False

    async def ask(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """What a script answers. Raises Gone, and closes the way then."""
        return await self._run(script, keys, arguments, self._patience)

    async def beat(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """The same with more patience. Raises Gone."""
        return await self._run(script, keys, arguments, _PATIENCE_OF_BEAT)

    def opened(self) -> None:
        """The way is open, and who goes it knows all that is to be known."""
        if not self.open and self._told:
            log.info("Redis is back: limits are counted together again")
        self.open, self._told = True, False

    async def close(self) -> None:
        self.open = False
        await self._redis.aclose()

    async def _run(self, script: str, keys: Sequence[str], arguments: Sequence[Any], patience: float) -> Any:
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = self._redis.register_script(script)
        try:
            async with asyncio.timeout(None) as limit:
                watch = _Watch(limit, patience)
                try:
                    return await known(keys=keys, args=arguments)
                finally:
                    watch.stop()
        except (RedisError, OSError, TimeoutError) as error:
            self.open = False
            if not self._told:
                self._told = True
                log.warning("Redis does not answer; each machine holds to its share of the limits: %r", error)
            raise Gone from error


class _Watch:
    """Ends a wait when its time is up, but not for what was no fault of Redis: time in which this process itself
    stood still, and could not have seen an answer.
    """

    def __init__(self, limit: asyncio.Timeout, patience: float) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._step = patience / _STEPS
        self._left = _STEPS
        self._next = self._loop.call_later(self._step, self._look)

    def stop(self) -> None:
        self._next.cancel()

    def _look(self) -> None:
        """Counts the steps: those that passed while the loop stood still make one together."""
        self._left -= 1
        if self._left > 0:
            self._next = self._loop.call_later(self._step, self._look)
        else:
            self._limit.reschedule(self._loop.time())
