"""Who may call what: the same for every row of the table, and before anything else is looked at."""

import httpx
import pytest

from facade.operation import Operation
from facade.route import Access
from facade.surfaces.console.operations import OPERATIONS
from tests.support.database import on_sqlite
from tests.support.facade import Site

pytestmark = on_sqlite

CLOSED = [row for row in OPERATIONS if row.access is not Access.ANYONE]
ADMINS = [row for row in OPERATIONS if row.access is Access.ADMIN]


def name_of(row: Operation) -> str:
    return f"{row.method} {row.path}"


async def call(client: httpx.AsyncClient, row: Operation, number: str, content: bytes) -> httpx.Response:
    return await client.request(row.method, row.path.replace("{id}", number), content=content)


@pytest.mark.parametrize("row", CLOSED, ids=name_of)
async def test_nobody_gets_in_without_a_credential_whatever_is_sent(site: Site, row: Operation):
    for number, content in (("1", b""), ("nonsense", b"nonsense")):
        response = await call(site.client, row, number, content)
        assert (response.status_code, response.json()) == (401, {"error": "unauthorized"})
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("row", ADMINS, ids=name_of)
async def test_users_may_not_do_what_administrators_do_whatever_is_sent(site: Site, row: Operation):
    person = await site.core.user()
    user = await site.client_of(person)
    for number, content in ((str(person.id), b"{}"), ("nonsense", b"nonsense")):
        response = await call(user, row, number, content)
        assert (response.status_code, response.json()) == (403, {"error": "forbidden"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "session=unknown"},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"X-API-Key": "unknown"},
        {"X-API-Key": "ü"},
        {"Cookie": 'session="; session=x'},
    ],
)
async def test_credentials_that_do_not_count_are_401(site: Site, headers: dict[str, str]):
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    response = await site.client.get("/api/account", headers=raw)
    assert (response.status_code, response.json()) == (401, {"error": "unauthorized"})


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key", "X-Virtual-Key", "Cookie"])
async def test_a_session_counts_wherever_it_stands(site: Site, header: str):
    person = await site.core.user()
    value = {"Authorization": f"Bearer {person.token}", "Cookie": f"session={person.token}"}.get(header, person.token)
    response = await site.client.get("/api/auth/me", headers={header: value})
    assert response.json()["email"] == person.email


async def test_a_caller_can_not_pretend_to_be_the_facade(site: Site):
    person = await site.core.user()
    headers = {"X-LLMRouter-Session": person.token, "X-LLMRouter-Internal": site.core.internal_token}
    assert (await site.client.get("/api/auth/me", headers=headers)).status_code == 401
