"""Callers in front of Ollama: the OpenAI wire passes through, and chats of other wires go to Ollama's own."""

import json
from typing import Any

import pytest

from core.auth import NOBODY
from core.dialects.anthropic.messages import MESSAGES
from core.dialects.ollama.chat import CHAT
from core.dialects.responses.request import RESPONSES
from core.errors import StreamInterrupted
from core.providers.http_upstream import HttpUpstream
from core.routing.reply import Answer, Ask
from core.routing.stream import Streamed
from tests.core.routing.conftest import Stage, rest_of
from tests.support.ollama_upstream import MODEL, OllamaUpstream, serve_ollama, stream


async def provider(stage: Stage, type_: str = "ollama") -> OllamaUpstream:
    upstream = await stage.stack.enter_async_context(serve_ollama())
    await stage.declare("local", type=type_, base_url=upstream.base_url, api_key=None)
    return upstream


async def ask(stage: Stage, operation: str, **body: Any) -> Answer | Streamed:
    surface = "anthropic" if operation == MESSAGES else "openai"
    return await stage.pipeline.run(
        Ask("req_1", operation, surface, NOBODY, json.dumps({"model": MODEL, **body}).encode())
    )


async def test_a_chat_of_the_openai_wire_passes_through(stage: Stage):
    upstream = await provider(stage)
    await stage.answer(MODEL)
    assert upstream.requests[0].path == "/v1/chat/completions"


async def test_a_chat_of_another_wire_goes_to_its_own(stage: Stage):
    upstream = await provider(stage, "ollama-cloud")
    said = {"max_tokens": 50, "top_k": 7, "messages": [{"role": "user", "content": "Hi"}]}
    reply = await ask(stage, MESSAGES, **said)
    assert isinstance(reply, Answer)
    assert json.loads(reply.body)["content"] == [{"type": "text", "text": "Hello"}]
    (request,) = upstream.requests
    assert request.path == "/api/chat"
    assert request.json == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
        "options": {"num_predict": 50, "top_k": 7},
    }
    record = await stage.record()
    assert (record.input_tokens, record.output_tokens, record.token_source) == (26, 9, "provider")


async def test_a_stream_of_another_wire_is_made_of_lines(stage: Stage):
    await provider(stage, "ollama-cloud")
    said = {"max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    reply = await ask(stage, MESSAGES, **said, thinking={"type": "enabled", "budget_tokens": 1024})
    assert isinstance(reply, Streamed)
    data = await rest_of(reply)
    assert b'"thinking_delta","thinking":"Let me think."' in data
    assert data.count(b"event: message_stop") == 1
    record = await stage.record()
    assert (record.input_tokens, record.output_tokens) == (26, 9)


async def test_a_line_with_an_error_ends_the_stream_with_one(stage: Stage):
    upstream = await provider(stage, "ollama-cloud")
    upstream.always(stream({"content": "Hel"}, last=b'{"error": "the runner has stopped"}\n'))
    said = {"max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    reply = await ask(stage, MESSAGES, **said)
    assert isinstance(reply, Streamed)
    data = await rest_of(reply)
    assert b"event: error" in data
    assert b"the runner has stopped" in data


async def test_a_stream_without_its_last_line_is_not_complete(stage: Stage):
    upstream = await provider(stage, "ollama-cloud")
    upstream.always(stream({"content": "Hel"}, {"content": "lo"}, last=b"\n"))
    said = {"max_tokens": 50, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    reply = await ask(stage, MESSAGES, **said)
    assert isinstance(reply, Streamed)
    with pytest.raises(StreamInterrupted):
        await rest_of(reply)


async def test_its_own_wire_is_what_is_translated_to(stage: Stage):
    await provider(stage)
    (candidate,) = stage.catalog.candidates(MODEL)
    assert isinstance(candidate.upstream, HttpUpstream)
    assert candidate.upstream.translates_to == CHAT
    assert {MESSAGES, RESPONSES} <= candidate.upstream.operations
