"""Virtual keys over HTTP, as documented and with what was added."""

import re
from typing import Any

import httpx
import pytest

from tests.facade.surfaces.cost_control.conftest import Bearer
from tests.support.database import on_sqlite
from tests.support.facade import Site

pytestmark = on_sqlite

PATH = "/api/admin/virtual-keys"
DOCUMENTED = {
    "name": "Production API Key",
    "user_email": "user@example.com",
    "cost_centre": "Engineering",
    "environment": "prod",
    "agent_name": "HR Bot",
    "monthly_budget_cap": 1000.00,
    "max_tokens_per_request": 10000,
    "max_reasoning_tokens": 2000,
}


@pytest.fixture
async def admin(site: Site, bearer: Bearer) -> httpx.AsyncClient:
    return await bearer(await site.core.admin())


async def make(admin: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await admin.post(PATH, json={"name": "key"} | fields)
    assert response.status_code == 201, response.text
    return response.json()


async def test_the_documented_key_is_made_and_its_secret_shown_once(site: Site, admin: httpx.AsyncClient):
    await site.core.user()
    made = await make(admin, **DOCUMENTED)
    key = made.pop("key")
    assert re.fullmatch("vk_[0-9A-Za-z]{8}_[0-9A-Za-z]{24}", key)
    assert made == DOCUMENTED | {
        "id": made["id"],
        "key_prefix": key[:11],
        "project_name": None,
        "allow_unpriced": False,
        "is_active": True,
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
        "expires_at": None,
        "revoked_at": None,
    }
    one = await admin.get(f"{PATH}/{made['id']}")
    assert (one.status_code, one.json()) == (200, made)
    listed = await admin.get(PATH)
    assert (listed.status_code, listed.json()) == (200, [made])


async def test_a_key_calls_models_in_any_of_three_headers(site: Site, admin: httpx.AsyncClient):
    key = (await make(admin))["key"]
    for headers in ({"X-Virtual-Key": key}, {"X-API-Key": key}, {"Authorization": f"Bearer {key}"}):
        for path in ("/v1/models", "/api/v1/models"):
            assert (await site.client.get(path, headers=headers)).status_code == 200


@pytest.mark.parametrize("cap", [0, 0.1, 12.5, 1000.00, 0.000000001, 999_999_999.123456])
async def test_a_cap_is_kept_to_the_billionth(admin: httpx.AsyncClient, cap: float):
    assert (await make(admin, monthly_budget_cap=cap))["monthly_budget_cap"] == cap


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"user_email": "nobody@example.com"}, "user_email"),
        ({"monthly_budget_cap": "1"}, "monthly_budget_cap"),
        ({"monthly_budget_cap": -1}, "monthly_budget_cap"),
        ({"monthly_budget_cap": True}, "monthly_budget_cap"),
        ({"monthly_budget_cap": 1e300}, "monthly_budget_cap"),
        ({"max_tokens_per_request": 0}, "max_tokens_per_request"),
        ({"max_tokens_per_request": 1.5}, "max_tokens_per_request"),
        ({"max_reasoning_tokens": -5}, "max_reasoning_tokens"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"allow_unpriced": "yes"}, "allow_unpriced"),
    ],
)
async def test_a_bad_field_is_400_and_named(admin: httpx.AsyncClient, fields: dict[str, Any], name: str):
    response = await admin.post(PATH, json={"name": "key"} | fields)
    assert response.status_code == 400
    assert response.json()["detail"].startswith(name)


async def test_a_change_names_what_it_changes_and_null_takes_away(admin: httpx.AsyncClient):
    made = await make(admin, agent_name="agent", monthly_budget_cap=5, max_tokens_per_request=7, allow_unpriced=True)
    made.pop("key")
    response = await admin.patch(f"{PATH}/{made['id']}", json={"monthly_budget_cap": 2.5, "name": "other"})
    assert response.status_code == 200
    assert response.json() == made | {"monthly_budget_cap": 2.5, "name": "other"}
    nulls = dict.fromkeys(("monthly_budget_cap", "max_tokens_per_request", "agent_name", "is_active", "allow_unpriced"))
    changed = (await admin.patch(f"{PATH}/{made['id']}", json=nulls)).json()
    nothing = {"monthly_budget_cap": None, "max_tokens_per_request": None, "agent_name": None}
    assert changed == made | {"name": "other"} | nothing
    assert (await admin.patch(f"{PATH}/{made['id']}", json={})).status_code == 400
    assert (await admin.patch(f"{PATH}/{made['id']}", json={"name": None})).status_code == 400


async def test_a_key_can_be_put_out_of_use_and_back(site: Site, admin: httpx.AsyncClient):
    made = await make(admin)
    for active, status in ((False, 401), (True, 200)):
        assert (await admin.patch(f"{PATH}/{made['id']}", json={"is_active": active})).json()["is_active"] is active
        assert (await site.client.get("/v1/models", headers={"X-Virtual-Key": made["key"]})).status_code == status


async def test_a_revoked_key_is_over_and_still_listed(site: Site, admin: httpx.AsyncClient):
    made = await make(admin)
    assert (await site.client.get("/v1/models", headers={"X-Virtual-Key": made["key"]})).status_code == 200
    response = await admin.delete(f"{PATH}/{made['id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await site.client.get("/v1/models", headers={"X-Virtual-Key": made["key"]})).status_code == 401
    (listed,) = (await admin.get(PATH)).json()
    assert (listed["id"], listed["is_active"], listed["revoked_at"]) == (made["id"], False, "2026-01-02T03:04:05Z")
    response = await admin.patch(f"{PATH}/{made['id']}", json={"is_active": True})
    assert (response.status_code, "revoked" in response.json()["detail"]) == (400, True)


async def test_users_see_their_own_and_make_none(site: Site, admin: httpx.AsyncClient, bearer: Bearer):
    user = await bearer(await site.core.user())
    theirs, others = await make(admin, user_email="user@example.com"), await make(admin)
    assert [key["id"] for key in (await user.get(PATH)).json()] == [theirs["id"]]
    assert (await user.get(f"{PATH}/{theirs['id']}")).status_code == 200
    response = await user.get(f"{PATH}/{others['id']}")
    assert (response.status_code, response.json()) == (404, {"detail": "not found"})
    for method, path in (("POST", PATH), ("PATCH", f"{PATH}/{theirs['id']}"), ("DELETE", f"{PATH}/{theirs['id']}")):
        response = await user.request(method, path, json={"name": "mine"})
        assert (response.status_code, response.json()) == (403, {"detail": "forbidden"})


async def test_what_is_not_there_is_404(admin: httpx.AsyncClient):
    for number in ("999", "x"):
        for method in ("GET", "PATCH", "DELETE"):
            response = await admin.request(method, f"{PATH}/{number}", json={"name": "x"})
            assert (response.status_code, response.json()) == (404, {"detail": "not found"})


async def test_a_foreign_page_can_not_make_a_key_with_the_cookie(site: Site):
    admin = await site.client_of(await site.core.admin())
    response = await admin.post(PATH, json={"name": "x"}, headers={"Origin": "https://evil.example"})
    assert response.status_code == 403
    assert set(response.json()) == {"detail"}
