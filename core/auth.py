"""Authentication: from the secrets of a request to a principal, in one place for every way in.

    secrets ─SHA-256─► remembered principal ─► checked for expiry and disabling ─► Principal
                  └─► (first time) database ─┘

A principal is remembered until something about its user or credential changes, of which every
process hears through the log of changes (core/store/changes.py). So an ordinary request costs one
dictionary look-up, and an outage of the database turns no known key away.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TypeVar

from core.clock import Clock
from core.errors import Forbidden, Unauthenticated
from core.store import credentials
from core.store.database import Database

_T = TypeVar("_T")

READ = "read"
WRITE = "write"
ALL_SCOPES = f"{READ} {WRITE}"

# How many principals are remembered, and how many unknown secrets.
_MEMORY = 100_000
# For how long an unknown secret is refused without asking again, in seconds.
_UNKNOWN_TTL = 2.0
_MAX_SECRET = 512


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a request brought, each "" where it did not."""

    authorization: str = field(default="", repr=False)  # the whole header's value
    api_key: str = field(default="", repr=False)
    virtual_key: str = field(default="", repr=False)
    session: str = field(default="", repr=False)

    def secret(self) -> str:
        """The one that counts: the most specific header, and the cookie only where there is no header."""
        if self.virtual_key:
            return self.virtual_key
        if self.api_key:
            return self.api_key
        if self.authorization:
            scheme, _, value = self.authorization.partition(" ")
            return value.strip() if scheme.lower() == "bearer" else ""
        return self.session


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request."""

    user_id: int
    role: str  # "user" or "admin"
    credential_id: int
    kind: str  # of the credential
    scopes: frozenset[str]
    expires_at: float | None  # seconds since 1970

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    def require(self, scope: str) -> None:
        """Raises Forbidden where the credential does not have the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"this credential lacks the scope '{scope}'")


NOBODY = Principal(0, "", 0, "", frozenset(), None)


def hash_secret(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


class Authenticator:
    """Finds the principal of a request."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._generation = 0

    def remembered(self, secrets: Secrets) -> Principal | None:
        """The principal without asking the database, or None where only `authenticate` can tell."""
        principal = self._known.get(hash_secret(secrets.secret()))
        if principal is None or self._expired(principal):
            return None
        return principal

    async def authenticate(self, secrets: Secrets) -> Principal:
        """The principal of a request. Raises Unauthenticated, DatabaseError."""
        secret = secrets.secret()
        if not secret or len(secret) > _MAX_SECRET:
            raise Unauthenticated
        key = hash_secret(secret)
        principal = self._known.get(key)
        if principal is None:
            principal = await self._look_up(key)
        if self._expired(principal):
            raise Unauthenticated
        return principal

    def forget(self) -> None:
        """Looks everybody up anew at their next request, because something changed."""
        self._generation += 1
        self._known.clear()
        self._unknown.clear()

    def forget_user(self, user_id: int) -> None:
        """Looks one user up anew; one who is enabled again may have been refused a moment ago."""
        self._generation += 1
        self._unknown.clear()
        for key in [key for key, principal in self._known.items() if principal.user_id == user_id]:
            del self._known[key]

    def forget_credential(self, credential_id: int) -> None:
        """Looks one credential up anew; a new one may have been refused a moment ago."""
        self._generation += 1
        self._unknown.clear()
        for key in [key for key, principal in self._known.items() if principal.credential_id == credential_id]:
            del self._known[key]

    def _expired(self, principal: Principal) -> bool:
        return principal.expires_at is not None and principal.expires_at <= self._clock.now().timestamp()

    async def _look_up(self, key: bytes) -> Principal:
        refused_until = self._unknown.get(key)
        if refused_until is not None and refused_until > self._clock.monotonic():
            raise Unauthenticated
        generation = self._generation
        async with self._database.read() as connection:
            found = await credentials.holder(connection, key)
        if found is None or found.disabled:
            _remember(self._unknown, key, self._clock.monotonic() + _UNKNOWN_TTL)
            raise Unauthenticated
        principal = Principal(
            user_id=found.user_id,
            role=found.role,
            credential_id=found.credential_id,
            kind=found.kind,
            scopes=frozenset(found.scopes.split()),
            expires_at=None if found.expires_at is None else found.expires_at.timestamp(),
        )
        if generation == self._generation:  # else what was read may be what has just changed
            _remember(self._known, key, principal)
        return principal


def _remember(memory: "OrderedDict[bytes, _T]", key: bytes, value: _T) -> None:
    memory[key] = value
    while len(memory) > _MEMORY:
        memory.popitem(last=False)
