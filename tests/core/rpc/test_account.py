"""AccountService: signing in and out, and the caller's own account."""

import asyncio
from datetime import timedelta

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from core.errors import DatabaseError, Unavailable
from core.passwords import Argon2Hasher
from core.store import users
from llmrouter.v1 import account_pb2
from llmrouter.v1.account_pb2 import (
    GetAccountRequest,
    LoginRequest,
    LoginResponse,
    LogoutRequest,
    UpdateAccountRequest,
    User,
)
from tests.support.core import PASSWORD, Core, CoreFactory, Metadata, Person, cheap_hasher
from tests.support.database import FlakyDatabase, on_sqlite
from tests.support.failures import Failure, failure
from tests.support.refusals import refused


async def login(core: Core, name: str, password: str = PASSWORD) -> LoginResponse:
    return await core.account.Login(LoginRequest(login=name, password=password))


async def login_from(core: Core, address: str, name: str, password: str = "wrong password") -> Failure:
    metadata = (*core.as_facade, ("x-llmrouter-client-address", address))
    return await failure(core.account.Login(LoginRequest(login=name, password=password), metadata=metadata))


async def account(core: Core, metadata: Metadata) -> User:
    return (await core.account.GetAccount(GetAccountRequest(), metadata=metadata)).user


async def update(core: Core, person: Person, *paths: str, **fields: str) -> User:
    request = UpdateAccountRequest(update_mask=FieldMask(paths=paths), **fields)
    return (await core.account.UpdateAccount(request, metadata=person.metadata)).user


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


async def change_user(core: Core, user_id: int, **values: object) -> None:
    """Changes a user behind the service's back."""
    async with core.deps.database.write() as connection:
        await users.change(connection, user_id, dict(values), core.clock.now())
    core.deps.authenticator.forget()


async def test_login_begins_a_session(core: Core):
    user = await core.user("alice")
    answer = await login(core, "alice@example.com")
    assert answer.token.startswith("ses_")
    assert len(answer.token) >= 4 + 43
    assert answer.user.id == user.id
    assert answer.user.role == account_pb2.USER_ROLE_USER
    expected = core.clock.now() + timedelta(seconds=core.deps.settings.session_ttl)
    assert answer.expires_at.ToMilliseconds() == int(expected.timestamp() * 1000)
    assert (await account(core, bearer(answer.token))) == answer.user
    assert (await login(core, "alice@example.com")).token != answer.token


async def test_login_takes_the_address_or_the_user_name_in_any_case(core: Core):
    user = await core.user("alice")
    await change_user(core, user.id, username="ally")
    for name in ("alice@example.com", " Alice@Example.com ", "ally", "ALLY"):
        assert (await login(core, name)).user.id == user.id


async def test_a_session_ends_by_itself(core: Core):
    await core.user("alice")
    token = (await login(core, "alice@example.com")).token
    core.clock.advance(core.deps.settings.session_ttl - 1)
    await account(core, bearer(token))
    core.clock.advance(1)
    with refused("UNAUTHENTICATED"):
        await account(core, bearer(token))


async def test_no_way_to_fail_is_told_from_another(core: Core):
    await core.user("alice")
    disabled = await core.user("bob")
    await change_user(core, disabled.id, disabled=True)
    failures = [
        await failure(login(core, name, password))
        for name, password in (
            ("alice@example.com", "wrong password"),
            ("nobody@example.com", PASSWORD),
            ("bob@example.com", PASSWORD),
        )
    ]
    assert failures[0] == failures[1] == failures[2]
    assert failures[0].code is grpc.StatusCode.UNAUTHENTICATED
    assert (failures[0].reason, failures[0].message) == ("INVALID_CREDENTIALS", "invalid credentials")


@on_sqlite
async def test_every_way_to_fail_is_the_same_work(core_factory: CoreFactory):
    verified: list[bool] = []

    class Counting(Argon2Hasher):
        async def verify(self, password_hash: str | None, password: str) -> bool:
            verified.append(password_hash is not None)
            return await super().verify(password_hash, password)

    async with core_factory(hasher=Counting(time_cost=1, memory_kib=8, parallelism=1)) as core:
        await core.user("alice")
        for name in ("alice@example.com", "nobody@example.com"):
            with refused("INVALID_CREDENTIALS"):
                await login(core, name, "wrong password")
    assert verified == [True, False]


@on_sqlite
@pytest.mark.parametrize(
    ("name", "password", "field"),
    [
        ("", PASSWORD, "login"),
        ("  ", PASSWORD, "login"),
        ("x" * 321, PASSWORD, "login"),
        ("a\0b", PASSWORD, "login"),
        ("alice@example.com", "", "password"),
        ("alice@example.com", "x" * 1025, "password"),
    ],
)
async def test_login_refuses_what_can_not_be_meant(core: Core, name: str, password: str, field: str):
    with refused("INVALID_ARGUMENT", field):
        await login(core, name, password)


@on_sqlite
async def test_guessing_at_an_account_gets_slow(core: Core):
    await core.user("alice")
    for _ in range(5):
        with refused("INVALID_CREDENTIALS"):
            await login(core, "alice@example.com", "wrong password")
    failed = await failure(login(core, "ALICE@example.com"))
    assert failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (failed.reason, failed.retry_after) == ("RATE_LIMITED", 15.0)
    core.clock.advance(15)
    await login(core, "alice@example.com")
    with refused("INVALID_CREDENTIALS"):  # the failures are forgotten
        await login(core, "alice@example.com", "wrong password")


@on_sqlite
async def test_guessing_at_an_account_that_does_not_exist_gets_slow_too(core: Core):
    for _ in range(5):
        with refused("INVALID_CREDENTIALS"):
            await login(core, "nobody@example.com")
    with refused("RATE_LIMITED"):
        await login(core, "nobody@example.com")


@on_sqlite
async def test_many_guesses_at_once_are_no_way_round(core: Core):
    await core.user("alice")
    guesses = [failure(login(core, "alice@example.com", f"wrong {n}")) for n in range(30)]
    reasons = [failed.reason for failed in await asyncio.gather(*guesses)]
    assert reasons.count("INVALID_CREDENTIALS") == 5
    assert reasons.count("RATE_LIMITED") == 25


@on_sqlite
async def test_guessing_from_an_address_gets_slow(core: Core):
    for n in range(20):
        assert (await login_from(core, "10.0.0.1", f"u{n}@example.com")).reason == "INVALID_CREDENTIALS"
    assert (await login_from(core, "10.0.0.1", "u@example.com")).reason == "RATE_LIMITED"
    assert (await login_from(core, "10.0.0.2", "u@example.com")).reason == "INVALID_CREDENTIALS"


@on_sqlite
async def test_an_address_counts_only_where_our_facade_tells_it(core: Core):
    for n in range(20):
        metadata = (("x-llmrouter-client-address", f"10.0.0.{n}"),)
        await failure(core.account.Login(LoginRequest(login=f"u{n}", password="wrong"), metadata=metadata))
    with refused("RATE_LIMITED"):
        await login(core, "u@example.com")


@on_sqlite
async def test_an_outage_is_no_failure_to_sign_in(core_factory: CoreFactory, flaky_database: FlakyDatabase):
    async with core_factory(database=flaky_database) as core:
        await core.user("alice")
        flaky_database.down = True
        for _ in range(10):
            failed = await failure(login(core, "alice@example.com"))
            assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_ERROR")
        flaky_database.down = False
        await login(core, "alice@example.com")


@on_sqlite
async def test_too_many_at_once_is_no_failure_to_sign_in(core_factory: CoreFactory):
    class Full(Argon2Hasher):
        full = False

        async def verify(self, password_hash: str | None, password: str) -> bool:
            if self.full:
                raise Unavailable("too many sign-ins at once", retry_after=1)
            return await super().verify(password_hash, password)

    hasher = Full(time_cost=1, memory_kib=8, parallelism=1)
    async with core_factory(hasher=hasher) as core:
        await core.user("alice")
        hasher.full = True
        for _ in range(10):
            failed = await failure(login(core, "alice@example.com"))
            assert (failed.reason, failed.retry_after) == ("UNAVAILABLE", 1)
        hasher.full = False
        await login(core, "alice@example.com")


async def test_login_keeps_a_hash_with_todays_parameters(core_factory: CoreFactory):
    stronger = Argon2Hasher(time_cost=2, memory_kib=16, parallelism=1)
    async with core_factory() as core:
        user = await core.user("alice")
    async with core_factory(hasher=stronger) as core:
        for _ in range(2):
            await login(core, "alice@example.com")
            async with core.deps.database.read() as connection:
                found = await users.with_password(connection, user.id)
            assert found is not None
            assert not stronger.outdated(found[1])


@on_sqlite
async def test_a_password_that_changes_while_it_is_checked_is_refused(core_factory: CoreFactory):
    changing: list[Core] = []

    class Slow(Argon2Hasher):
        async def verify(self, password_hash: str | None, password: str) -> bool:
            matches = await super().verify(password_hash, password)
            await change_user(changing[0], 1, password_hash="another")
            return matches

    async with core_factory(hasher=Slow(time_cost=1, memory_kib=8, parallelism=1)) as core:
        changing.append(core)
        await core.user("alice")
        with refused("INVALID_CREDENTIALS"):
            await login(core, "alice@example.com")


async def test_logout_ends_the_session_at_once(core: Core):
    user = await core.user("alice")
    other = (await login(core, "alice@example.com")).token
    await account(core, user.metadata)
    await core.account.Logout(LogoutRequest(), metadata=user.metadata)
    for call in (core.account.GetAccount(GetAccountRequest(), metadata=user.metadata),):
        with refused("UNAUTHENTICATED"):
            await call
    with refused("UNAUTHENTICATED"):
        await core.account.Logout(LogoutRequest(), metadata=user.metadata)
    await account(core, bearer(other))


@on_sqlite
async def test_an_api_key_can_not_be_logged_out(core: Core):
    user = await core.user()
    key, _ = await core.credential(user.id)
    with refused("INVALID_ARGUMENT", says="API key"):
        await core.account.Logout(LogoutRequest(), metadata=bearer(key))
    await account(core, bearer(key))


async def test_an_account_is_changed(core: Core):
    user = await core.user("alice")
    core.clock.advance(5)
    changed = await update(core, user, email=" New@Example.com", full_name=" Alice A. ")
    assert (changed.email, changed.username, changed.full_name) == (
        "new@example.com",
        "new@example.com",
        "Alice A.",
    )
    assert changed.updated_at.seconds - changed.created_at.seconds == 5
    assert await account(core, user.metadata) == changed
    assert (await login(core, "new@example.com")).user.id == user.id
    with refused("INVALID_CREDENTIALS"):
        await login(core, "alice@example.com")


async def test_a_user_name_of_ones_own_outlives_the_address(core: Core):
    user = await core.user("alice")
    assert (await update(core, user, username="Ally")).username == "ally"
    changed = await update(core, user, email="new@example.com")
    assert (changed.email, changed.username) == ("new@example.com", "ally")
    assert (await update(core, user, "username")).username == "new@example.com"


async def test_a_field_is_emptied_by_naming_it(core: Core):
    user = await core.user()
    await update(core, user, full_name="Alice")
    assert (await update(core, user, "full_name")).full_name == ""


async def test_only_what_the_mask_names_is_changed(core: Core):
    user = await core.user("alice")
    changed = await update(core, user, "full_name", full_name="Alice", email="new@example.com")
    assert (changed.full_name, changed.email) == ("Alice", "alice@example.com")


@on_sqlite
@pytest.mark.parametrize(
    "fields",
    [{}, {"email": "USER@example.com"}, {"current_password": PASSWORD}],
    ids=["nothing", "what it is already", "only the current password"],
)
async def test_an_update_that_changes_nothing_is_refused(core: Core, fields: dict[str, str]):
    user = await core.user("user")
    with refused("NO_CHANGES", says="no changes"):
        await update(core, user, **fields)


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "nonsense"}, "email"),
        ({"email": "x" * 400 + "@example.com"}, "email"),
        ({"username": "two words"}, "username"),
        ({"username": "bob@example.com"}, "username"),
        ({"full_name": "x" * 201}, "full_name"),
        ({"full_name": "a\0b"}, "full_name"),
        ({"new_password": "x" * 1025, "current_password": PASSWORD}, "new_password"),
    ],
)
async def test_what_can_not_be_kept_is_refused(core: Core, fields: dict[str, str], field: str):
    user = await core.user("user")
    with refused("INVALID_ARGUMENT", field):
        await update(core, user, **fields)


@on_sqlite
async def test_a_field_that_does_not_exist_can_not_be_changed(core: Core):
    user = await core.user()
    for path in ("role", "current_password", "id", "", "x" * 10_000):
        with refused("INVALID_ARGUMENT", "update_mask"):
            await update(core, user, path)


async def test_what_another_user_has_can_not_be_taken(core: Core):
    await core.user("alice")
    bob = await core.user("bob")
    with refused("EMAIL_EXISTS", "email"):
        await update(core, bob, email="ALICE@example.com")
    carol = await core.user("carol")
    await update(core, carol, username="carol")
    with refused("NAME_EXISTS", "username"):
        await update(core, bob, username="Carol")
    assert (await account(core, bob.metadata)).email == "bob@example.com"


async def test_a_new_password_counts_and_ends_the_other_sessions(core: Core):
    user = await core.user("alice")
    await change_user(core, user.id, must_change_password=True)
    other = (await login(core, "alice@example.com")).token
    key, _ = await core.credential(user.id)
    await account(core, bearer(other))
    changed = await update(core, user, current_password=PASSWORD, new_password="battery staple")
    assert not changed.must_change_password
    with refused("UNAUTHENTICATED"):
        await account(core, bearer(other))
    await account(core, user.metadata)
    await account(core, bearer(key))
    with refused("INVALID_CREDENTIALS"):
        await login(core, "alice@example.com")
    await login(core, "alice@example.com", "battery staple")


@on_sqlite
async def test_a_new_password_given_with_an_api_key_ends_every_session(core: Core):
    user = await core.user("alice")
    key, _ = await core.credential(user.id)
    request = UpdateAccountRequest(current_password=PASSWORD, new_password="battery staple")
    await core.account.UpdateAccount(request, metadata=bearer(key))
    with refused("UNAUTHENTICATED"):
        await account(core, user.metadata)


async def test_a_new_password_needs_the_current_one(core: Core):
    user = await core.user("alice")
    for current in ("", "wrong password", "x" * 5000):
        with refused("CURRENT_PASSWORD_INCORRECT", "current_password"):
            await update(core, user, current_password=current, new_password="battery staple", full_name="Alice")
    assert (await account(core, user.metadata)).full_name == ""
    await login(core, "alice@example.com")


async def test_a_new_password_has_six_characters(core: Core):
    user = await core.user("alice")
    for new in ("12345", ""):
        with refused("PASSWORD_TOO_SHORT", "new_password"):
            await update(core, user, "new_password", current_password=PASSWORD, new_password=new)
    await update(core, user, current_password=PASSWORD, new_password="123456")


@on_sqlite
async def test_a_stolen_session_can_not_guess_the_password(core: Core):
    user = await core.user("alice")
    for _ in range(5):
        with refused("CURRENT_PASSWORD_INCORRECT", "current_password"):
            await update(core, user, current_password="wrong password", new_password="battery staple")
    with refused("RATE_LIMITED"):
        await update(core, user, current_password=PASSWORD, new_password="battery staple")
    await login(core, "alice@example.com")  # its owner is not locked out


@on_sqlite
async def test_of_two_new_passwords_at_once_one_counts(core: Core):
    user = await core.user("alice")
    results = await asyncio.gather(
        *(update(core, user, current_password=PASSWORD, new_password=f"battery {n}") for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, User) for result in results) == 1


async def test_an_outage_is_told_as_such(core_factory: CoreFactory, flaky_database: FlakyDatabase):
    async with core_factory(database=flaky_database) as core:
        user = await core.user("alice")
        await account(core, user.metadata)
        flaky_database.down = True
        for call in (account(core, user.metadata), update(core, user, email="new@example.com")):
            failed = await failure(call)
            assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, DatabaseError.reason)


async def test_an_account_that_was_just_removed_is_nobodys(core: Core):
    user = await core.user("alice")
    await account(core, user.metadata)  # remembered
    async with core.deps.database.write() as connection:
        await users.remove(connection, user.id)
    for call in (account(core, user.metadata), update(core, user, email="new@example.com")):
        with refused("UNAUTHENTICATED"):
            await call


async def test_a_change_is_heard_by_other_replicas(core_factory: CoreFactory):
    async with core_factory() as here, core_factory() as there:
        user = await here.user("alice")
        token = (await login(here, "alice@example.com")).token
        await account(there, bearer(token))
        await account(there, user.metadata)
        await here.account.Logout(LogoutRequest(), metadata=bearer(token))
        await update(here, user, current_password=PASSWORD, new_password="battery staple")
        await there.hear()
        with refused("UNAUTHENTICATED"):
            await account(there, bearer(token))


def test_the_tests_hasher_is_the_real_one_made_cheap():
    assert isinstance(cheap_hasher(), Argon2Hasher)
