"""A provider that speaks Anthropic's wire on a real socket, written from its public documentation.

    async def test_…(anthropic_upstream: AnthropicUpstream):
        anthropic_upstream.script(error(529, "overloaded_error"), message("hello"))
        anthropic_upstream.always(stream(gate=gate))
        … register a provider with anthropic_upstream.base_url and type "anthropic", call it …

Without a script it answers as the API does: it refuses what the API refuses (no key, no version, no
`max_tokens`, a model that it does not have), thinks where it is asked to, calls a tool where it must, and
reports what it read from and wrote to its cache. Scripts, gates and bare bytes are those of openai_upstream.py.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.support.openai_upstream import Answer, Gate, OpenAIUpstream, Received, Wire, listening, sse, whole

MODEL = "claude-sonnet-4-6"  # which has a published price
KEY = "sk-ant-the-key-of-the-upstream"
VERSIONS = ("2023-06-01", "2026-10-21")
TEXTS = ("Hel", "lo", " there.")
THOUGHTS = ("Let me", " think.")
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"
ARGUMENTS = ('{"city": ', '"Graz"}')
USAGE: Mapping[str, Any] = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 9,
    "service_tier": "standard",
}
CACHED_USAGE: Mapping[str, Any] = {
    **USAGE,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
}
COUNTED = 2095

_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}


def text_block(texts: Sequence[str] = TEXTS) -> dict[str, Any]:
    return {"type": "text", "text": "".join(texts)}


def thinking_block() -> dict[str, Any]:
    return {"type": "thinking", "thinking": "".join(THOUGHTS), "signature": SIGNATURE}


def tool_block(name: str = "weather") -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_01", "name": name, "input": json.loads("".join(ARGUMENTS))}


def message_body(
    *blocks: dict[str, Any], usage: Mapping[str, Any] | None = USAGE, model: str = MODEL, **extra: Any
) -> dict[str, Any]:
    """A whole message; one without blocks says hello."""
    content = list(blocks) or [text_block()]
    stop = "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"
    body: dict[str, Any] = {"id": "msg_01", "type": "message", "role": "assistant", "model": model, "content": content}
    body |= {"stop_reason": stop, "stop_sequence": None}
    return body | ({"usage": dict(usage)} if usage is not None else {}) | extra


def message(*blocks: dict[str, Any], headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
    """A message in one piece. fields: as for `message_body`."""
    sent = {"request-id": "req_of_the_provider", **(headers or {})}
    return whole(json.dumps(message_body(*blocks, **fields)).encode(), headers=sent)


def error_body(type_: str, message: str = "the provider's own words") -> dict[str, Any]:
    return {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_of_the_provider"}


def error(type_: str, message: str = "the provider's own words", *, retry_after: str | None = None) -> Answer:
    """An error answer."""
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return whole(json.dumps(error_body(type_, message)).encode(), status=_STATUSES[type_], headers=headers)


def event(name: str, **fields: Any) -> bytes:
    """A server-sent event, whose name stands in its data too."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def error_event(type_: str = "overloaded_error", message: str = "Overloaded") -> bytes:
    """The event that ends a stream in the middle."""
    return event("error", error={"type": type_, "message": message})


def events(
    *blocks: dict[str, Any], usage: Mapping[str, Any] | None = USAGE, model: str = MODEL, complete: bool = True
) -> list[bytes]:
    """The events of a streamed message. usage: None for none; complete: whether its end comes."""
    whole_message = message_body(*blocks, model=model)
    begun: dict[str, Any] = {**whole_message, "content": [], "stop_reason": None}
    del begun["usage"]
    if usage is not None:
        begun["usage"] = {**usage, "output_tokens": 1}
    made = [event("message_start", message=begun)]
    for index, block in enumerate(whole_message["content"]):
        made += _block_events(index, block)
        if index == 0:
            made.insert(2, event("ping"))
    end: dict[str, Any] = {"delta": {"stop_reason": whole_message["stop_reason"], "stop_sequence": None}}
    if usage is not None:
        end["usage"] = {"output_tokens": usage["output_tokens"]}
    return [*made, event("message_delta", **end), event("message_stop")] if complete else made


def _block_events(index: int, block: dict[str, Any]) -> list[bytes]:
    begun = dict(block)
    match block["type"]:
        case "thinking":
            begun |= {"thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in THOUGHTS]
            deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        case "tool_use":
            begun["input"] = {}
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *ARGUMENTS)]
        case _:
            begun["text"] = ""
            pieces = TEXTS if block["text"] == "".join(TEXTS) else (block["text"],)
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return [
        event("content_block_start", index=index, content_block=begun),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def stream(
    *blocks: dict[str, Any], gate: Gate | None = None, cut_after: int | None = None, last: bytes = b"", **shape: Any
) -> Answer:
    """A streamed message; to a request that does not ask for a stream, the same in one piece.

    gate: passed before each event; cut_after: the connection breaks after so many events, and after `last`;
    shape: as for `events`.
    """

    async def answer(request: Received, wire: Wire) -> None:
        if not request.streamed:
            await message(*blocks, **shape)(request, wire)
            return
        pieces = events(*blocks, **shape)[:cut_after] + ([last] if last else [])
        headers = {"request-id": "req_of_the_provider", "Cache-Control": "no-cache"}
        cut = cut_after is not None and not last
        await sse(pieces, gate=gate, cut=cut, content_type="text/event-stream; charset=utf-8", headers=headers)(
            request, wire
        )

    return answer


class AnthropicUpstream(OpenAIUpstream):
    """The provider. Make it with `serve_anthropic`."""

    def __init__(self) -> None:
        super().__init__()
        self.models = [MODEL]
        self.page_size = 1000  # at most

    def listed(self, request: Received) -> Answer:
        """A page of the models."""
        if request.headers.get("x-api-key") != KEY:
            return error("authentication_error", "invalid x-api-key")
        asked = parse_qs(request.query)
        after = asked.get("after_id", [""])[0]
        start = self.models.index(after) + 1 if after else 0
        page = self.models[start : start + min(self.page_size, int(asked.get("limit", ["20"])[0]))]
        data = [
            {"type": "model", "id": model, "display_name": model, "created_at": "2025-02-19T00:00:00Z"}
            for model in page
        ]
        ends = {"first_id": page[0] if page else None, "last_id": page[-1] if page else None}
        body = {"data": data, "has_more": start + len(page) < len(self.models), **ends}
        return whole(json.dumps(body).encode())

    def properly(self, request: Received) -> Answer:
        """What the API answers."""
        return self._refusal(request) or self._good(request)

    def _refusal(self, request: Received) -> Answer | None:
        if request.headers.get("x-api-key") != KEY:
            return error("authentication_error", "invalid x-api-key")
        if request.headers.get("anthropic-version") not in VERSIONS:
            return error("invalid_request_error", "anthropic-version: header is required")
        body = request.json
        if body.get("model") not in self.models:
            return error("not_found_error", f"model: {body.get('model')}")
        if request.path.endswith("/count_tokens"):
            return None
        if not isinstance(body.get("max_tokens"), int):
            return error("invalid_request_error", "max_tokens: Field required")
        return None

    def _good(self, request: Received) -> Answer:
        body = request.json
        if request.path.endswith("/count_tokens"):
            return whole(json.dumps({"input_tokens": COUNTED}).encode())
        usage = CACHED_USAGE if b'"cache_control"' in request.body else USAGE
        blocks: list[dict[str, Any]] = []
        if (body.get("thinking") or {}).get("type") == "enabled":
            blocks.append(thinking_block())
            usage = {**usage, "output_tokens_details": {"thinking_tokens": 4}}
        choice: dict[str, Any] = body.get("tool_choice") or {}
        if choice.get("type") in ("any", "tool"):
            blocks.append(tool_block(choice.get("name") or body["tools"][0]["name"]))
        else:
            blocks.append(text_block())
        return stream(*blocks, usage=usage, model=body["model"])


@asynccontextmanager
async def serve_anthropic() -> AsyncGenerator[AnthropicUpstream]:
    """Starts a provider on a free port."""
    async with listening(AnthropicUpstream()) as upstream:
        yield upstream


@pytest.fixture
async def anthropic_upstream() -> AsyncIterator[AnthropicUpstream]:
    """A provider of the test's own."""
    async with serve_anthropic() as upstream:
        yield upstream
