"""Users, for administrators, as documented."""

from typing import Any

import httpx
import pytest

from core.errors import DatabaseError
from core.rpc import errors
from tests.support.database import on_sqlite
from tests.support.facade import Site, SiteFactory
from tests.support.stub_core import stub_core

pytestmark = on_sqlite

NEW = {"email": "new@example.com", "password": "secret1", "role": "user"}


@pytest.fixture
async def admin(site: Site) -> httpx.AsyncClient:
    return await site.client_of(await site.core.admin())


async def test_a_user_is_made_and_listed_without_the_password(admin: httpx.AsyncClient):
    response = await admin.post("/api/users", json=NEW)
    assert response.status_code == 201
    made = response.json()
    assert made == {
        "id": made["id"],
        "email": "new@example.com",
        "username": "new@example.com",
        "role": "user",
        "is_admin": False,
        "disabled": False,
        "must_change_password": False,
        "full_name": "",
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
    }
    assert [user["email"] for user in (await admin.get("/api/users")).json()] == ["admin@example.com", NEW["email"]]


async def test_a_list_is_complete_however_long(site: Site, admin: httpx.AsyncClient):
    now = site.core.deps.clock.now()
    from core.store.tables import users as table

    names = [f"user{number:04}@example.com" for number in range(1100)]
    rows = [{"email": n, "username": n, "full_name": "", "password_hash": "", "role": "user"} for n in names]
    times = {"disabled": False, "must_change_password": False, "created_at": now, "updated_at": now}
    async with site.core.deps.database.write() as connection:
        await connection.execute(table.insert(), [row | times for row in rows])
    listed = [user["email"] for user in (await admin.get("/api/users")).json()]
    assert listed == ["admin@example.com", *names]


@pytest.mark.parametrize(
    "change",
    [
        {"email": "not an address"},
        {"email": None},
        {"password": "short"},
        {"password": 123456},
        {"role": "owner"},
        {"role": ""},
        {"role": None},
        {"full_name": 1},
        {"must_change_password": "yes"},
    ],
)
async def test_a_bad_new_user_is_400(admin: httpx.AsyncClient, change: dict[str, Any]):
    response = await admin.post("/api/users", json=NEW | change)
    assert (response.status_code, response.json()) == (400, {"error": "invalid payload"})


async def test_what_is_wrong_with_a_payload_is_in_a_header(admin: httpx.AsyncClient):
    response = await admin.post("/api/users", json=NEW | {"password": "short"})
    assert response.headers["x-llmrouter-error-detail"] == "password: the password must have 6 characters or more"


async def test_an_address_can_be_used_once(admin: httpx.AsyncClient):
    await admin.post("/api/users", json=NEW)
    response = await admin.post("/api/users", json=NEW | {"email": "NEW@example.com"})
    assert (response.status_code, response.json()) == (409, {"error": "email exists"})


async def test_a_user_can_be_changed(site: Site, admin: httpx.AsyncClient):
    person = await site.core.user()
    response = await admin.put(f"/api/users/{person.id}", json={"role": "admin", "password": "another one"})
    assert (response.status_code, response.json()["role"], response.json()["is_admin"]) == (200, "admin", True)
    login = {"email": person.email, "password": "another one"}
    assert (await site.client.post("/api/auth/login", json=login)).status_code == 200


async def test_a_disabled_user_is_out_at_once_until_enabled_again(site: Site, admin: httpx.AsyncClient):
    person = await site.core.user()
    key, _ = await site.core.credential(person.id)
    with_key = {"Authorization": f"Bearer {key}"}
    assert (await site.client.get("/api/v1/models", headers=with_key)).status_code == 200
    response = await admin.put(f"/api/users/{person.id}", json={"disabled": True})
    assert response.json()["disabled"] is True
    assert (await site.client.get("/api/v1/models", headers=with_key)).status_code == 401
    assert (await (await site.client_of(person)).get("/api/auth/me")).status_code == 401
    response = await admin.put(f"/api/users/{person.id}", json={"disabled": False})
    assert response.json()["disabled"] is False
    assert (await site.client.get("/api/v1/models", headers=with_key)).status_code == 200


async def test_a_key_for_programs_does_not_open_the_console(site: Site, admin: httpx.AsyncClient):
    person = await site.core.admin("second")
    key, _ = await site.core.credential(person.id)
    for path in ("/api/account", "/api/users", "/api/keys"):
        response = await site.client.get(path, headers={"Authorization": f"Bearer {key}"})
        assert (response.status_code, response.json()) == (401, {"error": "unauthorized"}), path
        assert "sign in" in response.headers["x-llmrouter-error-detail"]


@pytest.mark.parametrize(
    "body", [{}, {"nothing": 1}, {"role": "owner"}, {"disabled": "yes"}, {"password": "short"}, {"role": None}, []]
)
async def test_a_bad_change_of_a_user_is_400(site: Site, admin: httpx.AsyncClient, body: Any):
    person = await site.core.user()
    response = await admin.put(f"/api/users/{person.id}", json=body)
    assert (response.status_code, response.json()) == (400, {"error": "invalid payload"})


@pytest.mark.parametrize("number", ["999", "0", "-1", "x", str(2**63)])
async def test_a_user_who_does_not_exist_is_404(admin: httpx.AsyncClient, number: str):
    for response in (
        await admin.put(f"/api/users/{number}", json={"disabled": True}),
        await admin.delete(f"/api/users/{number}"),
    ):
        assert (response.status_code, response.json()) == (404, {"error": "not found"})


async def test_a_user_can_be_removed(site: Site, admin: httpx.AsyncClient):
    person = await site.core.user()
    response = await admin.delete(f"/api/users/{person.id}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await (await site.client_of(person)).get("/api/auth/me")).status_code == 401
    assert (await admin.delete(f"/api/users/{person.id}")).status_code == 404


async def test_the_last_administrator_stays(admin: httpx.AsyncClient):
    number = (await admin.get("/api/auth/me")).json()["id"]
    for response in (
        await admin.delete(f"/api/users/{number}"),
        await admin.put(f"/api/users/{number}", json={"disabled": True}),
        await admin.put(f"/api/users/{number}", json={"role": "user"}),
    ):
        assert (response.status_code, response.json()) == (409, {"error": "last admin"})


async def test_a_database_that_does_not_answer_is_500_db_error(site_factory: SiteFactory):
    async def fail(_: Any, context: Any) -> None:
        await errors.abort(context, DatabaseError())

    async with (
        stub_core({"AdminService.UpdateUser": fail}) as target,
        site_factory(core_targets=(target,)) as site,
    ):
        response = await site.client.put("/api/users/1", json={"disabled": True})
        assert (response.status_code, response.json()) == (500, {"error": "db error"})
