"""The list of models, page by page, and one model."""

from typing import Any

import pytest

from tests.facade.surfaces.gemini.conftest import Google
from tests.support.database import on_sqlite
from tests.support.gemini_upstream import MODEL

ALL = ["echo", "echo-embedding", MODEL, "gpt-test"]
METHODS = ["generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"]

MOUNTS = ["/v1beta", "/v1", "/proxy/google/v1beta", "/proxy/google/v1"]

pytestmark = [on_sqlite, pytest.mark.parametrize("mount", MOUNTS)]


async def got(google: Google, path: str) -> tuple[int, Any]:
    async with google.get(path) as answer:
        return answer.status, await answer.json()


async def test_models_of_every_provider_are_listed(google: Google, mount: str):
    status, body = await got(google, f"{mount}/models")
    assert status == 200
    assert body == {"models": [entry(name) for name in ALL]}


async def test_a_list_comes_page_by_page(google: Google, mount: str):
    names, token = list[str](), ""
    for _ in range(2):
        _, body = await got(google, f"{mount}/models?pageSize=3&pageToken={token}")
        names += [model["name"] for model in body["models"]]
        token = body.get("nextPageToken", "")
    assert names == [f"models/{name}" for name in ALL]
    assert token == ""


async def test_a_page_of_exactly_the_rest_is_the_last(google: Google, mount: str):
    _, body = await got(google, f"{mount}/models?pageSize={len(ALL)}")
    assert "nextPageToken" not in body


@pytest.mark.parametrize(
    "query", ["pageSize=-1", "pageSize=x", "pageToken=x", "pageToken=%F0%9F%92%A9", "pageToken=_w"]
)
async def test_a_page_that_can_not_be_is_refused(google: Google, mount: str, query: str):
    status, body = await got(google, f"{mount}/models?{query}")
    assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("name", ["gpt-test", "upstream/gpt-test", "upstream%2Fgpt-test"])
async def test_one_model_goes_by_the_name_it_was_asked_for(google: Google, mount: str, name: str):
    assert await got(google, f"{mount}/models/{name}") == (200, entry(name.replace("%2F", "/")))


async def test_a_model_that_is_not_there_is_not_found(google: Google, mount: str):
    status, body = await got(google, f"{mount}/models/no/such/model")
    assert (status, body["error"]["code"], body["error"]["status"]) == (404, 404, "NOT_FOUND")


async def test_who_is_not_known_hears_nothing_else(google: Google, mount: str):
    async with google.get(f"{mount}/models?pageSize=x", **{"x-goog-api-key": "wrong"}) as answer:
        assert (answer.status, (await answer.json())["error"]["status"]) == (401, "UNAUTHENTICATED")


def entry(name: str) -> dict[str, Any]:
    return {"name": f"models/{name}", "version": "", "displayName": name, "supportedGenerationMethods": METHODS}
