"""POST /api/auth/token, and what an access token opens, as documented."""

from typing import Any

import pytest

from tests.facade.surfaces.cost_control.conftest import Bearer
from tests.support.core import PASSWORD
from tests.support.database import on_sqlite
from tests.support.facade import Site

pytestmark = on_sqlite

FORM = {"username": "user@example.com", "password": PASSWORD}


def multipart(**fields: str) -> dict[str, Any]:
    """The fields as curl -F sends them."""
    return {"files": {name: (None, value) for name, value in fields.items()}}


@pytest.mark.parametrize(
    "body",
    [multipart(**FORM), {"data": FORM}, {"json": FORM}],
    ids=["multipart", "urlencoded", "JSON"],
)
async def test_a_password_is_worth_a_token(site: Site, body: dict[str, Any]):
    person = await site.core.user()
    response = await site.client.post("/api/auth/token", **body)
    assert response.status_code == 200
    answer = response.json()
    assert answer == {"access_token": answer["access_token"], "token_type": "bearer", "expires_in": 3600}
    assert "set-cookie" not in response.headers
    me = await site.client.get("/api/auth/me", headers={"Authorization": f"Bearer {answer['access_token']}"})
    assert me.json() == {
        "id": person.id,
        "email": "user@example.com",
        "role": "user",
        "disabled": False,
        "must_change_password": False,
        "full_name": "",
        "is_admin": False,
    }


async def test_json_without_a_media_type_of_its_own_will_do(site: Site):
    await site.core.user()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl -d says
    body = b'{"username": "user@example.com", "password": "correct horse"}'
    assert (await site.client.post("/api/auth/token", content=body, headers=headers)).status_code == 200


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"username": "nobody@example.com"}])
async def test_a_wrong_password_and_an_unknown_account_look_the_same(site: Site, wrong: dict[str, str]):
    await site.core.user()
    response = await site.client.post("/api/auth/token", data=FORM | wrong)
    assert (response.status_code, response.json()) == (401, {"detail": "invalid credentials"})


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"data": {"username": "x"}}, "password: is missing"),
        ({"data": {"username": "", "password": "x"}}, "login must be an e-mail address or a user name"),
        ({"json": {"username": 1, "password": "x"}}, "username: must be a string"),
        ({"json": []}, "the body must be a JSON object"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "the body is not a valid form"),
        (
            {"content": b"--a\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=a"}},
            "the body is not a valid form",
        ),
        ({"content": b"\xff=x", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, "not a valid form"),
        ({"content": b""}, "the body is not valid JSON"),
    ],
)
async def test_what_can_not_be_read_is_400(site: Site, body: dict[str, Any], detail: str):
    response = await site.client.post("/api/auth/token", **body)
    assert response.status_code == 400
    assert detail in response.json()["detail"]


async def test_a_form_has_a_bound(site: Site):
    response = await site.client.post("/api/auth/token", data={"username": "x" * 70_000, "password": "x"})
    assert response.status_code == 413


async def test_who_guesses_is_slowed_down_at_both_doors(site: Site):
    await site.core.user()
    for _ in range(5):
        assert (await site.client.post("/api/auth/token", data=FORM | {"password": "x"})).status_code == 401
    response = await site.client.post("/api/auth/token", data=FORM)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "15"
    login = {"email": FORM["username"], "password": PASSWORD}
    assert (await site.client.post("/api/auth/login", json=login)).status_code == 429


async def test_a_token_opens_what_is_documented_for_it_and_not_the_console(site: Site, bearer: Bearer):
    client = await bearer(await site.core.admin())
    assert (await client.get("/api/auth/me")).status_code == 200
    assert (await client.get("/api/admin/virtual-keys")).status_code == 200
    assert (await client.get("/v1/models")).status_code == 200
    for path in ("/api/account", "/api/users"):
        assert (await client.get(path)).status_code == 401


async def test_a_session_opens_the_same(site: Site):
    client = await site.client_of(await site.core.admin())
    assert (await client.get("/api/auth/me")).json()["is_admin"]
    assert (await client.get("/api/admin/virtual-keys")).status_code == 200


@pytest.mark.parametrize("kind", ["api_key", "virtual_key"])
async def test_a_key_for_programs_does_not(site: Site, kind: str):
    key, _ = await site.core.credential((await site.core.admin()).id, kind=kind)
    headers = {"Authorization": f"Bearer {key}"}
    says = "sign in: this takes a session or an access token, and no key"
    response = await site.client.get("/api/auth/me", headers=headers)
    assert (response.status_code, response.json()) == (401, {"error": "unauthorized", "detail": says})
    response = await site.client.get("/api/admin/virtual-keys", headers=headers)
    assert (response.status_code, response.json()) == (401, {"detail": says})


@pytest.mark.parametrize("token", ["unknown", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."])
async def test_a_token_that_does_not_count_is_401(site: Site, token: str):
    response = await site.client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, response.json()) == (401, {"error": "unauthorized", "detail": "unauthorized"})


async def test_no_credential_is_401_in_the_shape_of_the_path(site: Site):
    assert (await site.client.get("/api/auth/me")).json() == {"error": "unauthorized", "detail": "unauthorized"}
    assert (await site.client.get("/api/admin/virtual-keys")).json() == {"detail": "unauthorized"}
    response = await site.client.get("/api/metrics/nonsense")
    assert (response.status_code, response.json()) == (404, {"detail": response.json()["detail"]})
