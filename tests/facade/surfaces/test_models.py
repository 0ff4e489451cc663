"""GET …/models, the list and one model, under /api/v1 and /v1."""

import pytest

from tests.facade.surfaces.conftest import Counter
from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL

pytestmark = [on_sqlite, pytest.mark.parametrize("mount", ["/api/v1", "/v1"])]


def entry(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


async def test_the_list_is_openais(counter: Counter, mount: str):
    response = await counter.get(f"{mount}/models")
    assert response.status_code == 200
    assert response.json() == {
        "object": "list",
        "data": [entry("echo", "echo"), entry("echo-embedding", "echo"), entry(MODEL, "upstream")],
    }


@pytest.mark.parametrize("name", [MODEL, f"upstream/{MODEL}", f"upstream%2F{MODEL}"])
async def test_one_model_goes_by_the_name_it_was_asked_for(counter: Counter, mount: str, name: str):
    response = await counter.get(f"{mount}/models/{name}")
    assert (response.status_code, response.json()) == (200, entry(name.replace("%2F", "/"), "upstream"))


async def test_a_model_that_is_not_there_is_not_found(counter: Counter, mount: str):
    response = await counter.get(f"{mount}/models/no/such/model")
    expected = (
        {"error": "not found"}
        if mount == "/api/v1"
        else {
            "error": {
                "message": "the model 'no/such/model' does not exist",
                "type": "invalid_request_error",
                "param": "model",
                "code": "model_not_found",
            }
        }
    )
    assert (response.status_code, response.json()) == (404, expected)


async def test_a_cookie_or_a_key_that_may_only_read_will_do(counter: Counter, mount: str):
    reader, _ = await counter.inference.core.credential(counter.inference.person.id, scopes="read")
    for headers in (counter.cookie, {"Authorization": f"Bearer {reader}"}):
        assert (await counter.get(f"{mount}/models", headers)).status_code == 200


async def test_who_is_not_known_is_unauthorized(counter: Counter, mount: str):
    strangers: list[dict[str, str]] = [{}, {"Authorization": "Bearer wrong"}, {**counter.cookie, "X-API-Key": "wrong"}]
    for headers in strangers:
        response = await counter.get(f"{mount}/models", headers)
        assert response.status_code == 401
        error = response.json()["error"]
        assert error == "unauthorized" if mount == "/api/v1" else error["code"] == "invalid_api_key"
