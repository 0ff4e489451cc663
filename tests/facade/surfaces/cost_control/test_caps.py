"""The caps of a virtual key, from the key to the provider."""

import json
from typing import Any

import pytest

from llmrouter.v1.admin_pb2 import CreateVirtualKeyRequest
from tests.facade.surfaces.conftest import Counter
from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL, OpenAIUpstream

pytestmark = on_sqlite

CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


async def headers(counter: Counter, **caps: Any) -> dict[str, str]:
    """The headers of a caller with a virtual key."""
    inference = counter.inference
    made = await inference.core.administration.CreateVirtualKey(
        CreateVirtualKeyRequest(name="capped", project_name="the project", **caps), metadata=inference.person.metadata
    )
    return {"X-Virtual-Key": made.value}


async def test_a_request_for_more_is_400_and_reaches_no_provider(counter: Counter, openai_upstream: OpenAIUpstream):
    virtual = await headers(counter, max_output_tokens=100)
    response = await counter.post("/v1/chat/completions", CHAT | {"max_tokens": 101}, virtual)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "max_tokens"
    assert "100 output tokens" in response.json()["error"]["message"]
    assert openai_upstream.requests == []
    record = await counter.inference.record()
    assert (record.status_code, record.error_reason, record.project) == (400, "INVALID_ARGUMENT", "the project")


async def test_the_cap_is_what_is_asked_for(counter: Counter, openai_upstream: OpenAIUpstream):
    virtual = await headers(counter, max_output_tokens=100)
    for path in ("/v1/chat/completions", "/api/v1/chat/completions"):
        assert (await counter.post(path, CHAT, virtual)).status_code == 200
    sent = [json.loads(request.body) for request in openai_upstream.requests]
    assert sent == [CHAT | {"max_completion_tokens": 100}] * 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_without_caps_changes_nothing(counter: Counter, openai_upstream: OpenAIUpstream, stream: bool):
    body = (
        CHAT | {"max_tokens": 10**6} | ({"stream": True, "stream_options": {"include_usage": True}} if stream else {})
    )
    virtual = await headers(counter)
    assert (await counter.post("/v1/chat/completions", body, virtual)).status_code == 200
    (request,) = openai_upstream.requests
    assert json.loads(request.body) == body
    record = await counter.inference.record()
    assert record.project == "the project"
    assert record.credential_id > 0


async def test_echo_keeps_to_the_cap(counter: Counter):
    virtual = await headers(counter, max_output_tokens=3)
    words = {"model": "echo", "messages": [{"role": "user", "content": "one two three four five six seven"}]}
    answer = (await counter.post("/v1/chat/completions", words, virtual)).json()
    assert (answer["usage"]["completion_tokens"], answer["choices"][0]["finish_reason"]) == (3, "length")
