"""A provider that speaks Ollama's own wire, and the OpenAI wire beside it, written from its public documentation.

    async def test_…(ollama_upstream: OllamaUpstream):
        … register a provider with ollama_upstream.base_url and type "ollama", call it …

Chats of its own wire come to /api/chat, beside the /v1 of the OpenAI wire.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.openai_upstream import Answer, Gate, OpenAIUpstream, Received, Wire, listening, sse, whole

MODEL = "qwen3:8b"
CREATED = "2026-11-22T05:00:00.123456789Z"
USAGE: Mapping[str, Any] = {"prompt_eval_count": 26, "eval_count": 9}
CALL: Mapping[str, Any] = {"id": "call_9x", "function": {"index": 0, "name": "weather", "arguments": {"city": "Graz"}}}


def line(*, done: str = "", usage: Mapping[str, Any] = USAGE, **message: Any) -> dict[str, Any]:
    """A line of a stream, or a whole answer. done: the reason, of the last one."""
    said = {"model": MODEL, "created_at": CREATED, "message": {"role": "assistant", "content": "", **message}}
    ends = {"done_reason": done, "total_duration": 5_191_566_416, "load_duration": 2_154_458, **usage} if done else {}
    return {**said, "done": bool(done), **ends}


def lines(said: Iterable[Mapping[str, Any]], *, done: str = "stop", usage: Mapping[str, Any] = USAGE) -> list[bytes]:
    """The lines of a streamed answer. said: the message of each but the last."""
    made = [*(line(**message) for message in said), line(done=done, usage=usage)]
    return [json.dumps(each).encode() + b"\n" for each in made]


def stream(*said: Mapping[str, Any], gate: Gate | None = None, last: bytes = b"", **shape: Any) -> Answer:
    """A streamed answer; to a request that does not ask for a stream, the same in one piece."""

    async def answer(request: Received, wire: Wire) -> None:
        if not request.json.get("stream", True):
            joined = {
                name: "".join(message.get(name, "") for message in said)
                for name in ("content", "thinking")
                if any(name in message for message in said)
            }
            calls = [call for message in said for call in message.get("tool_calls", ())]
            message: dict[str, Any] = {**joined, "tool_calls": calls} if calls else {**joined}
            ends: dict[str, Any] = {"done": "stop", **shape}
            await whole(json.dumps(line(**ends, **message)).encode())(request, wire)
            return
        pieces = lines(said, **shape)
        sent = [*pieces[:-1], last] if last else pieces
        await sse(sent, gate=gate, content_type="application/x-ndjson")(request, wire)

    return answer


class OllamaUpstream(OpenAIUpstream):
    """The provider. Make it with `serve_ollama`."""

    def __init__(self) -> None:
        super().__init__()
        self.models = [MODEL]

    def properly(self, request: Received) -> Answer:
        """What Ollama answers."""
        if request.path != "/api/chat":
            return super().properly(request)
        asked = request.json
        if asked["model"] not in self.models:
            return whole(json.dumps({"error": f"model '{asked['model']}' not found"}).encode(), status=404)
        if asked.get("tools"):
            return stream({"tool_calls": [CALL]})
        said = [{"content": "Hel"}, {"content": "lo"}]
        return stream(*([{"thinking": "Let me think."}] if asked.get("think") else []), *said)


@asynccontextmanager
async def serve_ollama() -> AsyncGenerator[OllamaUpstream]:
    """Starts a provider on a free port."""
    async with listening(OllamaUpstream()) as upstream:
        yield upstream


@pytest.fixture
async def ollama_upstream() -> AsyncIterator[OllamaUpstream]:
    """A provider of the test's own."""
    async with serve_ollama() as upstream:
        yield upstream
