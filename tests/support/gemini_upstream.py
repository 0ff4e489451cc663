"""A provider that speaks the Gemini wire, written from its public documentation.

    async with serve_gemini() as upstream:
        … register a provider with upstream.base_url and type "gemini", call it …

The model and whether to stream stand in the path: /v1beta/models/{model}:streamGenerateContent?alt=sse
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.support.openai_upstream import Answer, OpenAIUpstream, Received, listening, sse, whole

MODEL = "gemini-2.5-flash"
USAGE: Mapping[str, Any] = {
    "promptTokenCount": 26,
    "candidatesTokenCount": 6,
    "thoughtsTokenCount": 3,
    "totalTokenCount": 35,
}
_STATUSES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def response(*parts: Mapping[str, Any], finish: str = "", usage: Mapping[str, Any] = USAGE) -> dict[str, Any]:
    """A whole answer, or a chunk of a streamed one."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "resp-1"}


def event(payload: Mapping[str, Any]) -> bytes:
    """A payload as an event of a stream."""
    return b"data: " + json.dumps(payload).encode() + b"\r\n\r\n"


def failure(status: int, message: str, *details: Mapping[str, Any]) -> dict[str, Any]:
    """An error's object."""
    return {"error": {"code": status, "message": message, "status": _STATUSES[status], "details": list(details)}}


def fails(status: int, message: str, *details: Mapping[str, Any]) -> Answer:
    """An error as an answer."""
    return whole(json.dumps(failure(status, message, *details)).encode(), status=status)


class GeminiUpstream(OpenAIUpstream):
    """The provider. Make it with `serve_gemini`."""

    def __init__(self) -> None:
        super().__init__()
        self.models = [MODEL]

    def listed(self, request: Received) -> Answer:
        """The models."""
        methods = ["generateContent", "countTokens"]
        listed = [{"name": f"models/{model}", "supportedGenerationMethods": methods} for model in self.models]
        return whole(json.dumps({"models": listed}).encode())

    def properly(self, request: Received) -> Answer:
        """What Gemini answers."""
        model, _, method = request.path.removeprefix("/v1beta/models/").partition(":")
        if model not in self.models:
            return fails(404, f"models/{model} is not found")
        match method:
            case "generateContent":
                return whole(json.dumps(response({"text": "Hello"}, finish="STOP")).encode())
            case "streamGenerateContent":
                last = response({"text": "lo"}, finish="STOP")
                return sse([event(response({"text": "Hel"}, usage={"promptTokenCount": 26})), event(last)])
            case "batchEmbedContents":
                vectors = [{"values": [3.0, 4.0]} for _ in request.json["requests"]]
                return whole(json.dumps({"embeddings": vectors}).encode())
            case "embedContent":
                return whole(json.dumps({"embedding": {"values": [3.0, 4.0]}}).encode())
            case "countTokens":
                return whole(b'{"totalTokens":31}')
            case _:
                return fails(404, "there is no such method")


@asynccontextmanager
async def serve_gemini() -> AsyncGenerator[GeminiUpstream]:
    """Starts a provider on a free port."""
    async with listening(GeminiUpstream()) as upstream:
        yield upstream
