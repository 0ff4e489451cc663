"""Providers and their models, as documented."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.routing.catalog import Catalog
from core.routing.health import Health
from core.store.database import Database
from tests.support.clock import FakeClock
from tests.support.core import Core, CoreFactory
from tests.support.database import on_sqlite
from tests.support.facade import Site
from tests.support.upstreams import Shelf

pytestmark = on_sqlite

NEW = {"name": "main", "type": "openai", "enabled": True}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def core(core_factory: CoreFactory, database: Database, shelf: Shelf) -> AsyncIterator[Core]:
    clock = FakeClock()
    catalog = Catalog(database, clock, Health(clock), shelf.make)
    async with core_factory(clock=clock, catalog=catalog) as core:
        yield core


@pytest.fixture
async def admin(site: Site) -> httpx.AsyncClient:
    return await site.client_of(await site.core.admin())


async def test_a_provider_is_made_with_its_models(admin: httpx.AsyncClient, shelf: Shelf):
    shelf.models["main"] = ["gpt-a", "gpt-b"]
    response = await admin.post("/api/providers", json=NEW | {"api_key": "sk-secret-of-the-provider"})
    assert response.status_code == 201
    made = response.json()
    assert made == {
        "id": made["id"],
        "name": "main",
        "type": "openai",
        "base_url": "https://api.openai.com/v1",
        "enabled": True,
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
        "models": [],
        "runtime_models": ["gpt-a", "gpt-b"],
        "models_error": "",
        "models_refreshed_at": "2026-01-02T03:04:05Z",
        "has_api_key": True,
        "source": "api",
    }
    assert (await admin.get("/api/providers")).json() == [made]
    assert (await admin.get(f"/api/providers/{made['id']}")).json() == made


async def test_a_provider_that_can_not_be_reached_is_made_all_the_same(admin: httpx.AsyncClient):
    response = await admin.post("/api/providers", json=NEW)
    assert (response.status_code, response.json()["runtime_models"]) == (201, [])
    assert response.json()["models_error"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": None},
        {"name": 1},
        {"type": "nothing known"},
        {"type": None},
        {"base_url": "not an address"},
        {"base_url": 1},
        {"api_key": []},
        {"enabled": "yes"},
    ],
)
async def test_a_bad_new_provider_is_400(admin: httpx.AsyncClient, change: dict[str, Any]):
    response = await admin.post("/api/providers", json=NEW | change)
    assert (response.status_code, response.json()) == (400, {"error": "invalid payload"})


async def test_a_name_can_be_used_once(admin: httpx.AsyncClient):
    await admin.post("/api/providers", json=NEW)
    other = (await admin.post("/api/providers", json=NEW | {"name": "other"})).json()
    for response in (
        await admin.post("/api/providers", json=NEW),
        await admin.put(f"/api/providers/{other['id']}", json={"name": "main"}),
    ):
        assert (response.status_code, response.json()) == (409, {"error": "name exists"})


async def test_every_user_sees_the_providers_and_their_models(site: Site, admin: httpx.AsyncClient, shelf: Shelf):
    shelf.models["main"] = ["gpt-a"]
    made = (await admin.post("/api/providers", json=NEW)).json()
    user = await site.client_of(await site.core.user())
    assert (await user.get("/api/providers")).json() == [made]
    assert (await user.get("/api/models")).json() == [
        {"provider_id": made["id"], "provider_name": "main", "name": "gpt-a"}
    ]


async def test_disabling_a_provider_takes_its_models_away(admin: httpx.AsyncClient, shelf: Shelf):
    shelf.models["main"] = ["gpt-a"]
    made = (await admin.post("/api/providers", json=NEW)).json()
    response = await admin.put(f"/api/providers/{made['id']}", json={"enabled": False})
    assert (response.status_code, response.json()["enabled"], response.json()["runtime_models"]) == (200, False, [])
    assert (await admin.get("/api/models")).json() == []
    response = await admin.put(f"/api/providers/{made['id']}", json={"enabled": True})
    assert response.json()["runtime_models"] == ["gpt-a"]


async def test_an_empty_key_leaves_the_old_one(admin: httpx.AsyncClient):
    made = (await admin.post("/api/providers", json=NEW | {"api_key": "sk-secret-of-the-provider"})).json()
    response = await admin.put(f"/api/providers/{made['id']}", json={"api_key": "", "name": "renamed"})
    assert (response.json()["has_api_key"], response.json()["name"]) == (True, "renamed")


@pytest.mark.parametrize("body", [{}, {"nothing": 1}, {"name": ""}, {"enabled": 1}, {"base_url": "ftp://x"}, []])
async def test_a_bad_change_of_a_provider_is_400(admin: httpx.AsyncClient, body: Any):
    made = (await admin.post("/api/providers", json=NEW)).json()
    response = await admin.put(f"/api/providers/{made['id']}", json=body)
    assert (response.status_code, response.json()) == (400, {"error": "invalid payload"})


async def test_models_are_pulled_anew_on_request(admin: httpx.AsyncClient, shelf: Shelf):
    made = (await admin.post("/api/providers", json=NEW)).json()
    response = await admin.post(f"/api/providers/{made['id']}/refresh_models")
    assert (response.status_code, response.json()) == (502, {"error": "refresh_failed"})
    shelf.models["main"] = ["gpt-a"]
    response = await admin.post(f"/api/providers/{made['id']}/refresh_models")
    assert (response.status_code, response.json()["runtime_models"]) == (200, ["gpt-a"])


async def test_a_provider_can_be_removed(admin: httpx.AsyncClient, shelf: Shelf):
    shelf.models["main"] = ["gpt-a"]
    made = (await admin.post("/api/providers", json=NEW)).json()
    response = await admin.delete(f"/api/providers/{made['id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await admin.get("/api/models")).json() == []
    assert (await admin.get("/api/providers")).json() == []


@pytest.mark.parametrize("number", ["999", "0", "x"])
async def test_a_provider_that_does_not_exist_is_404(admin: httpx.AsyncClient, number: str):
    path = f"/api/providers/{number}"
    for response in (
        await admin.get(path),
        await admin.put(path, json={"enabled": True}),
        await admin.delete(path),
        await admin.post(f"{path}/refresh_models"),
    ):
        assert (response.status_code, response.json()) == (404, {"error": "not found"})


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1"])
async def test_models_are_listed_for_openai_clients(admin: httpx.AsyncClient, shelf: Shelf, prefix: str):
    shelf.models["main"] = ["org/gpt-a"]
    await admin.post("/api/providers", json=NEW)
    model = {"id": "org/gpt-a", "object": "model", "created": 0, "owned_by": "main"}
    assert (await admin.get(f"{prefix}/models")).json() == {"object": "list", "data": [model]}
    for path in ("org/gpt-a", "org%2Fgpt-a"):
        assert (await admin.get(f"{prefix}/models/{path}")).json() == model
    named = await admin.get(f"{prefix}/models/main/org/gpt-a")
    assert named.json() == model | {"id": "main/org/gpt-a"}


async def test_an_unknown_model_is_404_in_each_surfaces_shape(admin: httpx.AsyncClient):
    response = await admin.get("/v1/models/nothing")
    assert (response.status_code, response.json()) == (
        404,
        {
            "error": {
                "message": "the model 'nothing' does not exist",
                "type": "invalid_request_error",
                "param": "model",
                "code": "model_not_found",
            }
        },
    )
    response = await admin.get("/api/v1/models/nothing")
    assert (response.status_code, response.json()) == (404, {"error": "not found"})


async def test_models_need_a_credential_in_each_surfaces_shape(site: Site):
    response = await site.client.get("/api/v1/models")
    assert (response.status_code, response.json()) == (401, {"error": "unauthorized"})
    response = await site.client.get("/v1/models")
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert response.json()["error"]["code"] == "invalid_api_key"
