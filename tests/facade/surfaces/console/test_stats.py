"""Sums over usage, as documented."""

from tests.support.database import on_sqlite
from tests.support.facade import Site

pytestmark = on_sqlite

NOTHING = {"requests": 0, "avg_ms": 0.0, "tokens_in": 0, "tokens_out": 0, "messages": 0}


async def test_who_did_nothing_has_sums_of_nothing(site: Site):
    person = await site.core.user()
    user, admin = await site.client_of(person), await site.client_of(await site.core.admin())
    assert (await user.get("/api/stats/me")).json() == NOTHING
    response = await admin.get(f"/api/admin/stats/user/{person.id}")
    assert (response.status_code, response.json()) == (200, NOTHING)


async def test_a_user_who_does_not_exist_has_no_sums(site: Site):
    admin = await site.client_of(await site.core.admin())
    for number in ("999", "0", "x"):
        response = await admin.get(f"/api/admin/stats/user/{number}")
        assert (response.status_code, response.json()) == (404, {"error": "not found"})
