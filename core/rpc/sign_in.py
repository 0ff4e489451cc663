"""The part of AccountService that signs people in and out.

login, password ─throttle─► checked ─┬─ Login       a session: stored, can be ended
                                     └─ IssueToken  a JWT: short, nothing is stored
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from core.auth import ALL_SCOPES, hash_secret
from core.deps import Deps
from core.errors import InvalidArgument, InvalidCredentials, Unavailable
from core.ids import random_text
from core.inputs import MAX_EMAIL
from core.login_throttle import LoginThrottle
from core.passwords import MAX_PASSWORD
from core.rpc import caller, people
from core.rpc.times import to_timestamp
from core.store import changes, credentials, users
from core.store.users import User
from llmrouter.v1 import account_pb2

_T = TypeVar("_T")

_Begin = Callable[[AsyncConnection, User, str], Awaitable[_T]]
"""What is made for a user whose password was right: of the user's locked row, and the password's hash."""


class SignInMethods:
    """Signing in and out."""

    deps: Deps
    throttle: LoginThrottle

    async def Login(self, request: account_pb2.LoginRequest, context: Any) -> account_pb2.LoginResponse:
        return await self._signed_in(request.login, request.password, self._begin_session)

    async def IssueToken(self, request: account_pb2.IssueTokenRequest, context: Any) -> account_pb2.IssueTokenResponse:
        return await self._signed_in(request.login, request.password, self._issue)

    async def _begin_session(self, connection: AsyncConnection, user: User, _hash: str) -> account_pb2.LoginResponse:
        token, now = f"ses_{random_text(43)}", self.deps.clock.now()
        session = await credentials.add(
            connection,
            kind="session",
            secret_hash=hash_secret(token),
            prefix=token[:12],
            user_id=user.id,
            scopes=ALL_SCOPES,
            now=now,
            expires_at=now + timedelta(seconds=self.deps.settings.session_ttl),
        )
        assert session.expires_at is not None
        return account_pb2.LoginResponse(
            token=token, expires_at=to_timestamp(session.expires_at), user=people.to_user(user)
        )

    async def _issue(self, _: AsyncConnection, user: User, password_hash: str) -> account_pb2.IssueTokenResponse:
        deps, now = self.deps, self.deps.clock.now().replace(microsecond=0)
        lifetime = int(deps.settings.jwt_ttl)
        return account_pb2.IssueTokenResponse(
            access_token=deps.access_tokens.issue(user.id, password_hash, now, lifetime),
            expires_at=to_timestamp(now + timedelta(seconds=lifetime)),
            lifetime_seconds=lifetime,
            user=people.to_user(user),
        )

    async def _signed_in(self, login: str, password: str, begin: _Begin[_T]) -> _T:
        """What `begin` makes, once the password is right. Raises InvalidCredentials, RateLimited, Unavailable."""
        login, address = login.strip().lower(), caller.current().client_address
        if not 0 < len(login) <= MAX_EMAIL or "\0" in login:
            raise InvalidArgument("login must be an e-mail address or a user name", field="login")
        if not 0 < len(password) <= MAX_PASSWORD:
            raise InvalidArgument(f"password must have 1 to {MAX_PASSWORD} characters", field="password")
        self.throttle.begin(login, address)
        try:
            made = await self._checked(login, password, begin)
        except Unavailable:
            self.throttle.undecided(login, address)
            raise
        self.throttle.succeeded(login, address)
        return made

    async def _checked(self, login: str, password: str, begin: _Begin[_T]) -> _T:
        """The way is as long for an unknown account, a disabled one and a wrong password."""
        deps = self.deps
        async with deps.database.read() as connection:
            found = await users.by_login(connection, login)
        known_hash = None if found is None else found[1]
        matches = await deps.hasher.verify(known_hash, password)
        if found is None or not matches or found[0].disabled:
            raise InvalidCredentials
        new_hash = await deps.hasher.hash(password) if deps.hasher.outdated(found[1]) else None
        async with deps.database.write() as connection:
            # What was checked may have changed while the hash was computed.
            locked = await users.with_password(connection, found[0].id, lock=True)
            if locked is None or locked[0].disabled or locked[1] != known_hash:
                raise InvalidCredentials
            if new_hash is not None:
                await users.rehash(connection, found[0].id, new_hash)
            return await begin(connection, locked[0], new_hash or locked[1])

    async def Logout(self, request: account_pb2.LogoutRequest, context: Any) -> account_pb2.LogoutResponse:
        """Ends the caller's session. An API key is no session: it is deleted by its number."""
        deps, who = self.deps, caller.current().principal
        if who.kind != "session":
            raise InvalidArgument("only a session can be ended; delete an API key instead")
        async with deps.database.write() as connection:
            await credentials.remove(connection, who.credential_id, who.user_id, "session")
            await changes.note(connection, "credential", who.credential_id, deps.clock.now())
        deps.authenticator.forget_credential(who.credential_id)
        return account_pb2.LogoutResponse()
