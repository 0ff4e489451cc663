"""Sums over usage, as documented."""

from core.store.usage import insert_records
from llmrouter.v1.admin_pb2 import DeleteUserRequest
from tests.support.database import on_sqlite
from tests.support.facade import Site
from tests.support.records import usage_record

pytestmark = on_sqlite

NOTHING = {"requests": 0, "avg_ms": 0.0, "tokens_in": 0, "tokens_out": 0, "messages": 0}


async def test_who_did_nothing_has_sums_of_nothing(site: Site):
    person = await site.core.user()
    user, admin = await site.client_of(person), await site.client_of(await site.core.admin())
    assert (await user.get("/api/stats/me")).json() == NOTHING
    response = await admin.get(f"/api/admin/stats/user/{person.id}")
    assert (response.status_code, response.json()) == (200, NOTHING)


async def test_the_accounts_of_a_deleted_user_stay_open_to_administrators(site: Site):
    core = site.core
    person, other = await core.user(), await core.user("other")
    async with core.deps.database.write() as connection:
        await insert_records(
            connection, core.deps.database, [usage_record("req_1", user_id=person.id, input_tokens=5, messages=2)]
        )
    administrator = await core.admin()
    await core.administration.DeleteUser(DeleteUserRequest(id=person.id), metadata=administrator.metadata)
    admin = await site.client_of(administrator)
    response = await admin.get(f"/api/admin/stats/user/{person.id}")
    assert (response.status_code, response.json()) == (
        200,
        {"requests": 1, "avg_ms": 1.0, "tokens_in": 5, "tokens_out": 0, "messages": 2},
    )
    for asked in (person.id, other.id):
        assert (await (await site.client_of(other)).get(f"/api/admin/stats/user/{asked}")).status_code == 403


async def test_a_user_who_does_not_exist_has_no_sums(site: Site):
    admin = await site.client_of(await site.core.admin())
    for number in ("999", "0", "x"):
        response = await admin.get(f"/api/admin/stats/user/{number}")
        assert (response.status_code, response.json()) == (404, {"error": "not found"})
