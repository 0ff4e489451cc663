"""/v1/models, which Google's clients and OpenAI's have in common."""

import pytest

from tests.facade.surfaces.gemini.conftest import Google
from tests.support.database import on_sqlite

pytestmark = on_sqlite

GOOGLES = [{"x-goog-api-key": "{}"}, {"Authorization": "Bearer {}", "x-goog-api-client": "genai"}]
OTHERS = [{"Authorization": "Bearer {}"}, {"X-API-Key": "{}"}]


@pytest.mark.parametrize("headers", [*GOOGLES, *OTHERS], ids=str)
async def test_each_caller_has_the_list_of_its_own_api(google: Google, headers: dict[str, str]):
    sent = {name: value.format(google.router.key) for name, value in headers.items()}
    for path, status in (("/v1/models", 200), ("/v1/models/gpt-test", 200), ("/v1/models/nobody-has-it", 404)):
        async with google.router.session.get(f"{google.router.site.url}{path}", headers=sent) as answer:
            body = await answer.json()
            assert answer.status == status
        googles = "models" in body or "supportedGenerationMethods" in body or body.get("error", {}).get("code") == 404
        assert googles == (headers in GOOGLES)


async def test_a_key_in_the_query_is_googles_way(google: Google):
    async with google.router.session.get(f"{google.router.site.url}/v1/models?key={google.router.key}") as answer:
        assert (answer.status, "models" in await answer.json()) == (200, True)
