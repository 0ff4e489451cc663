"""countTokens, embedContent and batchEmbedContents."""

from tests.facade.surfaces.gemini.conftest import Google
from tests.support.database import on_sqlite
from tests.support.gemini_upstream import MODEL

pytestmark = on_sqlite

CONTENT = {"parts": [{"text": "once"}]}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}


async def test_tokens_are_counted_by_google_or_here(google: Google):
    assert await google.answered(f"/v1beta/models/{MODEL}:countTokens", CONTENTS) == (200, {"totalTokens": 31})
    status, body = await google.answered("/v1beta/models/gpt-test:countTokens", CONTENTS)
    assert status == 200
    assert 1 <= body["totalTokens"] <= 20
    for record in await google.router.records(2):
        assert (record.operation, record.input_tokens) == ("count_content_tokens", 0)
        assert not record.cost_nanousd
    assert google.openai.requests == []


async def test_one_content_becomes_a_vector(google: Google):
    asked = {"model": f"models/{MODEL}", "content": CONTENT}
    status, body = await google.answered(f"/v1beta/models/{MODEL}:embedContent", asked)
    assert (status, body) == (200, {"embedding": {"values": [3.0, 4.0]}})
    status, body = await google.answered("/v1beta/models/echo-embedding:embedContent", asked)
    assert status == 200
    assert body["embedding"]["values"]
    assert [record.operation for record in await google.router.records(2)] == ["embed_one_content"] * 2


async def test_many_contents_become_as_many_vectors(google: Google):
    asked = {"requests": [{"model": f"models/{MODEL}", "content": CONTENT}] * 2}
    status, body = await google.answered(f"/v1beta/models/{MODEL}:batchEmbedContents", asked)
    assert (status, len(body["embeddings"])) == (200, 2)
    status, body = await google.answered("/v1beta/models/echo-embedding:batchEmbedContents", asked)
    assert (status, len(body["embeddings"])) == (200, 2)
    assert [record.operation for record in await google.router.records(2)] == ["embed_content"] * 2
