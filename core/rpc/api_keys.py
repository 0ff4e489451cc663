"""The API keys of AccountService, and what administrators see of other people's."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core import inputs
from core.auth import ALL_SCOPES, hash_secret
from core.deps import Deps
from core.errors import InvalidArgument, NotFound, Unauthenticated
from core.ids import random_text
from core.rpc import caller, paging
from core.rpc.times import from_timestamp, to_timestamp
from core.store import changes, credentials, users
from core.store.credentials import Credential
from llmrouter.v1 import account_pb2

KIND = "api_key"
MAX_NAME = 200
MAX_KEYS = 1000


class ApiKeyMethods:
    """The part of AccountService that keeps API keys."""

    deps: Deps

    async def ListApiKeys(
        self, request: account_pb2.ListApiKeysRequest, context: Any
    ) -> account_pb2.ListApiKeysResponse:
        user_id = caller.current().principal.user_id
        async with self.deps.database.read() as connection:
            keys, token = await page(connection, user_id, request.page_size, request.page_token)
        return account_pb2.ListApiKeysResponse(api_keys=keys, next_page_token=token)

    async def CreateApiKey(
        self, request: account_pb2.CreateApiKeyRequest, context: Any
    ) -> account_pb2.CreateApiKeyResponse:
        user_id = caller.current().principal.user_id
        now = self.deps.clock.now()
        name = inputs.line(request.name, "name", least=1, most=MAX_NAME)
        expires_at = from_timestamp(request.expires_at, "expires_at") if request.HasField("expires_at") else None
        if expires_at is not None and expires_at <= now:
            raise InvalidArgument("expires_at must be in the future", field="expires_at")
        prefix = f"sk_{random_text(8)}"
        value = f"{prefix}_{random_text(24)}"
        async with self.deps.database.write() as connection:
            # Locked, so that keys that are made at once are counted one after the other.
            if await users.with_password(connection, user_id, lock=True) is None:
                raise Unauthenticated
            if await credentials.count(connection, user_id, KIND) >= MAX_KEYS:
                raise InvalidArgument(f"you have {MAX_KEYS} API keys, which is the most; delete one first")
            made = await credentials.add(
                connection,
                kind=KIND,
                secret_hash=hash_secret(value),
                prefix=prefix,
                user_id=user_id,
                name=name,
                scopes=ALL_SCOPES,
                now=now,
                expires_at=expires_at,
            )
        return account_pb2.CreateApiKeyResponse(api_key=to_api_key(made), value=value)

    async def DeleteApiKey(
        self, request: account_pb2.DeleteApiKeyRequest, context: Any
    ) -> account_pb2.DeleteApiKeyResponse:
        await delete(self.deps, caller.current().principal.user_id, request.id)
        return account_pb2.DeleteApiKeyResponse()


def to_api_key(credential: Credential) -> account_pb2.ApiKey:
    """An API key as a message; there is no secret in it."""
    expires_at = credential.expires_at
    return account_pb2.ApiKey(
        id=credential.id,
        user_id=credential.user_id,
        name=credential.name,
        prefix=credential.prefix,
        created_at=to_timestamp(credential.created_at),
        updated_at=to_timestamp(credential.updated_at),
        expires_at=None if expires_at is None else to_timestamp(expires_at),
    )


async def page(
    connection: AsyncConnection, user_id: int, page_size: int, page_token: str
) -> tuple[list[account_pb2.ApiKey], str]:
    """A page of a user's API keys, oldest first, and the token of the next one."""
    size = paging.page_size(page_size, default=1000, most=1000)
    (after_id,) = paging.decode(page_token, 0)
    found = await credentials.of_user(connection, user_id, KIND, after_id=after_id, limit=size + 1)
    keys, more = paging.cut(found, size)
    return [to_api_key(key) for key in keys], paging.encode(keys[-1].id) if more else ""


async def delete(deps: Deps, user_id: int, key_id: int) -> None:
    """Ends a user's API key, here at once and in every other process within a second. Raises NotFound."""
    async with deps.database.write() as connection:
        if not await credentials.remove(connection, key_id, user_id, KIND):
            raise NotFound
        await changes.note(connection, "credential", key_id, deps.clock.now())
    deps.authenticator.forget_credential(key_id)
