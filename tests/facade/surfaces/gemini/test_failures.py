"""What goes wrong, in Google's words: credentials, limits, providers' errors, streams that break off."""

import json
import logging
from typing import Any

import pytest

from llmrouter.v1 import admin_pb2
from tests.facade.surfaces.gemini.conftest import Google
from tests.support import openai_upstream as gpt
from tests.support.database import on_sqlite
from tests.support.gemini_upstream import MODEL, event, fails, failure, response
from tests.support.openai_upstream import sse

pytestmark = on_sqlite

ASKED = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
PATH = f"/v1beta/models/{MODEL}:generateContent"
STREAM = f"/v1beta/models/{MODEL}:streamGenerateContent"
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38.5s"}


def delay_in(body: Any) -> str:
    """When an error says to come back."""
    return next(each["retryDelay"] for each in body["error"]["details"] if each["@type"].endswith("RetryInfo"))


@pytest.mark.parametrize("header", ["x-goog-api-key", "X-API-Key", "X-Virtual-Key", "Authorization"])
async def test_a_credential_counts_in_any_header(google: Google, header: str):
    value = f"Bearer {google.router.key}" if header == "Authorization" else google.router.key
    async with google.post(PATH, ASKED, {header: value}) as answer:
        assert answer.status == 200


async def test_a_key_in_the_query_counts_and_is_in_no_log(google: Google, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    key = google.router.key
    for path, status in ((PATH, 200), ("/v1beta/models", None), ("/v1beta/nothing/here", 404), (f"{STREAM}", 200)):
        if status is None:
            async with google.router.session.get(f"{google.router.site.url}{path}?key={key}") as listed:
                assert listed.status == 200
        else:
            async with google.post(f"{path}?key={key}", ASKED, {}) as answer:
                assert answer.status == status
                await answer.read()
    google.upstream.always(fails(400, "no"))
    async with google.post(f"{PATH}?key={key}", ASKED, {}) as answer:
        assert answer.status == 400
    async with google.post(f"{PATH}?key=wrong-{key}", ASKED, {}) as answer:
        assert answer.status == 401
    ours = [record.getMessage() + str(record.__dict__) for record in caplog.records if record.name.startswith("llm")]
    assert ours
    assert key not in "".join(ours)
    assert key not in str([request.headers for request in google.upstream.requests])
    assert not any(key in request.query for request in google.upstream.requests)


async def test_a_key_in_the_query_counts_nowhere_else(google: Google):
    body = {"model": "gpt-test", "messages": [{"role": "user", "content": "Hi"}]}
    async with google.post(f"/v1/chat/completions?key={google.router.key}", body, {}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize("headers", [{}, {"x-goog-api-key": "wrong"}, {"Authorization": "Bearer wrong"}])
async def test_who_is_not_known_is_unauthenticated(google: Google, headers: dict[str, str]):
    async with google.post(PATH, ASKED, headers) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"], error["status"]) == (401, 401, "UNAUTHENTICATED")


async def test_an_unknown_model_is_an_argument_that_is_not_valid(google: Google):
    status, body = await google.answered("/v1beta/models/nobody-has-it:generateContent", ASKED)
    assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")
    record = await google.router.record()
    assert (record.requested_model, record.status_code, record.surface) == ("nobody-has-it", 400, "gemini")


@pytest.mark.parametrize("data", [b"[]", b"{", b'{"contents":"x"}', b"{}"])
async def test_a_body_that_can_not_be_used_is_refused(google: Google, data: bytes):
    headers = {"x-goog-api-key": google.router.key}
    url = f"{google.router.site.url}/v1beta/models/gpt-test:generateContent"
    async with google.router.session.post(url, data=data, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_a_verb_that_is_not_there_and_a_stray_path_are_told_so(google: Google):
    status, body = await google.answered(f"/v1beta/models/{MODEL}:generateVideo", ASKED)
    assert (status, body["error"]["code"]) == (405, 405)
    status, body = await google.answered("/v1beta/cachedContents", ASKED)
    assert (status, body["error"]["status"]) == (404, "NOT_FOUND")


async def test_a_limit_says_when_to_come_back(google: Google):
    inference = google.router.inference
    limit = admin_pb2.CreateLimitRequest(scope=admin_pb2.LIMIT_SCOPE_USER, scope_id="*", requests_per_minute=1)
    await inference.core.administration.CreateLimit(limit, metadata=inference.metadata)
    assert (await google.answered(PATH, ASKED))[0] == 200
    async with google.post(PATH, ASKED) as answer:
        body = await answer.json()
        assert (answer.status, body["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert answer.headers["retry-after"] == "61"
        assert 0 < float(delay_in(body).removesuffix("s")) <= 61


async def test_googles_own_delay_reaches_the_caller_on_every_wire(google: Google):
    google.upstream.always(fails(429, "quota", RETRY))
    async with google.post(PATH, ASKED) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "39")
        assert await answer.json() == failure(429, "quota", RETRY)
    assert len(google.upstream.requests) == 1, "nobody comes back before the time"
    chat = {"model": f"google/{MODEL}", "messages": [{"role": "user", "content": "Hi"}]}
    async with google.router.post("/v1/chat/completions", chat) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "39")
    async with google.router.post("/v1/embeddings", {"model": f"google/{MODEL}", "input": "Hi"}) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "39")
    google.upstream.always(sse([event(failure(429, "quota", RETRY))]))
    async with google.router.post("/v1/chat/completions", chat | {"stream": True}) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "39")
    async with google.post(f"{STREAM}?alt=sse", ASKED) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "39")


async def test_another_providers_delay_is_told_in_googles_words(google: Google):
    google.openai.always(gpt.error(429, "slow down", retry_after="17"))
    async with google.post("/v1beta/models/gpt-test:generateContent", ASKED) as answer:
        body = await answer.json()
        assert (answer.status, answer.headers["retry-after"], delay_in(body)) == (429, "17", "17s")
        assert (body["error"]["status"], body["error"]["message"]) == ("RESOURCE_EXHAUSTED", "slow down")


@pytest.mark.parametrize("alt", ["?alt=sse", ""])
async def test_a_stream_that_breaks_off_ends_with_an_error(google: Google, alt: str):
    google.upstream.always(sse([event(response({"text": "Hel"}))]))
    async with google.post(STREAM + alt, ASKED) as answer:
        data = await answer.read()
    chunks = json.loads(data) if not alt else [json.loads(each[6:]) for each in data.split(b"\n") if b"data: " in each]
    assert chunks[0] == response({"text": "Hel"})
    assert (chunks[-1]["error"]["code"], chunks[-1]["error"]["status"]) == (502, "UNAVAILABLE")
    assert (await google.router.record()).error_reason == "STREAM_INTERRUPTED"


@pytest.mark.parametrize("alt", ["?alt=sse", ""])
async def test_an_error_within_a_stream_comes_as_the_provider_said_it(google: Google, alt: str):
    overloaded = failure(503, "The model is overloaded.")
    google.upstream.always(sse([event(response({"text": "Hel"})), event(overloaded)]))
    async with google.post(STREAM + alt, ASKED) as answer:
        data = await answer.read()
    chunks = json.loads(data) if not alt else [json.loads(each[6:]) for each in data.split(b"\n") if b"data: " in each]
    assert chunks == [response({"text": "Hel"}), overloaded]


async def test_a_page_of_another_site_may_not_ask_with_a_cookie(google: Google):
    person = google.router.inference.person
    headers = {"Cookie": f"session={person.token}", "Origin": "https://evil.example"}
    async with google.post(f"{PATH}?key=x", ASKED, headers) as answer:
        assert (answer.status, (await answer.json())["error"]["status"]) == (403, "PERMISSION_DENIED")
