"""The part of AdminService that administers users and their API keys."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.deps import Deps
from core.errors import LastAdmin, NoChanges, NotFound
from core.passwords import check_new
from core.rpc import api_keys, caller, masks, paging, people
from core.store import changes, credentials, users
from core.store.users import User
from llmrouter.v1 import admin_pb2

_CHANGEABLE = ("password", "role", "disabled", "full_name", "email")


class UserAdministration:
    """Users. One enabled administrator is always left, however many ask at once to be the last to go."""

    deps: Deps

    async def ListUsers(self, request: admin_pb2.ListUsersRequest, context: Any) -> admin_pb2.ListUsersResponse:
        size = paging.page_size(request.page_size, default=1000, most=1000)
        (after_id,) = paging.decode(request.page_token, 0)
        async with self.deps.database.read() as connection:
            found = await users.page(connection, after_id=after_id, limit=size + 1)
        page, more = paging.cut(found, size)
        return admin_pb2.ListUsersResponse(
            users=[people.to_user(user) for user in page],
            next_page_token=paging.encode(page[-1].id) if more else "",
        )

    async def GetUser(self, request: admin_pb2.GetUserRequest, context: Any) -> admin_pb2.GetUserResponse:
        async with self.deps.database.read() as connection:
            user = await _existing(connection, request.id)
        return admin_pb2.GetUserResponse(user=people.to_user(user))

    async def CreateUser(self, request: admin_pb2.CreateUserRequest, context: Any) -> admin_pb2.CreateUserResponse:
        names = people.names(request.email, request.username)
        role, full_name = people.role(request.role), people.full_name(request.full_name)
        check_new(request.password)
        password_hash = await self.deps.hasher.hash(request.password)
        async with self.deps.database.write() as connection:
            try:
                user = await users.add(
                    connection,
                    **names,
                    password_hash=password_hash,
                    role=role,
                    now=self.deps.clock.now(),
                    full_name=full_name,
                    must_change_password=request.must_change_password,
                )
            except IntegrityError as error:
                raise people.taken(error, names) from error
        return admin_pb2.CreateUserResponse(user=people.to_user(user))

    async def UpdateUser(self, request: admin_pb2.UpdateUserRequest, context: Any) -> admin_pb2.UpdateUserResponse:
        """Changes a user. What is already as it shall be is no failure.

        A password that an administrator gives to somebody else is to be changed at the next sign-in. A
        new password ends the user's sessions, but for the one that this call was made with. Disabling
        a user ends the sessions too; API keys are refused for as long as the user is disabled.
        """
        deps = self.deps
        fields = masks.fields_to_change(request, _CHANGEABLE)
        if not fields:
            raise NoChanges
        password_hash = ""
        if "password" in fields:
            check_new(request.password)
            password_hash = await deps.hasher.hash(request.password)
        async with deps.database.write() as connection:
            administrators = await users.lock_administrators(connection) if fields & {"role", "disabled"} else ()
            user = await _existing(connection, request.id, lock=True)
            values = _values(user, request, fields)
            _keep_an_administrator(user, administrators, values)
            if password_hash:
                by_another = user.id != caller.current().principal.user_id
                values |= {"password_hash": password_hash, "must_change_password": by_another}
            if not values:
                return admin_pb2.UpdateUserResponse(user=people.to_user(user))
            changed = await self._change(connection, user, values)
        deps.authenticator.forget_user(user.id)
        return admin_pb2.UpdateUserResponse(user=people.to_user(changed))

    async def _change(self, connection: AsyncConnection, user: User, values: dict[str, Any]) -> User:
        now = self.deps.clock.now()
        try:
            changed = await users.change(connection, user.id, values, now)
        except IntegrityError as error:
            raise people.taken(error, {"email": user.email, "username": user.username} | values) from error
        if changed.disabled:
            await credentials.remove_sessions(connection, user.id)
        elif "password_hash" in values:
            await credentials.remove_sessions(connection, user.id, except_id=caller.current().principal.credential_id)
        await changes.note(connection, "user", user.id, now)
        return changed

    async def DeleteUser(self, request: admin_pb2.DeleteUserRequest, context: Any) -> admin_pb2.DeleteUserResponse:
        async with self.deps.database.write() as connection:
            administrators = await users.lock_administrators(connection)
            user = await _existing(connection, request.id, lock=True)
            _keep_an_administrator(user, administrators, {"role": ""})
            await users.remove(connection, user.id)
            await changes.note(connection, "user", user.id, self.deps.clock.now())
        self.deps.authenticator.forget_user(user.id)
        return admin_pb2.DeleteUserResponse()

    async def ListUserApiKeys(
        self, request: admin_pb2.ListUserApiKeysRequest, context: Any
    ) -> admin_pb2.ListUserApiKeysResponse:
        async with self.deps.database.read() as connection:
            user = await _existing(connection, request.user_id)
            keys, token = await api_keys.page(connection, user.id, request.page_size, request.page_token)
        return admin_pb2.ListUserApiKeysResponse(api_keys=keys, next_page_token=token)

    async def DeleteUserApiKey(
        self, request: admin_pb2.DeleteUserApiKeyRequest, context: Any
    ) -> admin_pb2.DeleteUserApiKeyResponse:
        await api_keys.delete(self.deps, request.user_id, request.id)
        return admin_pb2.DeleteUserApiKeyResponse()


async def _existing(connection: AsyncConnection, user_id: int, *, lock: bool = False) -> User:
    """The user of that number. Raises NotFound."""
    found = await users.with_password(connection, user_id, lock=lock)
    if found is None:
        raise NotFound
    return found[0]


def _values(user: User, request: admin_pb2.UpdateUserRequest, fields: frozenset[str]) -> dict[str, Any]:
    """What changes in the user's row, the password apart."""
    values: dict[str, Any] = {}
    if "role" in fields:
        values["role"] = people.role(request.role)
    if "disabled" in fields:
        values["disabled"] = request.disabled
    if "full_name" in fields:
        values["full_name"] = people.full_name(request.full_name)
    if "email" in fields:
        values |= people.new_names(user, email=request.email)
    return {name: value for name, value in values.items() if getattr(user, name) != value}


def _keep_an_administrator(user: User, administrators: Sequence[int], values: dict[str, Any]) -> None:
    """Refuses a change that leaves nobody to administer. Raises LastAdmin.

    administrators: the numbers of those who can sign in, locked.
    """
    stays = values.get("role", user.role) == users.ADMIN and not values.get("disabled", user.disabled)
    if user.administers and not stays and set(administrators) <= {user.id}:
        raise LastAdmin
