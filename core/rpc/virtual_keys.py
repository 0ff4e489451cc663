"""The part of AdminService that keeps virtual keys.

    request ─► checked ─► credential, labels and caps, budget, a note of the change
                          └─ one transaction ─────────────────────────────────────┘

An administrator makes, changes and revokes them. Others see their own, and nobody sees a secret twice.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core import inputs
from core.auth import ALL_SCOPES, hash_secret
from core.deps import Deps
from core.errors import InvalidArgument, NoChanges, NotFound
from core.ids import random_text
from core.rpc import caller, masks, paging
from core.rpc import virtual_key_message as messages
from core.store import budgets, changes, credentials, users, virtual_keys
from core.store.users import User
from core.store.virtual_keys import VirtualKey
from llmrouter.v1 import admin_pb2

MAX_KEYS = 10_000
"""How many a user can have, revoked ones included."""

_PAGE = 1000


class VirtualKeyAdministration:
    """Virtual keys."""

    deps: Deps

    async def CreateVirtualKey(
        self, request: admin_pb2.CreateVirtualKeyRequest, context: Any
    ) -> admin_pb2.CreateVirtualKeyResponse:
        now = self.deps.clock.now()
        values = messages.read(request, messages.CREATABLE, now)
        name, expires_at = values.pop("name"), values.pop("expires_at")
        cap = values.pop(messages.CAP)
        prefix = f"vk_{random_text(8)}"
        value = f"{prefix}_{random_text(24)}"
        async with self.deps.database.write() as connection:
            user = await _user(connection, request.user_email)
            if await credentials.count(connection, user.id, virtual_keys.KIND) >= MAX_KEYS:
                raise InvalidArgument(f"this user has {MAX_KEYS} virtual keys, which is the most")
            made = await credentials.add(
                connection,
                kind=virtual_keys.KIND,
                secret_hash=hash_secret(value),
                prefix=prefix,
                user_id=user.id,
                name=name,
                scopes=ALL_SCOPES,
                now=now,
                expires_at=expires_at,
            )
            await virtual_keys.add(connection, made.id, values)
            if cap is not None:
                await self._cap(connection, made.id, cap)
            key = await _existing(connection, made.id)
        return admin_pb2.CreateVirtualKeyResponse(virtual_key=messages.to_message(key, now), value=value)

    async def ListVirtualKeys(
        self, request: admin_pb2.ListVirtualKeysRequest, context: Any
    ) -> admin_pb2.ListVirtualKeysResponse:
        size = paging.page_size(request.page_size, default=_PAGE, most=_PAGE)
        (after_id,) = paging.decode(request.page_token, 0)
        async with self.deps.database.read() as connection:
            found = await virtual_keys.page(connection, user_id=_whose(), after_id=after_id, limit=size + 1)
        keys, more = paging.cut(found, size)
        now = self.deps.clock.now()
        return admin_pb2.ListVirtualKeysResponse(
            virtual_keys=[messages.to_message(key, now) for key in keys],
            next_page_token=paging.encode(keys[-1].id) if more else "",
        )

    async def GetVirtualKey(
        self, request: admin_pb2.GetVirtualKeyRequest, context: Any
    ) -> admin_pb2.GetVirtualKeyResponse:
        async with self.deps.database.read() as connection:
            key = await _existing(connection, request.id, user_id=_whose())
        return admin_pb2.GetVirtualKeyResponse(virtual_key=messages.to_message(key, self.deps.clock.now()))

    async def UpdateVirtualKey(
        self, request: admin_pb2.UpdateVirtualKeyRequest, context: Any
    ) -> admin_pb2.UpdateVirtualKeyResponse:
        """Changes a key. What is already as it shall be is no failure."""
        fields, now = masks.fields_to_change(request, messages.CHANGEABLE), self.deps.clock.now()
        if not fields:
            raise NoChanges
        values = messages.read(request, fields, now)
        async with self.deps.database.write() as connection:
            key = await _existing(connection, request.id, lock=True)
            if key.revoked_at is not None and values.get("is_active"):
                raise InvalidArgument("this key was revoked, for good; make another", field="is_active")
            if messages.CAP in values:
                await self._cap(connection, key.id, values.pop(messages.CAP))
            await virtual_keys.change(connection, key.id, values, now)
            await changes.note(connection, "credential", key.id, now)
            key = await _existing(connection, key.id)
        self.deps.authenticator.forget_credential(key.id)
        return admin_pb2.UpdateVirtualKeyResponse(virtual_key=messages.to_message(key, now))

    async def DeleteVirtualKey(
        self, request: admin_pb2.DeleteVirtualKeyRequest, context: Any
    ) -> admin_pb2.DeleteVirtualKeyResponse:
        """Revokes a key, here at once and in every other process within a second."""
        now = self.deps.clock.now()
        async with self.deps.database.write() as connection:
            key = await _existing(connection, request.id, lock=True)
            if key.revoked_at is None:
                await virtual_keys.revoke(connection, key.id, now)
                await virtual_keys.change(connection, key.id, {}, now)
                await changes.note(connection, "credential", key.id, now)
        self.deps.authenticator.forget_credential(key.id)
        return admin_pb2.DeleteVirtualKeyResponse()

    async def _cap(self, connection: AsyncConnection, key_id: int, nanousd: int | None) -> None:
        """Makes, changes or (None) takes away what a key may spend in a month."""
        scope = (virtual_keys.SCOPE, str(key_id))
        now = self.deps.clock.now()
        await budgets.set_cap(connection, self.deps.database, scope, virtual_keys.CAP_PERIOD, nanousd, now)


def _whose() -> int | None:
    """Whose keys the caller sees: None for everybody's."""
    principal = caller.current().principal
    return None if principal.is_admin else principal.user_id


async def _user(connection: AsyncConnection, login: str) -> User:
    """Whose a new key shall be: the caller's where nobody is named. Locked, so that keys are counted one by one."""
    if login.strip():
        found = await users.by_login(connection, inputs.line(login, "user_email", most=inputs.MAX_EMAIL).lower())
        user_id = 0 if found is None else found[0].id
    else:
        user_id = caller.current().principal.user_id
    locked = await users.with_password(connection, user_id, lock=True)
    if locked is None:
        raise InvalidArgument("there is no such user", field="user_email")
    return locked[0]


async def _existing(
    connection: AsyncConnection, key_id: int, *, user_id: int | None = None, lock: bool = False
) -> VirtualKey:
    """The key of that number. Raises NotFound."""
    key = await virtual_keys.get(connection, key_id, user_id=user_id, lock=lock)
    if key is None:
        raise NotFound
    return key
