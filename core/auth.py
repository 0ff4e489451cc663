"""Authentication: from the secrets of a request to a principal, in one place for every way in.

    secrets ─SHA-256─► remembered principal ─► checked for expiry and disabling ─► Principal
                  └─► (first time) database ─┘      a JWT's signature is checked then too

A principal is remembered until something about its user or credential changes, of which every
process hears through the log of changes (core/store/changes.py). So an ordinary request costs one
dictionary look-up, and an outage of the database turns no known key away.
"""

import hashlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from core import access_tokens
from core.access_tokens import AccessTokens
from core.clock import Clock
from core.errors import Forbidden, Unauthenticated
from core.store import credentials, users, virtual_keys
from core.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

READ = "read"
WRITE = "write"
ALL_SCOPES = f"{READ} {WRITE}"

JWT = "jwt"

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
            return self._bearer()
        return self.session

    def on_behalf_of(self) -> str:
        """The access token that came beside a virtual key, and says who uses it."""
        token = self._bearer()
        return token if self.virtual_key and access_tokens.looks_like_one(token) else ""

    def _bearer(self) -> str:
        scheme, _, value = self.authorization.partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request."""

    user_id: int
    role: str  # "user" or "admin"
    credential_id: int
    kind: str  # "session", "api_key", "token", "virtual_key", "jwt"; "" for nobody
    scopes: frozenset[str]
    expires_at: float | None  # seconds since 1970
    project: str = ""  # a virtual key's
    max_output_tokens: int = 0  # of a request; 0 for no cap
    max_reasoning_tokens: int = 0
    allow_unpriced: bool = False  # whether a model without a price may be called under a budget

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

    def __init__(self, database: Database, clock: Clock, tokens: AccessTokens | None = None) -> None:
        """tokens: without them no JWT counts."""
        self._database = database
        self._clock = clock
        self._tokens = tokens
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._generation = 0
        # Hears of every change: a user's number, or a credential's; both 0 where it may be anybody's.
        self.on_change: Callable[[int, int], None] = lambda user_id, credential_id: None

    def remembered(self, secrets: Secrets) -> Principal | None:
        """The principal without asking the database, or None where only `authenticate` can tell."""
        principal = self._known.get(hash_secret(secrets.secret()))
        if principal is None or self._expired(principal):
            return None
        if secrets.virtual_key and secrets.authorization and (token := secrets.on_behalf_of()):
            user = self._known.get(hash_secret(token))
            return None if user is None or self._expired(user) else _used_by(principal, user)
        return principal

    async def authenticate(self, secrets: Secrets) -> Principal:
        """The principal of a request. Raises Unauthenticated, DatabaseError.

        Where an access token came beside a virtual key, what is used is that user's. One that does not
        count changes nothing: the key is enough, and SDKs send whatever they were given as their own key.
        """
        principal = await self._principal(secrets.secret())
        if token := secrets.on_behalf_of():
            with suppress(Unauthenticated):
                return _used_by(principal, await self._principal(token))
        return principal

    async def _principal(self, secret: str) -> Principal:
        if not secret or len(secret) > _MAX_SECRET:
            raise Unauthenticated
        key = hash_secret(secret)
        principal = self._known.get(key)
        if principal is None:
            principal = await self._look_up(key, secret)
        if self._expired(principal):
            raise Unauthenticated
        return principal

    def forget(self) -> None:
        """Looks everybody up anew at their next request, because something changed."""
        self._generation += 1
        self._known.clear()
        self._unknown.clear()
        self.on_change(0, 0)

    def forget_user(self, user_id: int) -> None:
        """Looks one user up anew; one who is enabled again may have been refused a moment ago."""
        self._generation += 1
        self._unknown.clear()
        for key in [key for key, principal in self._known.items() if principal.user_id == user_id]:
            del self._known[key]
        self.on_change(user_id, 0)

    def forget_credential(self, credential_id: int) -> None:
        """Looks one credential up anew; a new one may have been refused a moment ago."""
        self._generation += 1
        self._unknown.clear()
        for key in [key for key, principal in self._known.items() if principal.credential_id == credential_id]:
            del self._known[key]
        self.on_change(0, credential_id)

    def _expired(self, principal: Principal) -> bool:
        return principal.expires_at is not None and principal.expires_at <= self._clock.now().timestamp()

    async def _look_up(self, key: bytes, secret: str) -> Principal:
        refused_until = self._unknown.get(key)
        if refused_until is not None and refused_until > self._clock.monotonic():
            raise Unauthenticated
        generation = self._generation
        if self._tokens is not None and access_tokens.looks_like_one(secret):
            principal = await self._bearer(self._tokens, secret)
        else:
            principal = await self._holder(key)
        if principal is None:
            _remember(self._unknown, key, self._clock.monotonic() + _UNKNOWN_TTL)
            raise Unauthenticated
        if generation == self._generation:  # else what was read may be what has just changed
            _remember(self._known, key, principal)
        return principal

    async def _holder(self, key: bytes) -> Principal | None:
        """Whose credential has this hash."""
        async with self._database.read() as connection:
            found = await credentials.holder(connection, key)
        if found is None or found.disabled or not found.is_active:
            return None
        return Principal(
            user_id=found.user_id,
            # A virtual key is for programs that call models: it never administers.
            role=users.USER if found.kind == virtual_keys.KIND else found.role,
            credential_id=found.credential_id,
            kind=found.kind,
            scopes=frozenset(found.scopes.split()),
            expires_at=None if found.expires_at is None else found.expires_at.timestamp(),
            project=found.project,
            max_output_tokens=found.max_output_tokens,
            max_reasoning_tokens=found.max_reasoning_tokens,
            allow_unpriced=found.allow_unpriced,
        )

    async def _bearer(self, tokens: AccessTokens, secret: str) -> Principal | None:
        """Whom an access token stands for."""
        claims = tokens.read(secret)
        if claims is None or claims.expires_at <= self._clock.now().timestamp():
            return None
        async with self._database.read() as connection:
            found = await users.with_password(connection, claims.user_id)
        if found is None or found[0].disabled or tokens.digest(found[1]) != claims.password_digest:
            return None
        user = found[0]
        return Principal(user.id, user.role, 0, JWT, frozenset(ALL_SCOPES.split()), claims.expires_at)


def _used_by(key: Principal, user: Principal) -> Principal:
    """The principal of a virtual key that is used by another than whose it is."""
    return replace(key, user_id=user.user_id) if key.kind == virtual_keys.KIND and user.kind == JWT else key


def _remember(memory: "OrderedDict[bytes, _T]", key: bytes, value: _T) -> None:
    memory[key] = value
    while len(memory) > _MEMORY:
        memory.popitem(last=False)
