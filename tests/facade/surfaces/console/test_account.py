"""Signing in and out, and one's own account, as documented."""

from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest

from core.errors import DatabaseError
from core.rpc import errors
from tests.support.core import PASSWORD
from tests.support.database import on_sqlite
from tests.support.facade import Site, SiteFactory
from tests.support.stub_core import stub_core

pytestmark = on_sqlite

LOGIN = {"email": "user@example.com", "password": PASSWORD}


def cookie_of(response: httpx.Response) -> "Morsel[str]":
    return SimpleCookie(response.headers["set-cookie"])["session"]


async def test_login_sets_the_session_cookie(site: Site):
    await site.core.user()
    response = await site.client.post("/api/auth/login", json=LOGIN)
    assert (response.status_code, response.json()) == (200, {"ok": True})
    cookie = cookie_of(response)
    assert cookie["httponly"]
    assert not cookie["secure"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    assert cookie["max-age"] == str(int(site.core.deps.settings.session_ttl))
    assert (await site.client.get("/api/auth/me")).json()["email"] == "user@example.com"


async def test_the_cookie_is_secure_where_the_service_is(site_factory: SiteFactory):
    async with site_factory(public_url="https://router.example") as site:
        await site.core.user()
        assert cookie_of(await site.client.post("/api/auth/login", json=LOGIN))["secure"]


@pytest.mark.parametrize(
    "wrong", [{"password": "another password"}, {"email": "nobody@example.com"}, {"email": "x", "password": "x"}]
)
async def test_login_with_wrong_data_tells_nothing(site: Site, wrong: dict[str, str]):
    await site.core.user()
    response = await site.client.post("/api/auth/login", json=LOGIN | wrong)
    assert (response.status_code, response.json()) == (401, {"error": "invalid credentials"})
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"{}", b'{"email": "a"}', b'{"email": 1, "password": "x"}'])
async def test_login_with_a_bad_payload_is_400(site: Site, body: bytes):
    response = await site.client.post("/api/auth/login", content=body)
    assert (response.status_code, response.json()) == (400, {"error": "invalid payload"})
    assert response.headers["x-llmrouter-error-detail"]


async def test_who_guesses_passwords_is_told_when_to_come_back(site: Site):
    await site.core.user()
    for _ in range(5):
        await site.client.post("/api/auth/login", json=LOGIN | {"password": "wrong"})
    response = await site.client.post("/api/auth/login", json=LOGIN)
    assert (response.status_code, response.json()) == (429, {"error": "too many requests"})
    assert int(response.headers["retry-after"]) > 0


async def test_guesses_are_counted_for_the_client_behind_a_trusted_proxy(site_factory: SiteFactory):
    async with site_factory(trusted_proxies=("127.0.0.1",)) as site:
        for guess in range(20):
            body = {"email": f"user{guess}@example.com", "password": "wrong"}
            await site.client.post("/api/auth/login", json=body, headers={"X-Forwarded-For": "1.2.3.4"})
        await site.core.user()
        response = await site.client.post("/api/auth/login", json=LOGIN, headers={"X-Forwarded-For": "1.2.3.4"})
        assert response.status_code == 429
        response = await site.client.post("/api/auth/login", json=LOGIN, headers={"X-Forwarded-For": "1.2.3.5"})
        assert response.status_code == 200


async def test_logout_ends_the_session_and_clears_the_cookie(site: Site):
    person = await site.core.user()
    user = await site.client_of(person)
    response = await user.post("/api/auth/logout")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    cookie = cookie_of(response)
    assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/")
    assert (await user.get("/api/auth/me")).status_code == 401


@pytest.mark.parametrize("path", ["/api/auth/me", "/api/account"])
async def test_an_account_is_the_union_of_what_the_documents_show(site: Site, path: str):
    person = await site.core.admin()
    response = await (await site.client_of(person)).get(path)
    assert (response.status_code, response.json()) == (
        200,
        {
            "id": person.id,
            "email": "admin@example.com",
            "role": "admin",
            "disabled": False,
            "must_change_password": False,
            "full_name": "",
            "is_admin": True,
        },
    )


async def test_an_account_can_be_changed(site: Site):
    user = await site.client_of(await site.core.user())
    response = await user.put("/api/account", json={"email": "New@Example.com", "full_name": "Nü Name"})
    assert response.status_code == 200
    assert (response.json()["email"], response.json()["full_name"]) == ("new@example.com", "Nü Name")
    assert (await user.get("/api/account")).json() == response.json()


async def test_a_password_can_be_changed_with_the_current_one(site: Site):
    user = await site.client_of(await site.core.user())
    response = await user.put("/api/account", json={"current_password": PASSWORD, "new_password": "another one"})
    assert response.status_code == 200
    assert "password" not in "".join(response.json()).replace("must_change_password", "")
    response = await site.client.post("/api/auth/login", json=LOGIN | {"password": "another one"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"current_password": "wrong", "new_password": "another one"}, "current_password_incorrect"),
        ({"new_password": "another one"}, "current_password_incorrect"),
        ({"current_password": PASSWORD, "new_password": "short"}, "new_password_too_short"),
        ({"current_password": PASSWORD, "new_password": ""}, "new_password_too_short"),
        ({}, "no_changes"),
        ({"email": "user@example.com"}, "no_changes"),
        ({"current_password": PASSWORD}, "no_changes"),
        ({"nothing": "known"}, "no_changes"),
        ({"email": "not an address"}, "invalid payload"),
        ({"email": ""}, "invalid payload"),
        ({"email": 1}, "invalid payload"),
        ([], "invalid payload"),
    ],
)
async def test_a_bad_change_of_the_account_is_400_and_says_which(site: Site, body: Any, error: str):
    user = await site.client_of(await site.core.user())
    response = await user.put("/api/account", json=body)
    assert (response.status_code, response.json()) == (400, {"error": error})


async def test_an_address_that_another_user_has_is_409(site: Site):
    await site.core.user("other")
    user = await site.client_of(await site.core.user())
    response = await user.put("/api/account", json={"email": "other@example.com"})
    assert (response.status_code, response.json()) == (409, {"error": "email exists"})


async def test_a_database_that_does_not_answer_is_500_db_error(site_factory: SiteFactory):
    async def fail(_: Any, context: Any) -> None:
        await errors.abort(context, DatabaseError())

    methods = {"AccountService.UpdateAccount": fail, "AccountService.GetAccount": fail}
    async with stub_core(methods) as target, site_factory(core_targets=(target,)) as site:
        response = await site.client.put("/api/account", json={"email": "new@example.com"})
        assert (response.status_code, response.json()) == (500, {"error": "db_error"})
        response = await site.client.get("/api/account")
        assert (response.status_code, response.json()) == (503, {"error": "db error"})
