"""AccountService: the caller's own account; signing in is in sign_in.py, API keys in api_keys.py."""

from typing import Any

import grpc.aio
from sqlalchemy.exc import IntegrityError

from core.deps import Deps
from core.errors import CurrentPasswordIncorrect, NoChanges, Unauthenticated, Unavailable
from core.login_throttle import LoginThrottle
from core.passwords import MAX_PASSWORD, check_new
from core.rpc import caller, masks, people
from core.rpc.api_keys import ApiKeyMethods
from core.rpc.sign_in import SignInMethods
from core.store import changes, credentials, users
from core.store.users import User
from llmrouter.v1 import account_pb2, account_pb2_grpc

_CHANGEABLE = ("email", "username", "full_name", "new_password")


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    account_pb2_grpc.add_AccountServiceServicer_to_server(AccountService(deps), server)
    return account_pb2.DESCRIPTOR.services_by_name["AccountService"].full_name


class AccountService(SignInMethods, ApiKeyMethods, account_pb2_grpc.AccountServiceServicer):
    """What people do with their own account."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        self.throttle = LoginThrottle(deps.clock)

    async def GetAccount(self, request: account_pb2.GetAccountRequest, context: Any) -> account_pb2.GetAccountResponse:
        async with self.deps.database.read() as connection:
            user = await users.get(connection, caller.current().principal.user_id)
        if user is None:
            raise Unauthenticated
        return account_pb2.GetAccountResponse(user=people.to_user(user))

    async def UpdateAccount(
        self, request: account_pb2.UpdateAccountRequest, context: Any
    ) -> account_pb2.UpdateAccountResponse:
        deps, who = self.deps, caller.current().principal
        fields = masks.fields_to_change(request, _CHANGEABLE)
        hashes = await self._new_password(who.user_id, request) if "new_password" in fields else None
        async with deps.database.write() as connection:
            locked = await users.with_password(connection, who.user_id, lock=True)
            if locked is None:
                raise Unauthenticated
            user, password_hash = locked
            values = _values(user, request, fields)
            if hashes is not None:
                if hashes[0] != password_hash:  # somebody changed it since it was checked
                    raise CurrentPasswordIncorrect(field="current_password")
                values |= {"password_hash": hashes[1], "must_change_password": False}
                await credentials.remove_sessions(connection, who.user_id, except_id=who.credential_id)
            if not values:
                raise NoChanges
            try:
                user = await users.change(connection, who.user_id, values, deps.clock.now())
            except IntegrityError as error:
                raise people.taken(error, {"email": user.email, "username": user.username} | values) from error
            await changes.note(connection, "user", who.user_id, deps.clock.now())
        deps.authenticator.forget_user(who.user_id)
        return account_pb2.UpdateAccountResponse(user=people.to_user(user))

    async def _new_password(self, user_id: int, request: account_pb2.UpdateAccountRequest) -> tuple[str, str]:
        """The hash that `current_password` was checked against, and the new password's.

        Raises PasswordTooShort, CurrentPasswordIncorrect, RateLimited.
        """
        check_new(request.new_password, "new_password")
        async with self.deps.database.read() as connection:
            found = await users.with_password(connection, user_id)
        if found is None:
            raise Unauthenticated
        # Whoever stole a session is not to guess the password with it, nor to lock the owner's front door.
        account = f"\0{user_id}"
        self.throttle.begin(account, "")
        try:
            matches = await self.deps.hasher.verify(found[1], request.current_password[: MAX_PASSWORD + 1])
        except Unavailable:
            self.throttle.undecided(account, "")
            raise
        if not matches:
            raise CurrentPasswordIncorrect(field="current_password")
        self.throttle.succeeded(account, "")
        return found[1], await self.deps.hasher.hash(request.new_password)


def _values(user: User, request: account_pb2.UpdateAccountRequest, fields: frozenset[str]) -> dict[str, Any]:
    """What changes in the user's row, the password apart."""
    values: dict[str, Any] = {}
    if fields & {"email", "username"}:
        values |= people.new_names(
            user,
            email=request.email if "email" in fields else None,
            username=request.username if "username" in fields else None,
        )
    if "full_name" in fields:
        values["full_name"] = people.full_name(request.full_name)
    return {name: value for name, value in values.items() if getattr(user, name) != value}
