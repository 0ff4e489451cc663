"""How old rows are deleted: at times, some to a transaction, with pauses in which others have their turn."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import DatabaseError

Sleep = Callable[[float], Awaitable[None]]

EVERY: Final = 3600.0  # seconds
_PAUSE: Final = 0.1


async def for_ever(
    tidy: Callable[[], Awaitable[int]], first: float, told: Callable[[int], None], sleep: Sleep = asyncio.sleep
) -> None:
    """Tidies up every hour, for the first time after so many seconds. told: is called with how many rows went."""
    await sleep(first)
    while True:
        try:
            deleted = await tidy()
        except DatabaseError:  # there is time
            deleted = 0
        if deleted:
            told(deleted)
        await sleep(EVERY)


async def bit_by_bit(delete: Callable[[int], Awaitable[int]], batch: int, sleep: Sleep = asyncio.sleep) -> int:
    """Deletes until nothing is left; returns how many rows that were.

    delete: deletes up to so many in a transaction of its own, and returns how many. Raises DatabaseError.
    """
    deleted = 0
    while True:
        gone = await delete(batch)
        deleted += gone
        if gone < batch:
            return deleted
        await sleep(_PAUSE)
