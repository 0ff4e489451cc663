"""The authenticator: who is let in, what is remembered, and for how long."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from core.auth import ALL_SCOPES, Authenticator, Principal, Secrets, hash_secret
from core.errors import DatabaseError, Forbidden, Unauthenticated
from core.store import credentials, users
from core.store.database import Database
from tests.support.clock import FakeClock
from tests.support.database import FlakyDatabase


@dataclass
class Desk:
    """An authenticator and its surroundings."""

    database: FlakyDatabase
    clock: FakeClock
    authenticator: Authenticator
    user_id: int
    credential_id: int

    async def enter(self, secret: str = "sk_known") -> Principal:
        return await self.authenticator.authenticate(Secrets(api_key=secret))

    async def change(self, **values: object) -> None:
        async with self.database.write() as connection:
            await users.change(connection, self.user_id, dict(values), self.clock.now())


async def add_credential(
    database: Database, clock: FakeClock, user_id: int, secret: str, ttl: float | None = None
) -> int:
    now = clock.now()
    async with database.write() as connection:
        made = await credentials.add(
            connection,
            kind="api_key",
            secret_hash=hash_secret(secret),
            prefix=secret[:4],
            user_id=user_id,
            scopes=ALL_SCOPES,
            now=now,
            expires_at=None if ttl is None else now + timedelta(seconds=ttl),
        )
    return made.id


@pytest.fixture
async def desk(flaky_database: FlakyDatabase) -> Desk:
    clock = FakeClock()
    async with flaky_database.write() as connection:
        user = await users.add(connection, email="a@b", username="a@b", password_hash="x", role="user", now=clock.now())
    credential_id = await add_credential(flaky_database, clock, user.id, "sk_known")
    return Desk(flaky_database, clock, Authenticator(flaky_database, clock), user.id, credential_id)


async def test_a_known_secret_has_a_principal(desk: Desk):
    principal = await desk.enter()
    assert principal == Principal(
        desk.user_id, "user", desk.credential_id, "api_key", frozenset({"read", "write"}), None
    )
    assert not principal.is_admin


@pytest.mark.parametrize(
    "secrets",
    [
        Secrets(),
        Secrets(api_key="sk_unknown"),
        Secrets(api_key="x" * 513),
        Secrets(authorization="Basic sk_known"),
        Secrets(authorization="Bearer"),
        Secrets(authorization="sk_known"),
    ],
    ids=["nothing", "unknown", "too long", "another scheme", "no value", "no scheme"],
)
async def test_anything_else_has_none(desk: Desk, secrets: Secrets):
    with pytest.raises(Unauthenticated):
        await desk.authenticator.authenticate(secrets)


@pytest.mark.parametrize(
    "secrets",
    [
        Secrets(api_key="sk_known"),
        Secrets(virtual_key="sk_known"),
        Secrets(session="sk_known"),
        Secrets(authorization="Bearer sk_known"),
        Secrets(authorization="bearer  sk_known "),
        Secrets(virtual_key="sk_known", api_key="sk_other", authorization="Bearer other", session="other"),
        Secrets(api_key="sk_known", authorization="Bearer other", session="other"),
        Secrets(authorization="Bearer sk_known", session="other"),
    ],
)
async def test_any_header_will_do_and_the_most_specific_counts(desk: Desk, secrets: Secrets):
    assert (await desk.authenticator.authenticate(secrets)).user_id == desk.user_id


def test_secrets_are_not_in_a_repr():
    secrets = Secrets(authorization="Bearer sk_1", api_key="sk_2", virtual_key="vk_3", session="ses_4")
    assert not any(secret in repr(secrets) for secret in ("sk_1", "sk_2", "vk_3", "ses_4"))


async def test_a_known_principal_needs_no_database(desk: Desk):
    assert desk.authenticator.remembered(Secrets(api_key="sk_known")) is None
    principal = await desk.enter()
    desk.database.down = True
    assert await desk.enter() == principal
    assert desk.authenticator.remembered(Secrets(api_key="sk_known")) == principal


async def test_an_outage_is_no_refusal(desk: Desk):
    desk.database.down = True
    with pytest.raises(DatabaseError):
        await desk.enter()
    desk.database.down = False
    assert (await desk.enter()).user_id == desk.user_id


async def test_a_disabled_user_is_refused_once_forgotten(desk: Desk):
    await desk.enter()
    await desk.change(disabled=True)
    desk.authenticator.forget_user(desk.user_id)
    with pytest.raises(Unauthenticated):
        await desk.enter()


async def test_a_new_role_counts_once_forgotten(desk: Desk):
    await desk.enter()
    await desk.change(role="admin")
    assert not (await desk.enter()).is_admin
    desk.authenticator.forget_user(desk.user_id)
    assert (await desk.enter()).is_admin


async def test_forgetting_others_forgets_nobody_else(desk: Desk):
    await desk.enter()
    desk.database.down = True
    desk.authenticator.forget_user(desk.user_id + 1)
    desk.authenticator.forget_credential(desk.credential_id + 1)
    assert (await desk.enter()).user_id == desk.user_id


async def test_a_removed_credential_is_refused_once_forgotten(desk: Desk):
    await desk.enter()
    async with desk.database.write() as connection:
        assert await credentials.remove(connection, desk.credential_id, desk.user_id, "api_key")
    desk.authenticator.forget_credential(desk.credential_id)
    with pytest.raises(Unauthenticated):
        await desk.enter()


async def test_a_credential_ends_on_time_remembered_or_not(desk: Desk):
    await add_credential(desk.database, desk.clock, desk.user_id, "sk_short", ttl=60)
    desk.clock.advance(59)
    await desk.enter("sk_short")
    desk.clock.advance(1)
    with pytest.raises(Unauthenticated):
        await desk.enter("sk_short")
    assert desk.authenticator.remembered(Secrets(api_key="sk_short")) is None
    desk.authenticator.forget()
    with pytest.raises(Unauthenticated):
        await desk.enter("sk_short")


async def test_an_unknown_secret_is_not_asked_for_again_at_once(desk: Desk):
    with pytest.raises(Unauthenticated):
        await desk.enter("sk_new")
    desk.database.down = True
    with pytest.raises(Unauthenticated):
        await desk.enter("sk_new")
    desk.database.down = False
    await add_credential(desk.database, desk.clock, desk.user_id, "sk_new")
    desk.clock.advance(2.1)
    assert (await desk.enter("sk_new")).user_id == desk.user_id


async def test_a_new_credential_counts_at_once_when_it_is_made_known(desk: Desk):
    with pytest.raises(Unauthenticated):
        await desk.enter("sk_new")
    made = await add_credential(desk.database, desk.clock, desk.user_id, "sk_new")
    desk.authenticator.forget_credential(made)
    assert (await desk.enter("sk_new")).credential_id == made


async def test_what_changed_while_it_was_read_is_not_remembered(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    read = credentials.holder

    async def read_then_hear_of_a_change(*args: object) -> credentials.Holder | None:
        found = await read(*args)  # type: ignore[arg-type] - passed on as they came
        desk.authenticator.forget_user(desk.user_id)
        return found

    monkeypatch.setattr(credentials, "holder", read_then_hear_of_a_change)
    await desk.enter()
    assert desk.authenticator.remembered(Secrets(api_key="sk_known")) is None


async def test_a_principal_has_only_its_scopes(desk: Desk):
    principal = Principal(1, "admin", 1, "token", frozenset({"read"}), None)
    principal.require("read")
    with pytest.raises(Forbidden, match="'write'"):
        principal.require("write")


async def test_a_user_who_is_enabled_again_is_let_in_at_once(desk: Desk):
    await desk.change(disabled=True)
    with pytest.raises(Unauthenticated):
        await desk.enter()
    await desk.change(disabled=False)
    desk.authenticator.forget_user(desk.user_id)
    assert (await desk.enter()).user_id == desk.user_id
