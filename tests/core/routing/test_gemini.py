"""Callers of every kind in front of Gemini, and callers of Gemini in front of others."""

import json
from typing import Any

import pytest

from core.auth import NOBODY
from core.dialects.anthropic.messages import MESSAGES
from core.dialects.gemini.generate import COUNT_TOKENS, EMBED, EMBED_ONE, GENERATE
from core.dialects.openai.chat import CHAT, EMBEDDING
from core.errors import InvalidArgument, ProviderError, StreamInterrupted
from core.routing.reply import Answer, Ask
from core.routing.stream import Streamed
from tests.core.routing.conftest import Stage, rest_of
from tests.support.gemini_upstream import MODEL, GeminiUpstream, event, fails, failure, response, serve_gemini
from tests.support.openai_upstream import sse, whole

_CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
_CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


async def gemini(stage: Stage) -> GeminiUpstream:
    upstream = await stage.stack.enter_async_context(serve_gemini())
    address = upstream.base_url.removesuffix("/v1") + "/v1beta"
    await stage.declare("google", type="gemini", base_url=address)
    return upstream


async def ask(
    stage: Stage, operation: str, body: dict[str, Any], *, model: str = f"google/{MODEL}", drop: bool = False
) -> Answer | Streamed:
    headers = (("x-llmrouter-drop-unsupported", "true"),) if drop else ()
    data = json.dumps({"model": model, **body}).encode()
    return await stage.pipeline.run(Ask(stage.ids("req"), operation, "openai", NOBODY, data, headers=headers))


async def answered(stage: Stage, operation: str, body: dict[str, Any], **how: Any) -> Any:
    reply = await ask(stage, operation, body, **how)
    assert isinstance(reply, Answer)
    return json.loads(reply.body)


async def streamed(stage: Stage, operation: str, body: dict[str, Any], **how: Any) -> bytes:
    reply = await ask(stage, operation, {"stream": True, **body}, **how)
    assert isinstance(reply, Streamed)
    return await rest_of(reply)


async def test_its_own_wire_passes_through(stage: Stage):
    upstream = await gemini(stage)
    found = await answered(stage, GENERATE, {**_CONTENTS, "new": 1.0})
    assert found == response({"text": "Hello"}, finish="STOP")
    (request,) = upstream.requests
    assert request.path == f"/v1beta/models/{MODEL}:generateContent"
    assert request.body == json.dumps({**_CONTENTS, "new": 1.0}).encode()
    record = await stage.record()
    assert (record.input_tokens, record.output_tokens, record.reasoning_tokens) == (26, 9, 3)
    assert record.token_source == "provider"


async def test_a_stream_of_its_own_passes_through(stage: Stage):
    upstream = await gemini(stage)
    data = await streamed(stage, GENERATE, _CONTENTS)
    assert data.endswith(event(response({"text": "lo"}, finish="STOP")))
    (request,) = upstream.requests
    assert (request.path, request.query) == (f"/v1beta/models/{MODEL}:streamGenerateContent", "alt=sse")
    record = await stage.record()
    assert (record.input_tokens, record.output_tokens, record.token_source) == (26, 9, "provider")


async def test_an_openai_client_reaches_it(stage: Stage):
    upstream = await gemini(stage)
    found = await answered(stage, CHAT, {**_CHAT, "max_tokens": 9})
    assert found["choices"][0]["message"]["content"] == "Hello"
    assert found["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3
    assert upstream.requests[0].json == {**_CONTENTS, "generationConfig": {"maxOutputTokens": 9}}
    data = await streamed(stage, CHAT, _CHAT)
    assert data.endswith(b"data: [DONE]\n\n")
    assert b'"content":"Hel"' in data


async def test_an_anthropic_client_reaches_it(stage: Stage):
    await gemini(stage)
    data = await streamed(stage, MESSAGES, {**_CHAT, "max_tokens": 9})
    assert data.count(b"event: message_stop") == 1
    assert b'"text":"Hel"' in data
    record = await stage.record()
    assert (record.input_tokens, record.output_tokens) == (26, 9)


async def test_what_it_can_not_do_is_refused_unless_it_may_be_left_out(stage: Stage):
    await gemini(stage)
    asked = {**_CHAT, "logit_bias": {"1": 2}}
    with pytest.raises(InvalidArgument) as raised:
        await ask(stage, CHAT, asked)
    assert raised.value.field == "logit_bias"
    reply = await ask(stage, CHAT, asked, drop=True)
    assert isinstance(reply, Answer)
    assert ("x-llmrouter-dropped", "logit_bias") in reply.headers


async def test_a_key_that_is_not_valid_is_the_routers_affair(stage: Stage):
    upstream = await gemini(stage)
    upstream.always(fails(400, "API key not valid.", _KEY))
    reply = await ask(stage, CHAT, _CHAT)
    assert isinstance(reply, Answer)
    assert reply.status == 401


async def test_an_error_inside_a_stream_reaches_the_caller(stage: Stage):
    upstream = await gemini(stage)
    upstream.always(sse([event(response({"text": "Hel"})), event(failure(503, "The model is overloaded."))]))
    data = await streamed(stage, CHAT, _CHAT)
    assert b"The model is overloaded." in data
    assert b"[DONE]" not in data


@pytest.mark.parametrize(("operation", "body"), [(CHAT, _CHAT), (GENERATE, _CONTENTS)])
async def test_a_stream_without_its_reason_to_end_is_not_complete(stage: Stage, operation: str, body: dict[str, Any]):
    upstream = await gemini(stage)
    upstream.always(sse([event(response({"text": "Hel"}))]))
    with pytest.raises(StreamInterrupted):
        await streamed(stage, operation, body)


async def test_a_google_client_reaches_a_provider_of_the_openai_wire(stage: Stage):
    upstream = await stage.provider("first", "m")
    found = await answered(stage, GENERATE, _CONTENTS, model="m")
    assert found["candidates"][0]["content"]["parts"] == [{"text": "Hello there."}]
    assert found["candidates"][0]["finishReason"] == "STOP"
    assert upstream.requests[0].json["messages"] == [{"role": "user", "content": "Hi"}]
    data = await streamed(stage, GENERATE, _CONTENTS, model="m")
    chunks = [json.loads(each.removeprefix(b"data: ")) for each in data.split(b"\r\n\r\n") if each]
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["promptTokenCount"] > 0


async def test_a_google_client_gets_errors_as_google_has_them(stage: Stage):
    upstream = await stage.provider("first", "m")
    upstream.always(whole(b'{"error":{"message":"too long","type":"invalid_request_error"}}', status=400))
    found = await answered(stage, GENERATE, _CONTENTS, model="m")
    assert found == {"error": {"code": 400, "message": "too long", "status": "INVALID_ARGUMENT"}}


async def test_embeddings_of_an_openai_client(stage: Stage):
    upstream = await gemini(stage)
    found = await answered(stage, EMBEDDING, {"input": ["one", "two words"], "dimensions": 2})
    assert [each["embedding"] for each in found["data"]] == [[0.6, 0.8], [0.6, 0.8]]
    assert found["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    (request,) = upstream.requests
    assert request.path == f"/v1beta/models/{MODEL}:batchEmbedContents"
    assert request.json["requests"][1] == {
        "model": f"models/{MODEL}",
        "content": {"parts": [{"text": "two words"}]},
        "outputDimensionality": 2,
    }
    record = await stage.record()
    assert (record.input_tokens, record.output_tokens, record.token_source) == (3, 0, "counted")


async def test_embeddings_that_are_too_few_are_none(stage: Stage):
    upstream = await gemini(stage)
    upstream.always(whole(b'{"embeddings":[{"values":[1]}]}'))
    with pytest.raises(ProviderError, match="not what its API describes"):
        await ask(stage, EMBEDDING, {"input": ["one", "two"]})


async def test_errors_of_embeddings_are_translated(stage: Stage):
    upstream = await gemini(stage)
    upstream.always(fails(400, "too long"))
    found = await answered(stage, EMBEDDING, {"input": "one"})
    assert found["error"]["message"] == "too long"


async def test_embeddings_of_a_google_client(stage: Stage):
    upstream = await stage.provider("first", "m")
    body = {"requests": [{"model": "models/m", "content": {"parts": [{"text": "one"}]}}]}
    found = await answered(stage, EMBED, body, model="m")
    assert len(found["embeddings"]) == 1
    assert upstream.requests[0].json == {"model": "m", "input": ["one"], "encoding_format": "float"}
    one = await answered(stage, EMBED_ONE, {"content": {"parts": [{"text": "one"}]}}, model="m")
    assert one["embedding"]["values"] == found["embeddings"][0]["values"]
    with pytest.raises(InvalidArgument) as raised:
        await ask(stage, EMBED_ONE, {"content": {"parts": [{"text": "one"}]}, "taskType": "QUERY"}, model="m")
    assert raised.value.field == "taskType"
    reply = await ask(stage, EMBED_ONE, {"content": {"parts": [{"text": "one"}]}, "title": "T"}, model="m", drop=True)
    assert isinstance(reply, Answer)
    assert ("x-llmrouter-dropped", "title") in reply.headers


async def test_a_prompt_is_counted_there_or_here(stage: Stage):
    await gemini(stage)
    await stage.provider("first", "m")
    assert await answered(stage, COUNT_TOKENS, _CONTENTS) == {"totalTokens": 31}
    assert await answered(stage, COUNT_TOKENS, _CONTENTS, model="m") == {"totalTokens": 6}
