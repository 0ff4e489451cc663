"""AccountService.IssueToken, and what ends the tokens."""

import grpc
import pytest

from core.access_tokens import AccessTokens
from core.auth import Secrets
from core.passwords import Argon2Hasher
from llmrouter.v1.account_pb2 import (
    GetAccountRequest,
    IssueTokenRequest,
    IssueTokenResponse,
    LoginRequest,
    LogoutRequest,
    UpdateAccountRequest,
)
from llmrouter.v1.admin_pb2 import DeleteUserRequest, UpdateUserRequest
from tests.support.core import PASSWORD, Core, CoreFactory, Metadata
from tests.support.database import FlakyDatabase, on_sqlite
from tests.support.failures import failure
from tests.support.refusals import refused


async def issue(core: Core, name: str, password: str = PASSWORD) -> IssueTokenResponse:
    return await core.account.IssueToken(IssueTokenRequest(login=name, password=password))


def bearer(issued: IssueTokenResponse) -> Metadata:
    return (("authorization", f"Bearer {issued.access_token}"),)


async def enter(core: Core, issued: IssueTokenResponse) -> int:
    """The number of the user whom a token stands for."""
    return (await core.account.GetAccount(GetAccountRequest(), metadata=bearer(issued))).user.id


async def test_a_token_stands_for_its_user_until_its_time_is_up(core: Core):
    user = await core.user("ann")
    issued = await issue(core, "ANN@example.com ")
    assert issued.user.id == user.id
    assert issued.lifetime_seconds == 3600
    assert issued.expires_at.seconds == int(core.clock.now().timestamp()) + 3600
    core.clock.advance(3599)
    assert await enter(core, issued) == user.id
    core.clock.advance(1)
    with refused("UNAUTHENTICATED"):
        await enter(core, issued)


async def test_a_token_does_what_its_user_may(core: Core):
    admin, user = await core.admin(), await core.user()
    request = UpdateUserRequest(id=user.id, full_name="Ann")
    await core.administration.UpdateUser(request, metadata=bearer(await issue(core, admin.email)))
    with refused("FORBIDDEN"):
        await core.administration.UpdateUser(request, metadata=bearer(await issue(core, user.email)))


async def test_a_disabled_users_token_is_refused_at_once_on_every_replica(core_factory: CoreFactory):
    async with core_factory() as core, core_factory() as other:
        admin, user = await core.admin(), await core.user()
        issued = await issue(core, user.email)
        assert await enter(core, issued) == await enter(other, issued) == user.id
        await core.administration.UpdateUser(
            UpdateUserRequest(id=user.id, update_mask={"paths": ["disabled"]}, disabled=True), metadata=admin.metadata
        )
        await other.hear()
        for each in (core, other):
            with refused("UNAUTHENTICATED"):
                await enter(each, issued)


async def test_a_new_password_ends_the_tokens_of_the_old(core: Core):
    user = await core.user()
    issued = await issue(core, user.email)
    assert await enter(core, issued) == user.id
    request = UpdateAccountRequest(current_password=PASSWORD, new_password="battery staple")
    await core.account.UpdateAccount(request, metadata=user.metadata)
    with refused("UNAUTHENTICATED"):
        await enter(core, issued)
    assert await enter(core, await issue(core, user.email, "battery staple")) == user.id


async def test_another_name_ends_no_token(core: Core):
    user = await core.user()
    issued = await issue(core, user.email)
    await core.account.UpdateAccount(UpdateAccountRequest(full_name="Ann"), metadata=user.metadata)
    assert await enter(core, issued) == user.id


@on_sqlite
async def test_a_removed_users_token_is_refused(core: Core):
    admin, user = await core.admin(), await core.user()
    issued = await issue(core, user.email)
    await core.administration.DeleteUser(DeleteUserRequest(id=user.id), metadata=admin.metadata)
    with refused("UNAUTHENTICATED"):
        await enter(core, issued)


@on_sqlite
async def test_a_token_is_remembered_and_survives_an_outage(core_factory: CoreFactory, flaky_database: FlakyDatabase):
    async with core_factory(database=flaky_database) as core:
        issued = await issue(core, (await core.user()).email)
        user_id = await enter(core, issued)
        flaky_database.down = True
        principal = core.deps.authenticator.remembered(Secrets(authorization=f"Bearer {issued.access_token}"))
        assert principal is not None
        assert (principal.user_id, principal.kind, principal.credential_id) == (user_id, "jwt", 0)


@on_sqlite
async def test_guesses_count_together_with_those_at_login(core: Core):
    await core.user("ann")
    for number in range(5):
        with refused("INVALID_CREDENTIALS"):
            if number % 2:
                await issue(core, "ann@example.com", "wrong password")
            else:
                await core.account.Login(LoginRequest(login="ann@example.com", password="wrong password"))
    failed = await failure(issue(core, "ann@example.com"))
    assert (failed.code, failed.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert (await failure(core.account.Login(LoginRequest(login="ann@example.com", password=PASSWORD)))).retry_after


@on_sqlite
@pytest.mark.parametrize("name", ["ann@example.com", "nobody@example.com"])
async def test_a_wrong_password_and_an_unknown_account_look_the_same(core: Core, name: str):
    await core.user("ann")
    failed = await failure(issue(core, name, "wrong password"))
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert failed.message == "invalid credentials"


@on_sqlite
async def test_a_hash_that_is_made_anew_at_the_sign_in_is_the_tokens(core_factory: CoreFactory):
    async with core_factory() as core:
        user = await core.user()
    async with core_factory(hasher=Argon2Hasher(time_cost=2, memory_kib=16, parallelism=1)) as core:
        assert await enter(core, await issue(core, user.email)) == user.id


@on_sqlite
async def test_a_token_is_no_session(core: Core):
    issued = await issue(core, (await core.user()).email)
    with refused("INVALID_ARGUMENT", says="only a session"):
        await core.account.Logout(LogoutRequest(), metadata=bearer(issued))


@on_sqlite
async def test_a_core_with_another_secret_key_knows_no_token(core: Core):
    user = await core.user()
    foreign = AccessTokens("another secret key").issue(user.id, "hash", core.clock.now(), 3600)
    with refused("UNAUTHENTICATED"):
        await enter(core, IssueTokenResponse(access_token=foreign))
