"""The endpoints of inference over HTTP: for each its success, and each failure that its document names."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.facade.surfaces.conftest import Counter
from tests.support.database import on_sqlite
from tests.support.facade import serve_facade
from tests.support.openai_upstream import (
    MODEL,
    OpenAIUpstream,
    chat_body,
    error,
    events,
    raw,
    refuse,
    sse,
    stream,
    whole,
)

pytestmark = on_sqlite

PROMPTS: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": [{"role": "user", "content": "hello"}]},
    "completions": {"prompt": "once upon a time"},
    "embeddings": {"input": ["once", "twice"]},
}


@dataclass(frozen=True)
class Endpoint:
    """One of them."""

    path: str
    prompt: dict[str, Any] = field(hash=False)
    upstream: str  # the provider's endpoint
    surface: str

    @property
    def body(self) -> dict[str, Any]:
        """A request that is in order."""
        return {"model": MODEL, **self.prompt}

    def failure(self, phrase: str, kind: str, code: str | None, *, message: str = "", param: str | None = None) -> Any:
        """The body of a failure: of the console's document, or OpenAI's error object under /v1."""
        if self.surface != "gateway":
            return {"error": phrase}
        return {"error": {"message": message or phrase, "type": kind, "param": param, "code": code}}


OPENAI = [Endpoint(f"/api/v1/{each}", prompt, f"/v1/{each}", "openai") for each, prompt in PROMPTS.items()]
GATEWAY = [Endpoint(f"/v1/{each}", prompt, f"/v1/{each}", "gateway") for each, prompt in PROMPTS.items()]
CHAT = Endpoint("/api/chat", PROMPTS["chat/completions"], "/v1/chat/completions", "console")
ENDPOINTS = [*OPENAI, *GATEWAY, CHAT]
STREAMING = [each for each in (*OPENAI, *GATEWAY) if not each.path.endswith("embeddings")]

each_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
each_streaming = pytest.mark.parametrize("endpoint", STREAMING, ids=lambda endpoint: endpoint.path)


def told(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


@each_endpoint
async def test_request_and_answer_pass_to_the_letter(
    counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint
):
    said = b'{ "object": "of its own", "usage": {"prompt_tokens": 3, "completion_tokens": 2}, "x": 1.0 }\n'
    openai_upstream.script(whole(said, headers={"x-request-id": "the-provider's"}))
    sent = json.dumps({**endpoint.body, "unknown": {"é": 1e3}}, indent=1, ensure_ascii=False).encode()
    response = await counter.post(endpoint.path, sent)
    assert (response.status_code, response.content) == (200, said)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-llmrouter-provider"] == "upstream"
    assert response.headers["x-llmrouter-model"] == MODEL
    assert response.headers["x-upstream-request-id"] == "the-provider's"
    request = await openai_upstream.received()
    assert (request.path, request.body) == (endpoint.upstream, sent)
    assert request.headers["authorization"] == "Bearer sk-the-key-of-the-upstream"
    record = await counter.inference.record()
    assert (record.request_id, record.surface) == (response.headers["x-request-id"], endpoint.surface)
    assert (record.status_code, record.input_tokens, record.output_tokens) == (200, 3, 2)


@each_streaming
async def test_events_are_relayed_as_they_come(counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint):
    openai_upstream.script(stream(("one", "two"), reports="asked"))
    response = await counter.post(endpoint.path, {**endpoint.body, "stream": True})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert response.content == b"".join(
        events(("one", "two"), completion=not endpoint.path.endswith("chat/completions"))
    )
    record = await counter.inference.record()
    assert (record.streamed, record.token_source, record.input_tokens) == (True, "provider", 11)


@pytest.mark.parametrize("endpoint", [CHAT, OPENAI[2], GATEWAY[2]], ids=lambda endpoint: endpoint.path)
async def test_what_knows_no_streaming_answers_in_one_piece(
    counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint
):
    response = await counter.post(endpoint.path, {**endpoint.body, "stream": True})
    assert response.status_code == 200
    assert "usage" in response.json()
    request = await openai_upstream.received()
    assert request.json == {**endpoint.body, "stream": False}
    assert not (await counter.inference.record()).streamed


@each_endpoint
async def test_a_browser_may_use_its_session_cookie(counter: Counter, endpoint: Endpoint):
    assert (await counter.post(endpoint.path, endpoint.body, counter.cookie)).status_code == 200


@each_endpoint
async def test_a_key_may_come_in_any_header(counter: Counter, endpoint: Endpoint):
    for name in ("X-API-Key", "X-Virtual-Key"):
        assert (await counter.post(endpoint.path, endpoint.body, {name: counter.key})).status_code == 200


@each_endpoint
async def test_who_is_not_known_is_unauthorized(counter: Counter, endpoint: Endpoint):
    strangers: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer sk_00000000_wrongwrongwrongwrongwrong"},
        {"Authorization": f"Basic {counter.key}"},
        {"Authorization": counter.key},
        {"Cookie": "session=wrong"},
        # What is more specific counts, and a wrong one is not made good by a right one behind it.
        {**counter.cookie, "Authorization": "Bearer wrong"},
        {**counter.bearer, "X-API-Key": "wrong"},
        {**counter.bearer, "X-Virtual-Key": "wrong"},
    ]
    expected = endpoint.failure("unauthorized", "invalid_request_error", "invalid_api_key")
    for headers in strangers:
        response = await counter.post(endpoint.path, endpoint.body, headers)
        assert told(response) == (401, expected), headers
        assert response.headers["x-request-id"]
    assert await counter.inference.records() == []


@each_endpoint
async def test_a_key_that_may_only_read_is_forbidden(counter: Counter, endpoint: Endpoint):
    reader, _ = await counter.inference.core.credential(counter.inference.person.id, scopes="read")
    response = await counter.post(endpoint.path, endpoint.body, {"X-API-Key": reader})
    message = "this credential lacks the scope 'write'"
    expected = endpoint.failure("forbidden", "invalid_request_error", "insufficient_permissions", message=message)
    assert told(response) == (403, expected)


@each_endpoint
async def test_a_foreign_page_may_not_use_the_cookie(counter: Counter, endpoint: Endpoint):
    headers = {**counter.cookie, "Origin": "https://elsewhere.example"}
    response = await counter.post(endpoint.path, endpoint.body, headers)
    message = "a page of another site may not do this with a session cookie"
    assert told(response) == (
        403,
        endpoint.failure("csrf_failed", "invalid_request_error", "csrf_failed", message=message),
    )


@each_endpoint
async def test_a_request_needs_a_model(counter: Counter, endpoint: Endpoint):
    models: list[dict[str, Any]] = [{}, {"model": None}, {"model": ""}, {"model": 7}, {"model": ["gpt-test"]}]
    expected = endpoint.failure("model required", "invalid_request_error", "missing_required_parameter", param="model")
    for model in models:
        assert told(await counter.post(endpoint.path, {**endpoint.prompt, **model})) == (400, expected), model
    records = await counter.inference.records()
    assert len(records) == len(models)
    assert {(each.status_code, each.error_reason, each.provider) for each in records} == {(400, "MODEL_REQUIRED", "")}


@each_endpoint
async def test_an_unknown_model_is_a_bad_request(counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint):
    body = {**endpoint.body, "model": "nobody has it", "stream": True}
    expected = endpoint.failure("unknown model", "invalid_request_error", "model_not_found", param="model")
    assert told(await counter.post(endpoint.path, body)) == (400, expected)
    assert openai_upstream.requests == []
    record = await counter.inference.record()
    assert (record.status_code, record.requested_model, record.provider) == (400, "nobody has it", "")
    assert (record.cost_nanousd, record.input_tokens) == (None, 0)


PAYLOADS = (
    b"",
    b'{"model": "gpt-test"',
    b'["gpt-test"]',
    b"null",
    b'{"model": "gpt-test", "messages": [], "\xff": 1}',
    b'{"model": "\xff", "messages": []}',
    b'{"model": "gpt-test", "messages": [{"role": "user", "content": "\xff"}], "prompt": "\xff", "input": ["\xff"]}',
    b'{"model":"gpt-test","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
)


@each_endpoint
async def test_a_payload_that_is_no_json_object_is_invalid(counter: Counter, endpoint: Endpoint):
    for payload in PAYLOADS:
        status, body = told(await counter.post(endpoint.path, payload))
        assert status == 400, payload[:40]
        if endpoint.surface == "gateway":
            assert body["error"]["message"].startswith("invalid payload: ")
            assert body["error"]["type"] == "invalid_request_error"
        else:
            assert body == {"error": "invalid payload"}
    records = await counter.inference.records()
    assert [record.status_code for record in records] == [400] * len(PAYLOADS)


@pytest.mark.parametrize("endpoint", [OPENAI[0], GATEWAY[0], CHAT], ids=lambda endpoint: endpoint.path)
async def test_a_chat_needs_messages(counter: Counter, endpoint: Endpoint):
    expected = endpoint.failure(
        "invalid payload", "invalid_request_error", None, message="messages must be an array", param="messages"
    )
    bodies: list[dict[str, Any]] = [{}, {"messages": None}, {"messages": "hello"}, {"messages": {}}]
    for body in bodies:
        assert told(await counter.post(endpoint.path, {"model": MODEL, **body})) == (400, expected), body


@each_endpoint
async def test_a_payload_may_not_be_too_large(counter: Counter, endpoint: Endpoint):
    async with serve_facade(counter.inference.core, max_body=1000) as site:
        response = await site.client.post(
            endpoint.path, json={**endpoint.body, "x": "x" * 1000}, headers=counter.bearer
        )
    message = "the request's body is larger than 1000 bytes"
    expected = endpoint.failure("request too large", "invalid_request_error", "request_too_large", message=message)
    assert told(response) == (413, expected)


BROKEN = {
    "hangs up": refuse(),
    "no HTTP": raw(b"220 mail.example.com ESMTP\r\n"),
    "no JSON": whole(b"<html>It works!</html>", content_type="text/html"),
    "cut short": whole(b'{"id": ', missing=10),
}


@each_endpoint
async def test_a_provider_that_gives_no_answer_is_a_provider_error(
    counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint
):
    for broken, answer in BROKEN.items():
        openai_upstream.always(answer)
        status, body = told(await counter.post(endpoint.path, endpoint.body))
        assert status == 502, broken
        if endpoint.surface == "gateway":
            assert (body["error"]["type"], body["error"]["code"]) == ("server_error", "provider_error")
        else:
            assert body == {"error": "provider error"}
    records = await counter.inference.records()
    assert len(records) == len(BROKEN)
    expected = (502, "PROVIDER_ERROR", "upstream")
    assert {(each.status_code, each.error_reason, each.provider) for each in records} == {expected}


STATUSES = [400, 401, 402, 403, 404, 418, 422, 429, 500, 503]


@each_endpoint
async def test_a_providers_own_error_is_mirrored(counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint):
    said = b'{"error": {"message": "not now", "of": "its own"}}\n'
    for status in STATUSES:
        openai_upstream.always(error(status, body=said, retry_after="9"))
        response = await counter.post(endpoint.path, endpoint.body)
        assert (response.status_code, response.content) == (status, said)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-llmrouter-provider"] == "upstream"
    records = await counter.inference.records()
    assert [record.status_code for record in records] == STATUSES
    assert {(each.outcome, each.error_reason) for each in records} == {("failed", "UPSTREAM_STATUS")}
    assert {(each.input_tokens, each.output_tokens) for each in records} == {(0, 0)}


@each_endpoint
async def test_a_providers_rate_limit_says_when_to_come_back(
    counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint
):
    openai_upstream.always(error(429, retry_after="9", body=b"slow down", content_type="text/plain"))
    response = await counter.post(endpoint.path, endpoint.body)
    assert response.status_code == 429
    assert response.json()["error"]["message"] == "the provider answered 429"  # what is no JSON stays there
    assert response.headers["retry-after"] == "9"


@each_streaming
async def test_an_error_before_the_first_event_keeps_its_status(
    counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint
):
    openai_upstream.always(error(500, body=b'{"error": "no"}'))
    response = await counter.post(endpoint.path, {**endpoint.body, "stream": True})
    assert (response.status_code, response.content) == (500, b'{"error": "no"}')
    assert (await counter.inference.record()).streamed


@each_streaming
async def test_a_stream_that_breaks_off_ends_with_an_error_event_and_no_end_mark(
    counter: Counter, openai_upstream: OpenAIUpstream, endpoint: Endpoint
):
    pieces = events(("one", "two"))[:2]
    openai_upstream.always(sse(pieces, cut=True))
    response = await counter.post(endpoint.path, {**endpoint.body, "stream": True})
    said, last = response.content[: len(b"".join(pieces))], response.content[len(b"".join(pieces)) :]
    assert (response.status_code, said) == (200, b"".join(pieces))
    assert last.startswith(b"data: ")
    assert last.endswith(b"}\n\n")
    message = "the provider's stream ended before it was complete"
    expected = endpoint.failure("provider error", "server_error", "stream_interrupted", message=message)
    assert json.loads(last.removeprefix(b"data: ")) == expected
    record = await counter.inference.record()
    assert (record.status_code, record.outcome, record.error_reason) == (502, "failed", "STREAM_INTERRUPTED")


@each_endpoint
async def test_other_methods_are_not_allowed(counter: Counter, endpoint: Endpoint):
    response = await counter.get(endpoint.path)
    assert response.status_code == 405
    assert response.headers["allow"] == "OPTIONS, POST"


async def test_the_chat_of_the_console_answers_what_the_provider_said(counter: Counter):
    response = await counter.post("/api/chat", CHAT.body, counter.cookie)
    assert told(response) == (200, chat_body())
    assert response.headers["x-llmrouter-provider"] == "upstream"
