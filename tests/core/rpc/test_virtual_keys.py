"""The virtual keys of AdminService."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core.auth import Principal, Secrets
from core.errors import Unauthenticated
from core.rpc.times import to_timestamp
from core.store.tables import budgets, credentials
from llmrouter.v1.account_pb2 import CreateApiKeyRequest, GetAccountRequest, IssueTokenRequest
from llmrouter.v1.admin_pb2 import (
    CreateVirtualKeyRequest,
    CreateVirtualKeyResponse,
    DeleteVirtualKeyRequest,
    GetVirtualKeyRequest,
    ListUsersRequest,
    ListVirtualKeysRequest,
    UpdateUserRequest,
    UpdateVirtualKeyRequest,
    VirtualKey,
)
from llmrouter.v1.router_pb2 import ListModelsRequest
from tests.support.core import PASSWORD, Core, CoreFactory, Metadata, Person
from tests.support.database import on_sqlite
from tests.support.refusals import refused

DOLLAR = 10**9


async def create(core: Core, by: Person, **fields: Any) -> CreateVirtualKeyResponse:
    values: dict[str, Any] = {"name": "HR bot", **fields}
    request = CreateVirtualKeyRequest(**values)
    return await core.administration.CreateVirtualKey(request, metadata=by.metadata)


async def get(core: Core, by: Person, key_id: int) -> VirtualKey:
    request = GetVirtualKeyRequest(id=key_id)
    return (await core.administration.GetVirtualKey(request, metadata=by.metadata)).virtual_key


async def update(core: Core, by: Person, key_id: int, *mask: str, **fields: Any) -> VirtualKey:
    request = UpdateVirtualKeyRequest(id=key_id, **fields)
    request.update_mask.paths.extend(mask)
    return (await core.administration.UpdateVirtualKey(request, metadata=by.metadata)).virtual_key


async def revoke(core: Core, by: Person, key_id: int) -> None:
    await core.administration.DeleteVirtualKey(DeleteVirtualKeyRequest(id=key_id), metadata=by.metadata)


async def enter(core: Core, value: str) -> None:
    """Calls with a key."""
    await core.router.ListModels(ListModelsRequest(), metadata=(("x-virtual-key", value),))


async def principal(core: Core, value: str) -> Principal:
    """Whom the core takes a key's holder for."""
    return await core.deps.authenticator.authenticate(Secrets(virtual_key=value))


async def test_a_key_has_its_form_and_keeps_what_it_was_given(core: Core):
    admin, user = await core.admin(), await core.user("ann")
    made = await create(
        core,
        admin,
        name=" HR bot ",
        user_email="Ann@Example.com",
        cost_centre="Engineering",
        environment="prod",
        agent_name="hr",
        monthly_cap_nanousd=1000 * DOLLAR,
        max_output_tokens=10_000,
        max_reasoning_tokens=2000,
        allow_unpriced=True,
    )
    assert re.fullmatch(r"vk_[0-9A-Za-z]{8}_[0-9A-Za-z]{24}", made.value)
    now = to_timestamp(core.clock.now())
    assert made.virtual_key == VirtualKey(
        id=made.virtual_key.id,
        user_id=user.id,
        user_email="ann@example.com",
        name="HR bot",
        prefix=made.value[:11],
        cost_centre="Engineering",
        environment="prod",
        agent_name="hr",
        project="hr",
        monthly_cap_nanousd=1000 * DOLLAR,
        max_output_tokens=10_000,
        max_reasoning_tokens=2000,
        allow_unpriced=True,
        is_active=True,
        created_at=now,
        updated_at=now,
    )
    assert await get(core, admin, made.virtual_key.id) == made.virtual_key


async def test_a_key_without_a_name_for_its_user_is_the_callers(core: Core):
    admin = await core.admin()
    key = (await create(core, admin)).virtual_key
    assert (key.user_id, key.user_email) == (admin.id, admin.email)
    assert not key.HasField("monthly_cap_nanousd")


async def test_a_key_works_in_each_header_and_its_holder_is_known(core: Core):
    admin, user = await core.admin(), await core.user()
    made = await create(core, admin, user_email=user.email, agent_name="hr", max_output_tokens=5, allow_unpriced=True)
    headers: list[Metadata] = [
        (("x-virtual-key", made.value),),
        (("x-api-key", made.value),),
        (("authorization", f"Bearer {made.value}"),),
    ]
    for metadata in headers:
        await core.router.ListModels(ListModelsRequest(), metadata=metadata)
    assert await principal(core, made.value) == Principal(
        user.id,
        "user",
        made.virtual_key.id,
        "virtual_key",
        frozenset({"read", "write"}),
        None,
        project="hr",
        max_output_tokens=5,
        allow_unpriced=True,
    )


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "project"),
    [
        ({}, "HR bot"),
        ({"agent_name": "agent"}, "agent"),
        ({"agent_name": "agent", "project_name": "project"}, "project"),
    ],
)
async def test_a_project_is_what_it_was_named_else_the_agent_else_the_key(
    core: Core, fields: dict[str, str], project: str
):
    made = await create(core, await core.admin(), **fields)
    assert made.virtual_key.project == project
    assert (await principal(core, made.value)).project == project


async def test_a_keys_value_is_kept_nowhere(core: Core):
    made = await create(core, await core.admin())
    async with core.deps.database.read() as connection:
        rows = [tuple(row) for row in await connection.execute(sa.select(credentials))]
    assert made.value not in str(rows)
    assert made.value.rpartition("_")[2] not in str(rows)


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"user_email": "nobody@example.com"}, "user_email"),
        ({"user_email": "x" * 321}, "user_email"),
        ({"cost_centre": "x" * 201}, "cost_centre"),
        ({"environment": "\0"}, "environment"),
        ({"agent_name": "x" * 201}, "agent_name"),
        ({"project_name": "x" * 201}, "project_name"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
        ({"max_reasoning_tokens": 10**9 + 1}, "max_reasoning_tokens"),
        ({"monthly_cap_nanousd": -1}, "monthly_cap_nanousd"),
        ({"monthly_cap_nanousd": 10**18 + 1}, "monthly_cap_nanousd"),
    ],
)
async def test_what_can_not_be_meant_is_refused(core: Core, fields: dict[str, Any], field: str):
    with refused("INVALID_ARGUMENT", field):
        await create(core, await core.admin(), **fields)


async def test_users_see_their_own_and_make_change_and_revoke_none(core: Core):
    admin, ann, bob = await core.admin(), await core.user("ann"), await core.user("bob")
    anns = (await create(core, admin, user_email=ann.email)).virtual_key
    bobs = (await create(core, admin, user_email=bob.email)).virtual_key

    async def seen(by: Person) -> list[int]:
        listed = await core.administration.ListVirtualKeys(ListVirtualKeysRequest(), metadata=by.metadata)
        return [key.id for key in listed.virtual_keys]

    assert await seen(ann) == [anns.id]
    assert await seen(admin) == [anns.id, bobs.id]
    assert await get(core, ann, anns.id) == anns
    with refused("NOT_FOUND"):
        await get(core, ann, bobs.id)
    for attempt in (create(core, ann), update(core, ann, anns.id, name="x"), revoke(core, ann, anns.id)):
        with refused("FORBIDDEN"):
            await attempt


@on_sqlite
async def test_a_list_has_pages(core: Core):
    admin = await core.admin()
    made = [(await create(core, admin, name=f"key {n}")).virtual_key.id for n in range(5)]
    seen: list[int] = []
    token = ""
    for _ in range(3):
        request = ListVirtualKeysRequest(page_size=2, page_token=token)
        page = await core.administration.ListVirtualKeys(request, metadata=admin.metadata)
        seen += [key.id for key in page.virtual_keys]
        token = page.next_page_token
    assert (seen, token) == (made, "")


async def test_a_change_counts_at_once_here_and_soon_on_other_replicas(core_factory: CoreFactory):
    async with core_factory() as core, core_factory() as other:
        admin = await core.admin()
        made = await create(core, admin, max_output_tokens=5)
        assert (await principal(core, made.value)).max_output_tokens == 5
        assert (await principal(other, made.value)).max_output_tokens == 5
        core.clock.advance(1)
        changed = await update(core, admin, made.virtual_key.id, max_output_tokens=7, project_name="new")
        assert (changed.max_output_tokens, changed.project, changed.name) == (7, "new", "HR bot")
        assert changed.updated_at == to_timestamp(core.clock.now())
        await other.hear()
        for each in (core, other):
            assert (await principal(each, made.value)).max_output_tokens == 7
            assert (await principal(each, made.value)).project == "new"


async def test_a_cap_is_a_hard_budget_of_the_month(core: Core):
    admin = await core.admin()
    key = (await create(core, admin, monthly_cap_nanousd=0)).virtual_key
    assert key.HasField("monthly_cap_nanousd")

    async def stored() -> list[tuple[Any, ...]]:
        columns = budgets.c
        query = sa.select(columns.scope_kind, columns.scope_id, columns.period, columns.limit_nanousd, columns.hard)
        async with core.deps.database.read() as connection:
            return [tuple(row) for row in await connection.execute(query)]

    assert await stored() == [("credential", str(key.id), "month", 0, True)]
    assert (await update(core, admin, key.id, monthly_cap_nanousd=5)).monthly_cap_nanousd == 5
    assert (await update(core, admin, key.id, name="other")).monthly_cap_nanousd == 5
    assert await stored() == [("credential", str(key.id), "month", 5, True)]
    without = await update(core, admin, key.id, "monthly_cap_nanousd")
    assert not without.HasField("monthly_cap_nanousd")
    assert await stored() == []


@on_sqlite
async def test_what_is_named_and_not_set_is_taken_away(core: Core):
    admin = await core.admin()
    end = to_timestamp(core.clock.now() + timedelta(days=1))
    key = (await create(core, admin, environment="prod", max_reasoning_tokens=5, expires_at=end)).virtual_key
    assert key.expires_at == end
    changed = await update(core, admin, key.id, "environment", "max_reasoning_tokens", "expires_at")
    assert (changed.environment, changed.max_reasoning_tokens) == ("", 0)
    assert not changed.HasField("expires_at")
    with refused("NO_CHANGES"):
        await update(core, admin, key.id)
    with refused("INVALID_ARGUMENT", "update_mask"):
        await update(core, admin, key.id, "user_id")


async def test_a_revoked_key_is_over_at_once_everywhere_and_for_good(core_factory: CoreFactory):
    async with core_factory() as core, core_factory() as other:
        admin = await core.admin()
        made = await create(core, admin)
        key_id = made.virtual_key.id
        for each in (core, other):
            await enter(each, made.value)
        await revoke(core, admin, key_id)
        await other.hear()
        for each in (core, other):
            with refused("UNAUTHENTICATED"):
                await enter(each, made.value)
        kept = await get(core, admin, key_id)
        assert not kept.is_active
        assert kept.revoked_at == to_timestamp(core.clock.now())
        core.clock.advance(1)
        await revoke(core, admin, key_id)
        assert (await get(core, admin, key_id)).revoked_at == kept.revoked_at
        with refused("INVALID_ARGUMENT", "is_active"):
            await update(core, admin, key_id, is_active=True)


async def test_a_key_can_be_put_out_of_use_for_a_time(core: Core):
    admin = await core.admin()
    made = await create(core, admin)
    await enter(core, made.value)
    assert not (await update(core, admin, made.virtual_key.id, "is_active")).is_active
    with refused("UNAUTHENTICATED"):
        await enter(core, made.value)
    assert (await update(core, admin, made.virtual_key.id, is_active=True)).is_active
    await enter(core, made.value)


@on_sqlite
async def test_a_key_ends_by_itself(core: Core):
    admin = await core.admin()
    end = core.clock.now() + timedelta(hours=1)
    made = await create(core, admin, expires_at=to_timestamp(end))
    await enter(core, made.value)
    core.clock.advance(3600)
    with refused("UNAUTHENTICATED"):
        await enter(core, made.value)
    assert not (await get(core, admin, made.virtual_key.id)).is_active
    with refused("INVALID_ARGUMENT", "expires_at"):
        await create(core, admin, expires_at=to_timestamp(end))


async def test_a_disabled_users_keys_are_refused(core: Core):
    admin, user = await core.admin(), await core.user()
    made = await create(core, admin, user_email=user.email)
    await enter(core, made.value)
    await core.administration.UpdateUser(UpdateUserRequest(id=user.id, disabled=True), metadata=admin.metadata)
    with refused("UNAUTHENTICATED"):
        await enter(core, made.value)


async def test_an_administrators_key_administers_nothing_and_makes_no_other_key(core: Core):
    admin = await core.admin()
    made = await create(core, admin)
    metadata: Metadata = (("x-virtual-key", made.value),)
    assert (await core.account.GetAccount(GetAccountRequest(), metadata=metadata)).user.id == admin.id
    with refused("FORBIDDEN", says="a virtual key calls models"):
        await core.administration.ListUsers(ListUsersRequest(), metadata=metadata)
    with refused("FORBIDDEN"):
        await core.account.CreateApiKey(CreateApiKeyRequest(name="x"), metadata=metadata)
    with refused("FORBIDDEN"):
        await core.administration.CreateVirtualKey(CreateVirtualKeyRequest(name="x"), metadata=metadata)


@on_sqlite
async def test_the_number_of_another_credential_is_no_virtual_key(core: Core):
    admin = await core.admin()
    _, key_id = await core.credential(admin.id)
    for attempt in (get(core, admin, key_id), update(core, admin, key_id, name="x"), revoke(core, admin, key_id)):
        with refused("NOT_FOUND"):
            await attempt


async def test_who_uses_a_key_may_say_so_with_an_access_token(core: Core):
    admin, owner, user = await core.admin(), await core.user("owner"), await core.user("ann")
    made = await create(core, admin, user_email=owner.email, max_output_tokens=5)
    issued = await core.account.IssueToken(IssueTokenRequest(login=user.email, password=PASSWORD))
    together = Secrets(virtual_key=made.value, authorization=f"Bearer {issued.access_token}")
    authenticator = core.deps.authenticator
    found = await authenticator.authenticate(together)
    assert (found.user_id, found.credential_id, found.kind) == (user.id, made.virtual_key.id, "virtual_key")
    assert (found.max_output_tokens, found.role) == (5, "user")
    assert authenticator.remembered(together) == found
    # Neither is remembered as the other.
    assert (await principal(core, made.value)).user_id == owner.id
    await update(core, admin, made.virtual_key.id, "is_active")
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(together)


@on_sqlite
@pytest.mark.parametrize("bearer", ["unused", "a.b.c", "an API key", ""])
async def test_what_is_no_access_token_beside_a_key_changes_nothing(core: Core, bearer: str):
    admin, owner = await core.admin(), await core.user("owner")
    if bearer == "an API key":
        bearer, _ = await core.credential(admin.id)
    made = await create(core, admin, user_email=owner.email)
    secrets = Secrets(virtual_key=made.value, authorization=f"Bearer {bearer}")
    assert (await core.deps.authenticator.authenticate(secrets)).user_id == owner.id
