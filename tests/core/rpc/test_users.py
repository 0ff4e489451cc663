"""The half of AdminService that administers users."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc.aio import AioRpcError

from llmrouter.v1 import account_pb2
from llmrouter.v1.account_pb2 import (
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    GetAccountRequest,
    LoginRequest,
    User,
)
from llmrouter.v1.admin_pb2 import (
    CreateUserRequest,
    DeleteUserApiKeyRequest,
    DeleteUserRequest,
    GetUserRequest,
    ListUserApiKeysRequest,
    ListUsersRequest,
    ListUsersResponse,
    UpdateUserRequest,
)
from tests.support.core import PASSWORD, Core, CoreFactory, Metadata, Person
from tests.support.database import on_sqlite
from tests.support.failures import failure_of
from tests.support.refusals import refused

USER, ADMIN = account_pb2.USER_ROLE_USER, account_pb2.USER_ROLE_ADMIN


async def create(core: Core, admin: Person, email: str = "alice@example.com", **fields: object) -> User:
    values = {"email": email, "password": PASSWORD, "role": USER} | fields
    request = CreateUserRequest(**values)  # pyright: ignore[reportArgumentType] - fields of the message
    return (await core.administration.CreateUser(request, metadata=admin.metadata)).user


async def update(core: Core, admin: Person, user_id: int, *paths: str, **fields: object) -> User:
    mask = FieldMask(paths=paths)
    request = UpdateUserRequest(id=user_id, update_mask=mask, **fields)  # pyright: ignore[reportArgumentType] - fields of the message
    return (await core.administration.UpdateUser(request, metadata=admin.metadata)).user


async def get(core: Core, admin: Person, user_id: int) -> User:
    return (await core.administration.GetUser(GetUserRequest(id=user_id), metadata=admin.metadata)).user


async def delete(core: Core, admin: Person, user_id: int) -> None:
    await core.administration.DeleteUser(DeleteUserRequest(id=user_id), metadata=admin.metadata)


async def page(core: Core, admin: Person, size: int = 0, token: str = "") -> ListUsersResponse:
    return await core.administration.ListUsers(
        ListUsersRequest(page_size=size, page_token=token), metadata=admin.metadata
    )


async def enter(core: Core, metadata: Metadata) -> int:
    return (await core.account.GetAccount(GetAccountRequest(), metadata=metadata)).user.id


async def login(core: Core, name: str, password: str = PASSWORD) -> Metadata:
    answer = await core.account.Login(LoginRequest(login=name, password=password))
    return (("authorization", f"Bearer {answer.token}"),)


async def create_key(core: Core, person: Person) -> CreateApiKeyResponse:
    return await core.account.CreateApiKey(CreateApiKeyRequest(name="laptop"), metadata=person.metadata)


async def test_a_user_is_made_and_signs_in(core: Core):
    admin = await core.admin()
    made = await create(core, admin, " Alice@Example.com ", full_name="Alice")
    assert (made.email, made.username, made.full_name) == ("alice@example.com", "alice@example.com", "Alice")
    assert (made.role, made.disabled, made.must_change_password) == (USER, False, False)
    assert made.created_at == made.updated_at
    assert await get(core, admin, made.id) == made
    assert await enter(core, await login(core, "alice@example.com")) == made.id


async def test_a_user_is_made_as_is_asked_for(core: Core):
    admin = await core.admin()
    made = await create(core, admin, role=ADMIN, username=" Ally", must_change_password=True)
    assert (made.username, made.role, made.must_change_password) == ("ally", ADMIN, True)
    await core.administration.ListUsers(ListUsersRequest(), metadata=await login(core, "ally"))


async def test_an_address_and_a_name_are_given_once(core: Core):
    admin = await core.admin()
    await create(core, admin, "alice@example.com", username="ally")
    with refused("EMAIL_EXISTS", "email"):
        await create(core, admin, "ALICE@example.com")
    with refused("EMAIL_EXISTS", "email"):
        await create(core, admin, "alice@example.com", username="another")
    with refused("NAME_EXISTS", "username"):
        await create(core, admin, "bob@example.com", username="Ally")
    assert len((await page(core, admin)).users) == 2


async def test_of_many_who_want_one_address_one_gets_it(core: Core):
    admin = await core.admin()
    results = await asyncio.gather(*(create(core, admin) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, User) for result in results) == 1


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"email": ""}, "INVALID_ARGUMENT", "email"),
        ({"email": "nonsense"}, "INVALID_ARGUMENT", "email"),
        ({"password": ""}, "PASSWORD_TOO_SHORT", "password"),
        ({"password": "12345"}, "PASSWORD_TOO_SHORT", "password"),
        ({"password": "x" * 1025}, "INVALID_ARGUMENT", "password"),
        ({"role": 0}, "INVALID_ARGUMENT", "role"),
        ({"role": 77}, "INVALID_ARGUMENT", "role"),
        ({"username": "bob@example.com"}, "INVALID_ARGUMENT", "username"),
        ({"full_name": "x" * 201}, "INVALID_ARGUMENT", "full_name"),
        ({"full_name": "a\0"}, "INVALID_ARGUMENT", "full_name"),
    ],
)
async def test_what_can_not_be_kept_is_refused(core: Core, fields: dict[str, object], reason: str, field: str):
    admin = await core.admin()
    with refused(reason, field):
        await create(core, admin, **fields)  # type: ignore[arg-type] - `email` may be one of them
    assert len((await page(core, admin)).users) == 1


async def test_users_are_listed_in_pages_in_the_order_of_their_numbers(core: Core):
    admin = await core.admin()
    made = [await get(core, admin, admin.id)]
    made += [await create(core, admin, f"user{n}@example.com") for n in range(4)]
    found: list[User] = []
    token, pages = "", 0
    while pages == 0 or token:
        answer = await page(core, admin, 2, token)
        found += answer.users
        token, pages = answer.next_page_token, pages + 1
    assert (found, pages) == (made, 3)
    assert list((await page(core, admin)).users) == made


async def test_a_user_who_is_not_there_is_not_found(core: Core):
    admin = await core.admin()
    for user_id in (0, -1, 12345, 2**63 - 1):
        with refused("NOT_FOUND"):
            await get(core, admin, user_id)
        with refused("NOT_FOUND"):
            await update(core, admin, user_id, full_name="Nobody")
        with refused("NOT_FOUND"):
            await delete(core, admin, user_id)
        with refused("NOT_FOUND"):
            await core.administration.ListUserApiKeys(ListUserApiKeysRequest(user_id=user_id), metadata=admin.metadata)


async def test_a_user_is_changed(core: Core):
    admin, alice = await core.admin(), await core.user("alice")
    core.clock.advance(5)
    changed = await update(core, admin, alice.id, role=ADMIN, full_name="Alice", email="New@example.com")
    assert (changed.role, changed.full_name, changed.email, changed.username) == (
        ADMIN,
        "Alice",
        "new@example.com",
        "new@example.com",
    )
    assert changed.updated_at.seconds - changed.created_at.seconds == 5
    assert await get(core, admin, alice.id) == changed
    await page(core, alice)  # the new role counts at once


async def test_an_administrator_who_is_demoted_may_nothing_more_at_once(core: Core):
    admin, other = await core.admin(), await core.admin("other")
    await page(core, other)
    await update(core, admin, other.id, role=USER)
    with refused("FORBIDDEN"):
        await page(core, other)


@on_sqlite
async def test_what_is_already_as_it_shall_be_stays_so(core: Core):
    admin, alice = await core.admin(), await core.user("alice")
    before = await get(core, admin, alice.id)
    core.clock.advance(5)
    assert await update(core, admin, alice.id, "disabled", "role", role=USER) == before


@on_sqlite
@pytest.mark.parametrize(
    ("paths", "fields", "reason", "field"),
    [
        ((), {}, "NO_CHANGES", ""),
        ((), {"password": "12345"}, "PASSWORD_TOO_SHORT", "password"),
        (("password",), {}, "PASSWORD_TOO_SHORT", "password"),
        (("role",), {}, "INVALID_ARGUMENT", "role"),
        ((), {"role": 77}, "INVALID_ARGUMENT", "role"),
        ((), {"email": "nonsense"}, "INVALID_ARGUMENT", "email"),
        ((), {"full_name": "x" * 201}, "INVALID_ARGUMENT", "full_name"),
        (("id",), {}, "INVALID_ARGUMENT", "update_mask"),
        (("username",), {}, "INVALID_ARGUMENT", "update_mask"),
    ],
)
async def test_a_change_that_can_not_be_kept_is_refused(
    core: Core, paths: tuple[str, ...], fields: dict[str, object], reason: str, field: str
):
    admin, alice = await core.admin(), await core.user("alice")
    before = await get(core, admin, alice.id)
    with refused(reason, field):
        await update(core, admin, alice.id, *paths, **fields)
    assert await get(core, admin, alice.id) == before


async def test_an_address_that_another_has_can_not_be_given(core: Core):
    admin, alice = await core.admin(), await core.user("alice")
    with refused("EMAIL_EXISTS", "email"):
        await update(core, admin, alice.id, email="admin@example.com")


async def test_a_disabled_user_is_out_at_once(core: Core):
    admin, alice = await core.admin(), await core.user("alice")
    key: Metadata = (("x-api-key", (await create_key(core, alice)).value),)
    await enter(core, alice.metadata)
    await enter(core, key)
    assert (await update(core, admin, alice.id, disabled=True)).disabled
    for metadata in (alice.metadata, key):
        with refused("UNAUTHENTICATED"):
            await enter(core, metadata)
    with refused("INVALID_CREDENTIALS"):
        await login(core, "alice@example.com")
    # Enabled again, the API keys count again; the sessions are over.
    assert not (await update(core, admin, alice.id, "disabled")).disabled
    assert await enter(core, key) == alice.id
    with refused("UNAUTHENTICATED"):
        await enter(core, alice.metadata)
    await login(core, "alice@example.com")


async def test_a_disabled_or_deleted_user_is_refused_by_other_replicas(core_factory: CoreFactory):
    async with core_factory() as here, core_factory() as there:
        admin = await here.admin()
        alice, bob = await here.user("alice"), await here.user("bob")
        for person in (alice, bob):
            await enter(there, person.metadata)
        await update(here, admin, alice.id, disabled=True)
        await delete(here, admin, bob.id)
        await there.hear()
        for person in (alice, bob):
            with refused("UNAUTHENTICATED"):
                await enter(there, person.metadata)


async def test_a_password_given_by_an_administrator_is_to_be_changed(core: Core):
    admin, alice = await core.admin(), await core.user("alice")
    changed = await update(core, admin, alice.id, password="battery staple")
    assert changed.must_change_password
    with refused("UNAUTHENTICATED"):
        await enter(core, alice.metadata)
    with refused("INVALID_CREDENTIALS"):
        await login(core, "alice@example.com")
    await login(core, "alice@example.com", "battery staple")


async def test_an_administrators_own_new_password_ends_the_other_sessions(core: Core):
    admin = await core.admin()
    other = await login(core, admin.email)
    changed = await update(core, admin, admin.id, password="battery staple")
    assert not changed.must_change_password
    await enter(core, admin.metadata)
    with refused("UNAUTHENTICATED"):
        await enter(core, other)


async def test_a_deleted_user_is_gone_with_the_credentials(core: Core):
    admin, alice = await core.admin(), await core.user("alice")
    key: Metadata = (("x-api-key", (await create_key(core, alice)).value),)
    await enter(core, key)
    await delete(core, admin, alice.id)
    for metadata in (alice.metadata, key):
        with refused("UNAUTHENTICATED"):
            await enter(core, metadata)
    with refused("NOT_FOUND"):
        await get(core, admin, alice.id)
    again = await create(core, admin, "alice@example.com")
    assert again.id > alice.id


async def test_the_last_administrator_stays(core: Core):
    admin = await core.admin()
    await core.user("alice")
    disabled = await core.admin("disabled")
    await update(core, admin, disabled.id, disabled=True)
    with refused("LAST_ADMIN"):
        await update(core, admin, admin.id, role=USER)
    with refused("LAST_ADMIN"):
        await update(core, admin, admin.id, disabled=True)
    with refused("LAST_ADMIN"):
        await delete(core, admin, admin.id)
    await delete(core, admin, disabled.id)  # who can't sign in was none
    await update(core, admin, admin.id, full_name="The Last")
    second = await core.admin("second")
    await update(core, second, admin.id, role=USER)
    with refused("LAST_ADMIN"):
        await delete(core, second, second.id)


async def demote(core: Core, admin: Person) -> None:
    await update(core, admin, admin.id, role=USER)


async def disable(core: Core, admin: Person) -> None:
    await update(core, admin, admin.id, disabled=True)


async def delete_oneself(core: Core, admin: Person) -> None:
    await delete(core, admin, admin.id)


@pytest.mark.parametrize(
    "ways",
    [[demote] * 4, [disable] * 4, [delete_oneself] * 4, [demote, disable, delete_oneself, demote]],
    ids=["demoted", "disabled", "deleted", "mixed"],
)
async def test_of_administrators_who_all_go_at_once_one_stays(
    core: Core, ways: list[Callable[[Core, Person], Awaitable[None]]]
):
    # Each ends itself, so that nobody is kept from it by having been ended.
    admins = [await core.admin(f"admin{n}") for n in range(4)]
    going = (go(core, admin) for go, admin in zip(ways, admins, strict=True))
    results = await asyncio.gather(*going, return_exceptions=True)
    failures = [failure_of(error) for error in results if isinstance(error, AioRpcError)]
    assert [failure.reason for failure in failures] == ["LAST_ADMIN"]


async def test_an_administrator_sees_and_ends_a_users_keys(core: Core):
    admin, alice = await core.admin(), await core.user("alice")
    made = [await create_key(core, alice) for _ in range(3)]
    request = ListUserApiKeysRequest(user_id=alice.id, page_size=2)
    first = await core.administration.ListUserApiKeys(request, metadata=admin.metadata)
    request.page_token = first.next_page_token
    second = await core.administration.ListUserApiKeys(request, metadata=admin.metadata)
    assert [*first.api_keys, *second.api_keys] == [key.api_key for key in made]
    assert second.next_page_token == ""
    assert not any(key.value in str(first) for key in made)

    key: Metadata = (("x-api-key", made[0].value),)
    await enter(core, key)
    end = DeleteUserApiKeyRequest(user_id=alice.id, id=made[0].api_key.id)
    await core.administration.DeleteUserApiKey(end, metadata=admin.metadata)
    with refused("UNAUTHENTICATED"):
        await enter(core, key)
    with refused("NOT_FOUND"):
        await core.administration.DeleteUserApiKey(end, metadata=admin.metadata)


async def test_a_key_is_ended_only_as_its_owners(core: Core):
    admin, alice = await core.admin(), await core.user("alice")
    made = await create_key(core, alice)
    end = DeleteUserApiKeyRequest(user_id=admin.id, id=made.api_key.id)
    with refused("NOT_FOUND"):
        await core.administration.DeleteUserApiKey(end, metadata=admin.metadata)
    await enter(core, (("x-api-key", made.value),))
