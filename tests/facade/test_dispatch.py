"""The way of every request: methods, paths, request ids, pages of other sites."""

import re

import pytest

from tests.support.database import on_sqlite
from tests.support.facade import Site, SiteFactory

pytestmark = on_sqlite

EVIL = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
UNKNOWN = [
    ("/nothing", {"error": "not found"}),
    ("/api", {"error": "not found"}),
    ("/api/nothing", {"error": "not found"}),
    ("/api/users/", {"error": "not found"}),
    ("/api/v1/nothing", {"error": "not found"}),
    ("/v10/models", {"error": "not found"}),
    (
        "/v1/nothing",
        {
            "error": {
                "message": "there is nothing at this path",
                "type": "invalid_request_error",
                "param": None,
                "code": "not_found",
            }
        },
    ),
]


@pytest.mark.parametrize(("path", "body"), UNKNOWN)
async def test_an_unknown_path_is_404_in_its_surfaces_shape(site: Site, path: str, body: object):
    response = await site.client.get(path)
    assert (response.status_code, response.json()) == (404, body)
    assert response.headers["content-type"] == "application/json"


async def test_a_wrong_method_is_405_with_the_right_ones(site: Site):
    response = await site.client.patch("/api/users/1")
    assert (response.status_code, response.json()) == (405, {"error": "method not allowed"})
    assert response.headers["allow"] == "DELETE, OPTIONS, PUT"
    response = await site.client.delete("/v1/models")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert response.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
async def test_unusual_methods_are_405(site: Site, method: str):
    response = await site.client.request(method, "/health")
    assert response.status_code == 405


async def test_head_answers_like_get_without_a_body(site: Site):
    got = await site.client.get("/health")
    response = await site.client.head("/health")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == got.headers["content-length"]
    assert (await site.client.head("/api/users")).status_code == 401
    assert (await site.client.head("/api/auth/login")).status_code == 405


async def test_options_tells_the_methods(site: Site):
    response = await site.client.options("/api/keys")
    assert (response.status_code, response.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert "access-control-allow-origin" not in response.headers


async def test_a_query_does_not_hide_a_path(site: Site):
    assert (await site.client.get("/health?verbose=1")).status_code == 200
    assert (await site.client.get("/api/users?x=1")).status_code == 401


async def test_an_escaped_path_is_the_same_path(site: Site):
    assert (await site.client.get("/%68ealth")).status_code == 200


@pytest.mark.parametrize("given", ["req-1", "x" * 100, "a b~!"])
async def test_a_sane_request_id_of_the_callers_is_kept(site: Site, given: str):
    response = await site.client.get("/health", headers={"X-Request-Id": given})
    assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 101, "ü".encode(), b"a\tb"])
async def test_another_one_is_replaced(site: Site, given: str | bytes):
    response = await site.client.get(
        "/health", headers={b"X-Request-Id": given.encode()} if isinstance(given, str) else {b"X-Request-Id": given}
    )
    assert re.fullmatch("req_[0-9a-f]{24}", response.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/health", "/api/users", "/nothing", "/v1/models", "/api/auth/login"])
async def test_every_answer_has_a_request_id_and_hides_the_software(site: Site, path: str):
    for method in ("GET", "POST", "OPTIONS"):
        response = await site.client.request(method, path)
        assert response.headers["x-request-id"]
        assert response.headers["server"] == "llmrouter"


async def test_a_foreign_page_can_change_nothing_with_the_cookie(site: Site):
    admin = await site.client_of(await site.core.admin())
    response = await admin.post("/api/keys", json={"name": "stolen"}, headers=EVIL)
    assert (response.status_code, response.json()) == (403, {"error": "csrf_failed"})
    assert (await admin.get("/api/keys", headers=EVIL)).json() == []


async def test_a_foreign_page_with_a_key_of_its_own_is_not_refused(site: Site):
    person = await site.core.user()
    headers = {**EVIL, "Authorization": f"Bearer {person.token}", "Cookie": "session=somebody"}
    response = await site.client.post("/api/keys", json={"name": "mine"}, headers=headers)
    assert response.status_code == 201


async def test_a_foreign_page_can_not_sign_anybody_in(site: Site):
    await site.core.user()
    login = {"email": "user@example.com", "password": "correct horse"}
    response = await site.client.post("/api/auth/login", json=login, headers=EVIL)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_the_services_own_page_and_allowed_ones_can(site_factory: SiteFactory):
    async with site_factory(cors_origins=("https://app.example",)) as site:
        user = await site.client_of(await site.core.user())
        for origin in ("http://llmrouter.test", "https://app.example", site.url):
            response = await user.post("/api/keys", json={"name": "key"}, headers={"Origin": origin})
            assert response.status_code == 201


async def test_an_allowed_page_reads_every_answer_and_a_preflight(site_factory: SiteFactory):
    async with site_factory(cors_origins=("https://app.example",)) as site:
        origin = {"Origin": "https://app.example"}
        for path in ("/health", "/api/users", "/nothing"):
            response = await site.client.get(path, headers=origin)
            assert response.headers["access-control-allow-origin"] == "https://app.example"
            assert response.headers["access-control-allow-credentials"] == "true"
        asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
        response = await site.client.options("/api/users/1", headers=origin | asked)
        assert response.status_code == 204
        assert response.headers["access-control-allow-headers"] == "content-type"
        assert "PUT" in response.headers["access-control-allow-methods"]


async def test_another_page_reads_nothing(site_factory: SiteFactory):
    async with site_factory(cors_origins=("https://app.example",)) as site:
        for method in ("GET", "OPTIONS"):
            response = await site.client.request(method, "/health", headers=EVIL)
            assert not [name for name in response.headers if name.startswith("access-control")]
            assert response.headers["vary"] == "Origin"


async def test_a_fault_in_a_handler_is_500_and_tells_nothing_but_the_request_id(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(site.facade.cores, "call", fail)
    response = await site.client.get("/v1/models", headers={"X-Request-Id": "req-7"})
    assert response.status_code == 500
    assert response.json()["error"]["message"] == "internal error; request id req-7"
    assert "secret" not in response.text


async def test_requests_are_counted_by_surface(site: Site):
    await site.client.get("/api/nothing")
    await site.client.get("/v1/models")
    text = (await site.client.get("/metrics")).text
    assert 'llmrouter_http_requests_total{process="facade-0",status="4xx",surface="console"} 1.0' in text
    assert 'llmrouter_http_requests_total{process="facade-0",status="4xx",surface="gateway"} 1.0' in text
