"""The limits of AdminService."""

from typing import Any

import pytest

from llmrouter.v1 import admin_pb2 as pb
from tests.support.core import Core, CoreFactory, Person
from tests.support.database import on_sqlite
from tests.support.refusals import refused


async def create(core: Core, by: Person, **fields: Any) -> pb.Limit:
    values: dict[str, Any] = {"scope": pb.LIMIT_SCOPE_DEPLOYMENT, "requests_per_minute": 10, **fields}
    return (await core.administration.CreateLimit(pb.CreateLimitRequest(**values), metadata=by.metadata)).limit


async def listed(core: Core, by: Person, **fields: Any) -> list[pb.Limit]:
    return list((await core.administration.ListLimits(pb.ListLimitsRequest(**fields), metadata=by.metadata)).limits)


async def test_a_limit_from_its_making_to_its_end(core: Core):
    admin = await core.admin()
    made = await create(core, admin, scope=pb.LIMIT_SCOPE_USER, scope_id=f" {admin.id}", tokens_per_day=5)
    assert (made.scope, made.scope_id, made.requests_per_minute, made.tokens_per_day, made.source) == (
        pb.LIMIT_SCOPE_USER,
        str(admin.id),
        10,
        5,
        "api",
    )
    core.clock.advance(5)
    update = pb.UpdateLimitRequest(id=made.id, concurrent_requests=3)
    changed = (await core.administration.UpdateLimit(update, metadata=admin.metadata)).limit
    assert (changed.requests_per_minute, changed.concurrent_requests) == (10, 3)
    assert changed.updated_at.seconds == made.updated_at.seconds + 5
    got = await core.administration.GetLimit(pb.GetLimitRequest(id=made.id), metadata=admin.metadata)
    assert got.limit == changed
    await core.administration.DeleteLimit(pb.DeleteLimitRequest(id=made.id), metadata=admin.metadata)
    assert await listed(core, admin) == []
    for gone in (
        core.administration.GetLimit(pb.GetLimitRequest(id=made.id), metadata=admin.metadata),
        core.administration.UpdateLimit(update, metadata=admin.metadata),
        core.administration.DeleteLimit(pb.DeleteLimitRequest(id=made.id), metadata=admin.metadata),
    ):
        with refused("NOT_FOUND"):
            await gone


async def test_limits_are_listed_by_pages_and_by_kind(core: Core):
    admin = await core.admin()
    await create(core, admin)
    for name in ("a", "b", "c"):
        await create(core, admin, scope=pb.LIMIT_SCOPE_MODEL, scope_id=name)
    first = await core.administration.ListLimits(
        pb.ListLimitsRequest(page_size=2, scope=pb.LIMIT_SCOPE_MODEL), metadata=admin.metadata
    )
    assert [limit.scope_id for limit in first.limits] == ["a", "b"]
    rest = await listed(core, admin, page_token=first.next_page_token, scope=pb.LIMIT_SCOPE_MODEL)
    assert [limit.scope_id for limit in rest] == ["c"]
    assert len(await listed(core, admin)) == 4


async def test_a_scope_has_one_limit(core: Core):
    admin = await core.admin()
    await create(core, admin)
    with refused("NAME_EXISTS", "scope_id"):
        await create(core, admin)


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scope": pb.LIMIT_SCOPE_UNSPECIFIED}, "scope"),
        ({"scope_id": "1"}, "scope_id"),
        ({"scope": pb.LIMIT_SCOPE_USER}, "scope_id"),
        ({"scope": pb.LIMIT_SCOPE_USER, "scope_id": "ann"}, "scope_id"),
        ({"scope": pb.LIMIT_SCOPE_USER, "scope_id": "99"}, "scope_id"),
        ({"scope": pb.LIMIT_SCOPE_CREDENTIAL, "scope_id": "99"}, "scope_id"),
        ({"scope": pb.LIMIT_SCOPE_MODEL, "scope_id": "m" * 301}, "scope_id"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"tokens_per_day": 10**12 + 1}, "tokens_per_day"),
    ],
)
async def test_a_limit_that_makes_no_sense_is_refused(core: Core, fields: dict[str, Any], field: str):
    admin = await core.admin()
    with refused("INVALID_ARGUMENT", field):
        await create(core, admin, **fields)


@on_sqlite
async def test_a_limit_that_limits_nothing_any_more_is_refused(core: Core):
    admin = await core.admin()
    made = await create(core, admin)
    update = pb.UpdateLimitRequest(id=made.id)
    with refused("NO_CHANGES"):
        await core.administration.UpdateLimit(update, metadata=admin.metadata)
    update.update_mask.paths.append("requests_per_minute")
    with refused("INVALID_ARGUMENT", "update_mask"):
        await core.administration.UpdateLimit(update, metadata=admin.metadata)


@on_sqlite
async def test_only_administrators_see_limits(core: Core):
    user = await core.user()
    with refused("FORBIDDEN"):
        await listed(core, user)
    with refused("FORBIDDEN"):
        await create(core, user)


async def test_other_processes_hear_of_a_limit(core: Core, core_factory: CoreFactory):
    admin = await core.admin()
    async with core_factory() as other:
        assert not other.deps.limits.any
        made = await create(core, admin)
        await other.hear()
        assert other.deps.limits.any
        await core.administration.DeleteLimit(pb.DeleteLimitRequest(id=made.id), metadata=admin.metadata)
        await other.hear()
        assert not other.deps.limits.any
