"""generateContent and streamGenerateContent: to Google's own models, and to those of another wire."""

import json
from typing import Any

import pytest

from tests.facade.surfaces.gemini.conftest import KEY, Google
from tests.support import openai_upstream as gpt
from tests.support.database import on_sqlite
from tests.support.gemini_upstream import MODEL, event, response
from tests.support.openai_upstream import Gate, chat, sse

pytestmark = on_sqlite

ASKED = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "of_the_future": {"big": 12345678901234567890}}
PLAIN = {"contents": ASKED["contents"]}
WHOLE = response({"text": "Hello"}, finish="STOP")
MOUNTS = [
    ("/v1beta", "gemini"),
    ("/v1", "gemini"),
    *((f"/proxy/google/{version}", "proxy_google") for version in ("v1", "v1beta")),
]


def events(data: bytes) -> list[Any]:
    """The events of a stream."""
    return [json.loads(each.removeprefix(b"data: ")) for each in data.replace(b"\r", b"").split(b"\n\n") if each]


def said(chunks: list[Any]) -> str:
    """What the model said in the chunks."""
    parts = [part for chunk in chunks for each in chunk["candidates"] for part in each["content"].get("parts", ())]
    return "".join(part.get("text", "") for part in parts)


@pytest.mark.parametrize(("mount", "surface"), MOUNTS)
async def test_an_answer_of_googles_own_passes_to_the_letter(google: Google, mount: str, surface: str):
    async with google.post(f"{mount}/models/{MODEL}:generateContent", ASKED) as answer:
        assert (answer.status, await answer.json()) == (200, WHOLE)
        assert answer.headers["x-llmrouter-provider"] == "google"
        assert answer.headers["x-llmrouter-model"] == MODEL
        assert answer.headers["x-llmrouter-cost-usd"]
        request_id = answer.headers["x-request-id"]
    request = await google.upstream.received()
    assert (request.path, json.loads(request.body)) == (f"/v1beta/models/{MODEL}:generateContent", ASKED)
    assert request.headers["x-goog-api-key"] == KEY
    assert google.router.key not in str(request.headers)
    record = await google.router.record()
    assert (record.request_id, record.surface, record.operation) == (request_id, surface, "generate_content")
    assert (record.input_tokens, record.output_tokens, record.token_source) == (26, 9, "provider")
    assert (record.status_code, record.outcome, record.streamed) == (200, "answered", False)


@pytest.mark.parametrize(("mount", "surface"), MOUNTS)
async def test_a_stream_of_googles_own_passes_to_the_letter(google: Google, mount: str, surface: str):
    async with google.post(f"{mount}/models/{MODEL}:streamGenerateContent?alt=sse", PLAIN) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        chunks = events(await answer.read())
    assert chunks[-1] == response({"text": "lo"}, finish="STOP")
    assert said(chunks) == "Hello"
    record = await google.router.record()
    assert (record.surface, record.streamed, record.output_tokens) == (surface, True, 9)


@pytest.mark.parametrize("query", ["", "?alt=json", "?%24alt=json%3Benum-encoding=int"])
async def test_a_stream_that_is_not_asked_for_as_events_is_an_array(google: Google, query: str):
    async with google.post(f"/v1beta/models/{MODEL}:streamGenerateContent{query}", PLAIN) as answer:
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert said(json.loads(await answer.read())) == "Hello"
    assert (await google.router.record()).streamed


async def test_an_array_grows_as_the_answer_does(google: Google):
    gate = Gate(passes=1)
    pieces = [event(response({"text": "Hel"})), event(response({"text": "lo"}, finish="STOP"))]
    google.upstream.always(sse(pieces, gate=gate))
    async with google.post(f"/v1beta/models/{MODEL}:streamGenerateContent", PLAIN) as answer:
        first = await answer.content.readany()
        assert json.loads(first + b"]") == [response({"text": "Hel"})]
        gate.open()
        assert len(json.loads(first + await answer.content.read())) == 2


async def test_a_long_array_is_as_whole_as_a_short_one(google: Google):
    pieces = [event(response({"text": "x" * 5000})) for _ in range(200)]
    google.upstream.always(sse([*pieces, event(response({"text": "."}, finish="STOP"))]))
    async with google.post(f"/v1beta/models/{MODEL}:streamGenerateContent", PLAIN) as answer:
        assert len(json.loads(await answer.read())) == 201


async def test_a_stream_of_another_form_is_refused(google: Google):
    status, body = await google.answered(f"/v1beta/models/{MODEL}:streamGenerateContent?alt=proto", PLAIN)
    assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert body["error"]["details"][1]["fieldViolations"][0]["field"] == "alt"
    assert google.upstream.requests == []


async def test_a_model_of_another_wire_answers(google: Google):
    status, body = await google.answered("/v1beta/models/gpt-test:generateContent", PLAIN)
    assert status == 200
    (candidate,) = body["candidates"]
    assert candidate["content"] == {"role": "model", "parts": [{"text": "Hello there."}]}
    assert candidate["finishReason"] == "STOP"
    record = await google.router.record()
    assert (record.provider, record.model, record.input_tokens) == ("upstream", "gpt-test", 11)
    assert body["usageMetadata"]["promptTokenCount"] == 11


async def test_so_does_its_stream(google: Google):
    google.openai.always(gpt.stream(("one", "two"), reports="asked"))
    async with google.post("/v1beta/models/gpt-test:streamGenerateContent?alt=sse", PLAIN) as answer:
        assert said(events(await answer.read())) == "onetwo"
    assert (await google.router.record()).token_source == "provider"


async def test_the_built_in_provider_answers(google: Google):
    status, body = await google.answered("/v1beta/models/echo:generateContent", PLAIN)
    assert (status, body["candidates"][0]["finishReason"]) == (200, "STOP")
    assert "Hi" in said([body])


@pytest.mark.parametrize(
    "name",
    ["llama3:8b", "llama3%3A8b", "meta/llama3:8b", "meta%2Fllama3%3A8b", "upstream/llama3:8b", "a:generateContent"],
)
async def test_a_models_id_may_hold_slashes_and_colons(google: Google, name: str):
    google.openai.models = ["llama3:8b", "meta/llama3:8b", "a:generateContent"]
    catalog = google.router.inference.core.deps.catalog
    (candidate,) = catalog.candidates("upstream/gpt-test")
    await catalog.refresh(candidate.upstream.target.id)
    status, _ = await google.answered(f"/v1beta/models/{name}:generateContent", PLAIN)
    assert status == 200
    plain = name.replace("%2F", "/").replace("%3A", ":").removeprefix("upstream/")
    assert google.openai.requests[-1].json["model"] == plain


async def test_the_address_says_whether_to_stream_and_which_model(google: Google):
    status, body = await google.answered(
        f"/v1beta/models/{MODEL}:generateContent", {**PLAIN, "stream": True, "model": "models/other"}
    )
    assert (status, body) == (200, WHOLE)
    assert not (await google.router.record()).streamed


async def test_what_a_provider_can_not_do_is_refused_or_left_out(google: Google):
    asked = {**PLAIN, "cachedContent": "cachedContents/1"}
    status, body = await google.answered("/v1beta/models/gpt-test:generateContent", asked)
    assert status == 400
    assert "cachedContent" in body["error"]["message"]
    headers = {"x-goog-api-key": google.router.key, "x-llmrouter-drop-unsupported": "true"}
    async with google.post("/v1beta/models/gpt-test:generateContent", asked, headers) as answer:
        assert answer.status == 200
        assert "cachedContent" in answer.headers["x-llmrouter-dropped"]


async def test_tools_are_called_across_wires(google: Google):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Graz"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    google.openai.always(chat(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}]))
    tool = {"functionDeclarations": [{"name": "weather", "parameters": {"type": "OBJECT"}}]}
    _, body = await google.answered("/v1beta/models/gpt-test:generateContent", {**PLAIN, "tools": [tool]})
    (part,) = [each for each in body["candidates"][0]["content"]["parts"] if "functionCall" in each]
    assert (part["functionCall"]["name"], part["functionCall"]["args"]) == ("weather", {"city": "Graz"})
