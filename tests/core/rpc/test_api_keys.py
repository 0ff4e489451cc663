"""The API keys of AccountService."""

import asyncio
import re

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from core.auth import hash_secret
from core.rpc.api_keys import MAX_KEYS
from core.rpc.times import to_timestamp
from core.store import credentials
from llmrouter.v1.account_pb2 import (
    ApiKey,
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    DeleteApiKeyRequest,
    GetAccountRequest,
    ListApiKeysRequest,
    ListApiKeysResponse,
)
from tests.support.core import Core, CoreFactory, Metadata, Person
from tests.support.database import on_sqlite
from tests.support.refusals import refused


async def create(core: Core, person: Person, name: str = "laptop") -> CreateApiKeyResponse:
    return await core.account.CreateApiKey(CreateApiKeyRequest(name=name), metadata=person.metadata)


async def page(core: Core, person: Person, size: int = 0, token: str = "") -> ListApiKeysResponse:
    request = ListApiKeysRequest(page_size=size, page_token=token)
    return await core.account.ListApiKeys(request, metadata=person.metadata)


async def list_all(core: Core, person: Person) -> list[ApiKey]:
    return list((await page(core, person)).api_keys)


async def delete(core: Core, person: Person, key_id: int) -> None:
    await core.account.DeleteApiKey(DeleteApiKeyRequest(id=key_id), metadata=person.metadata)


async def enter(core: Core, key: str) -> int:
    """Calls with a key; the number of its user."""
    metadata: Metadata = (("x-api-key", key),)
    return (await core.account.GetAccount(GetAccountRequest(), metadata=metadata)).user.id


async def test_a_key_has_the_documented_form_and_lets_its_owner_in(core: Core):
    user = await core.user()
    made = await create(core, user, " laptop ")
    assert re.fullmatch(r"sk_[0-9A-Za-z]{8}_[0-9A-Za-z]{24}", made.value)
    assert made.api_key.prefix == made.value[:11]
    assert (made.api_key.user_id, made.api_key.name) == (user.id, "laptop")
    assert not made.api_key.HasField("expires_at")
    assert await enter(core, made.value) == user.id


async def test_a_keys_value_is_kept_nowhere(core: Core):
    user = await core.user()
    made = await create(core, user)
    assert made.value not in str(await page(core, user))
    async with core.deps.database.read() as connection:
        (kept,) = await credentials.of_user(connection, user.id, "api_key")
        assert await credentials.holder(connection, hash_secret(made.value)) is not None
    assert made.value not in repr(kept)


async def test_keys_are_listed_oldest_first_and_only_to_their_owner(core: Core):
    alice, bob = await core.user("alice"), await core.user("bob")
    made = [(await create(core, alice, f"key {n}")).api_key for n in range(3)]
    await create(core, bob, "another's")
    assert await list_all(core, alice) == made


async def test_keys_are_listed_in_pages(core: Core):
    user = await core.user()
    made = [(await create(core, user, f"key {n}")).api_key for n in range(5)]
    found: list[ApiKey] = []
    token, pages = "", 0
    while pages == 0 or token:
        answer = await page(core, user, 2, token)
        assert len(answer.api_keys) <= 2
        found += answer.api_keys
        token, pages = answer.next_page_token, pages + 1
    assert (found, pages) == (made, 3)
    assert (await page(core, user, 5)).next_page_token == ""


@on_sqlite
async def test_a_page_that_can_not_be_is_refused(core: Core):
    user = await core.user()
    with refused("INVALID_ARGUMENT", "page_size"):
        await page(core, user, -1)
    with refused("INVALID_ARGUMENT", "page_token"):
        await page(core, user, 0, "nonsense")


async def test_a_deleted_key_is_refused_at_once(core: Core):
    user = await core.user()
    made = await create(core, user)
    await enter(core, made.value)
    await delete(core, user, made.api_key.id)
    with refused("UNAUTHENTICATED"):
        await enter(core, made.value)
    assert await list_all(core, user) == []
    with refused("NOT_FOUND"):
        await delete(core, user, made.api_key.id)


async def test_a_deleted_key_is_refused_by_other_replicas(core_factory: CoreFactory):
    async with core_factory() as here, core_factory() as there:
        user = await here.user()
        made = await create(here, user)
        await enter(there, made.value)
        await delete(here, user, made.api_key.id)
        await there.hear()
        with refused("UNAUTHENTICATED"):
            await enter(there, made.value)


async def test_what_is_not_ones_own_key_is_not_there(core: Core):
    alice, bob = await core.user("alice"), await core.user("bob")
    made = await create(core, alice)
    _, session_id = await core.credential(bob.id, kind="session")
    for key_id in (made.api_key.id, session_id, 0, -1, 2**63 - 1):
        with refused("NOT_FOUND"):
            await delete(core, bob, key_id)
    assert await enter(core, made.value) == alice.id


async def test_a_key_ends_when_it_is_to(core: Core):
    user = await core.user()
    core.clock.advance(1)
    until = to_timestamp(core.clock.now())
    until.seconds += 60
    made = await core.account.CreateApiKey(CreateApiKeyRequest(name="short", expires_at=until), metadata=user.metadata)
    assert made.api_key.expires_at == until
    assert (await list_all(core, user))[0].expires_at == until
    await enter(core, made.value)
    core.clock.advance(60)
    with refused("UNAUTHENTICATED"):
        await enter(core, made.value)


@on_sqlite
@pytest.mark.parametrize(
    ("name", "expires_at", "field"),
    [
        ("", None, "name"),
        ("   ", None, "name"),
        ("x" * 201, None, "name"),
        ("a\0b", None, "name"),
        ("a\nb", None, "name"),
        ("ok", Timestamp(seconds=1), "expires_at"),
        ("ok", Timestamp(seconds=2**60), "expires_at"),
        ("ok", Timestamp(seconds=1_900_000_000, nanos=-1), "expires_at"),
    ],
)
async def test_what_can_not_be_kept_is_refused(core: Core, name: str, expires_at: Timestamp | None, field: str):
    user = await core.user()
    with refused("INVALID_ARGUMENT", field):
        await core.account.CreateApiKey(CreateApiKeyRequest(name=name, expires_at=expires_at), metadata=user.metadata)


async def test_a_user_has_so_many_keys_and_no_more_even_at_once(core: Core, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.rpc.api_keys.MAX_KEYS", 3)
    user = await core.user()
    results = await asyncio.gather(*(create(core, user, f"key {n}") for n in range(8)), return_exceptions=True)
    assert sum(isinstance(result, CreateApiKeyResponse) for result in results) == 3
    assert len(await list_all(core, user)) == 3
    with refused("INVALID_ARGUMENT", says="3 API keys"):
        await create(core, user)


def test_a_user_may_have_a_thousand_keys():
    assert MAX_KEYS == 1000
