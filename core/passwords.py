"""Passwords: argon2id, in threads of their own, so that a sign-in never holds up other calls.

A hash takes tens of megabytes and milliseconds on purpose. So only a few are computed at a time,
and only so many calls may wait for their turn; more of them are told to come back.
"""

import asyncio
import base64
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Protocol, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from core.errors import InvalidArgument, PasswordTooShort, Unavailable

_T = TypeVar("_T")

MIN_PASSWORD = 6
# Long passphrases are welcome; a megabyte of text to hash is not.
MAX_PASSWORD = 1024

_THREADS = 2
# How many may be at it or wait for their turn.
_PLACES = 64


class Hasher(Protocol):
    """Makes and checks the hashes that are kept of passwords."""

    async def hash(self, password: str) -> str:
        """What to keep of a password. Raises Unavailable where too many wait."""
        ...

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the hash is the password's. None stands for an account that does not exist: it takes
        as long as a wrong password, so that the two can't be told apart. Raises Unavailable.
        """
        ...

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        ...


class Argon2Hasher:
    """argon2id with the parameters of RFC 9106's second recommended option, unless others are given."""

    def __init__(self, *, time_cost: int = 3, memory_kib: int = 64 * 1024, parallelism: int = 4) -> None:
        self._argon2 = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)
        # No password has this hash, and to find that out takes as long as for a real one.
        salt, digest = (base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
        self._nobody = f"$argon2id$v=19$m={memory_kib},t={time_cost},p={parallelism}${salt}${digest}"
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._places = BoundedSemaphore(_PLACES)

    async def hash(self, password: str) -> str:
        return await self._in_thread(lambda: self._argon2.hash(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        matches = await self._in_thread(lambda: self._matches(password_hash or self._nobody, password))
        return matches and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        return self._argon2.check_needs_rehash(password_hash)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        if not self._places.acquire(blocking=False):
            raise Unavailable("too many sign-ins at once", retry_after=1)
        future = self._threads.submit(work)
        # The place is taken until the work is done, not until its caller goes away.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


def check_new(password: str, field: str = "password") -> None:
    """Refuses a password that is not to be used. Raises PasswordTooShort, InvalidArgument."""
    if len(password) < MIN_PASSWORD:
        raise PasswordTooShort(field=field)
    if len(password) > MAX_PASSWORD:
        raise InvalidArgument(f"a password has at most {MAX_PASSWORD} characters", field=field)
