"""API keys, as documented."""

import re
from typing import Any

import pytest

from tests.support.database import on_sqlite
from tests.support.facade import Site

pytestmark = on_sqlite


async def test_a_keys_value_is_shown_once_and_works(site: Site):
    person = await site.core.user()
    user = await site.client_of(person)
    response = await user.post("/api/keys", json={"name": "my key"})
    assert response.status_code == 201
    made = response.json()
    assert set(made) == {"id", "name", "value"}
    assert re.fullmatch("sk_[0-9A-Za-z]{8}_[0-9A-Za-z]{24}", made["value"])
    listed = (await user.get("/api/keys")).json()
    assert listed == [
        {
            "id": made["id"],
            "created_at": "2026-01-02T03:04:05Z",
            "updated_at": "2026-01-02T03:04:05Z",
            "user_id": person.id,
            "name": "my key",
            "prefix": made["value"][:11],
        }
    ]
    response = await site.client.get("/api/v1/models", headers={"Authorization": f"Bearer {made['value']}"})
    assert response.status_code == 200


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 1}, {"name": "x" * 201}, {"name": "a\nb"}, [], None])
async def test_a_bad_name_is_400(site: Site, body: Any):
    user = await site.client_of(await site.core.user())
    response = await user.post("/api/keys", json=body)
    assert (response.status_code, response.json()) == (400, {"error": "invalid payload"})


async def test_a_key_is_over_once_it_is_deleted(site: Site):
    user = await site.client_of(await site.core.user())
    made = (await user.post("/api/keys", json={"name": "key"})).json()
    response = await user.delete(f"/api/keys/{made['id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await site.client.get("/api/auth/me", headers={"X-API-Key": made["value"]})).status_code == 401
    assert (await user.delete(f"/api/keys/{made['id']}")).status_code == 404


async def test_other_peoples_keys_do_not_exist(site: Site):
    user = await site.client_of(await site.core.user())
    made = (await user.post("/api/keys", json={"name": "key"})).json()
    other = await site.client_of(await site.core.user("other"))
    assert (await other.get("/api/keys")).json() == []
    response = await other.delete(f"/api/keys/{made['id']}")
    assert (response.status_code, response.json()) == (404, {"error": "not found"})
    assert len((await user.get("/api/keys")).json()) == 1


async def test_administrators_see_a_users_keys_without_their_values(site: Site):
    person = await site.core.user()
    user, admin = await site.client_of(person), await site.client_of(await site.core.admin())
    made = (await user.post("/api/keys", json={"name": "key"})).json()
    response = await admin.get(f"/api/admin/users/{person.id}/keys")
    assert (response.status_code, response.json()) == (200, (await user.get("/api/keys")).json())
    assert made["value"] not in response.text
    assert (await admin.get("/api/admin/users/999/keys")).status_code == 404
