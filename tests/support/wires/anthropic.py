"""Anthropic's Messages, at Anthropic and at Vertex AI.

What may be sent are the request types of Anthropic's SDK. Beyond them, from its documentation: the key and the
version, results of tools first and at once behind their calls, no empty texts, budgets between 1024 and the limit,
and thoughts only with the signature that they were given with.
https://platform.claude.com/docs/en/api/messages
"""

import base64
import re
from typing import Any, Final

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming

from tests.support.openai_upstream import Received
from tests.support.wires import script
from tests.support.wires.fake import KEY, WireFake, data_event, need, need_none, with_next
from tests.support.wires.script import TOKENS, Asked, Reply
from tests.support.wires.shape import faults

MODEL: Final = "claude-sonnet-4-5-20250929"
SIGNATURE: Final = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds="
USAGE: Final = {
    "input_tokens": TOKENS.input - TOKENS.cached,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": TOKENS.cached,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": TOKENS.output,
    "output_tokens_details": {"thinking_tokens": TOKENS.reasoning},
    "service_tier": "standard",
}
VERSIONS: Final = ("2023-06-01", "2026-10-21")
_STOPS: Final = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use"}
_ERRORS: Final = {
    400: (400, "invalid_request_error"),
    401: (401, "authentication_error"),
    429: (429, "rate_limit_error"),
    503: (529, "overloaded_error"),
}
_CALL_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")


class AnthropicFake(WireFake):
    """Anthropic."""

    def checked(self, request: Received) -> dict[str, Any]:
        """The body, with its model and whether it streams in it. Raises Complaint."""
        need(request.headers.get("x-api-key") == KEY, "invalid x-api-key")
        need(request.headers.get("anthropic-version") in VERSIONS, "anthropic-version: header is required")
        need(request.path == "/v1/messages", f"there is nothing at {request.path}")
        return request.json

    def understood(self, request: Received) -> Asked:
        body = self.checked(request)
        streamed = bool(body.get("stream"))
        need_none(faults(body, MessageCreateParamsStreaming if streamed else MessageCreateParamsNonStreaming))
        messages: list[Any] = [{**message, "content": _blocks(message["content"])} for message in body["messages"]]
        need(messages[0]["role"] == "user", "messages: first message must use the user role")
        _need_good_thinking(body, messages)
        results = _results(messages)
        last = messages[-1]["content"]
        texts = [block["text"] for block in last if block["type"] == "text"]
        output: dict[str, Any] = body.get("output_config") or {}
        form: dict[str, Any] = output.get("format") or {}
        return Asked(
            text="".join(texts),
            streamed=streamed,
            tools=tuple(tool["name"] for tool in body.get("tools") or ()),
            results=results if any(block["type"] == "tool_result" for block in last) else {},
            images=tuple(_image(block["source"]) for block in last if block["type"] == "image"),
            schema=form.get("schema"),
            thinks=(body.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
            proven=any(block["type"] == "thinking" for message in messages for block in message["content"]),
        )

    def answer(self, said: Reply, request: Received) -> Any:
        return {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": _content(said),
            "stop_reason": _STOPS[said.stop],
            "stop_sequence": None,
            "usage": USAGE,
        }

    def events(self, said: Reply, request: Received) -> list[bytes]:
        message: dict[str, Any] = {**self.answer(said, request), "content": [], "stop_reason": None}
        message["usage"] = {**USAGE, "output_tokens": 1, "output_tokens_details": None}
        made = [_event("message_start", message=message)]
        for index, block in enumerate(_content(said)):
            made.append(_event("content_block_start", index=index, content_block=_empty(block)))
            made += [] if index else [_event("ping")]
            deltas = _deltas(block, said)
            if said.breaks:
                made.append(_event("content_block_delta", index=index, delta=deltas[0]))
                return [*made, _event("error", error=self.error(503, "")[1]["error"])]
            made += [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
            made.append(_event("content_block_stop", index=index))
        delta = {"stop_reason": _STOPS[said.stop], "stop_sequence": None}
        ends = {"output_tokens": TOKENS.output, "output_tokens_details": {"thinking_tokens": TOKENS.reasoning}}
        return [*made, _event("message_delta", delta=delta, usage=ends), _event("message_stop")]

    def error(self, status: int, message: str) -> tuple[int, Any]:
        own, kind = _ERRORS[status]
        said = {"type": kind, "message": message or script.MESSAGE}
        return own, {"type": "error", "error": said, "request_id": "req_01"}


class AnthropicAtVertexFake(AnthropicFake):
    """Anthropic's models at Vertex AI: the model is in the address, the version in the body."""

    place = f"/v1/projects/p/locations/eu/publishers/anthropic/models/{MODEL}"

    def checked(self, request: Received) -> dict[str, Any]:
        need(request.headers.get("authorization", "").startswith("Bearer token-"), "no token, or a wrong one")
        body: dict[str, Any] = request.json
        verb = "streamRawPredict" if body.get("stream") else "rawPredict"
        need(request.path == f"{self.place}:{verb}", f"there is nothing at {request.path}")
        need(body.pop("anthropic_version", "") == "vertex-2023-10-16", "anthropic_version is missing")
        need("model" not in body, "model: Extra inputs are not permitted")
        return {"model": MODEL, **body}


def _blocks(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _need_good_thinking(body: dict[str, Any], messages: list[Any]) -> None:
    thinking: dict[str, Any] = body.get("thinking") or {}
    if thinking.get("type") == "enabled":
        need(1024 <= thinking["budget_tokens"] < body["max_tokens"], "thinking.budget_tokens is out of bounds")
        choice: dict[str, Any] = body.get("tool_choice") or {}
        need(choice.get("type") not in ("any", "tool"), "thinking may not be forced")
        need(body.get("temperature", 1) == 1, "temperature may only be set to 1 when thinking is enabled")
    for message in messages:
        for block in message["content"]:
            need(block["type"] != "text" or block["text"].strip(), "text content blocks must be non-empty")
            if block["type"] == "thinking":
                need(message["role"] == "assistant", "thoughts are the assistant's")
                need(block["signature"] == SIGNATURE, "Invalid `signature` in `thinking` block")
                need(block["thinking"] == script.THOUGHT, "`thinking` blocks cannot be modified")


def _results(messages: list[Any]) -> dict[str, str]:
    """City → what its tool said. Results stand at once behind their calls, and before everything else."""
    results: dict[str, str] = {}
    for message, following in with_next(messages, {"content": []}):
        calls = {block["id"]: block["input"] for block in message["content"] if block["type"] == "tool_use"}
        found: list[Any] = [block for block in following["content"] if block["type"] == "tool_result"]
        need(found == following["content"][: len(found)], "tool_result blocks must come first")
        need({block["tool_use_id"] for block in found} == calls.keys(), "`tool_use` ids without `tool_result` blocks")
        for block in found:
            need(_CALL_ID.fullmatch(block["tool_use_id"]), "a tool's id is of letters, digits, _ and -")
            results[calls[block["tool_use_id"]]["city"]] = "".join(each["text"] for each in _blocks(block["content"]))
    return results


def _image(source: dict[str, Any]) -> bytes:
    need(source["type"] == "base64" and source["media_type"] == "image/png", "the image is not as it was sent")
    return base64.b64decode(source["data"], validate=True)


def _content(said: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thoughts:
        blocks.append({"type": "thinking", "thinking": said.thought, "signature": SIGNATURE})
    if said.pieces:
        blocks.append({"type": "text", "text": said.text, "citations": None})
    return blocks + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in said.calls
    ]


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"thinking": "", "signature": "", "text": "", "input": {}}
    return {**block, **{name: value for name, value in empty.items() if name in block}}


def _deltas(block: dict[str, Any], said: Reply) -> list[dict[str, Any]]:
    match block["type"]:
        case "thinking":
            thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in said.thoughts]
            return [*thoughts, {"type": "signature_delta", "signature": SIGNATURE}]
        case "tool_use":
            (call,) = (call for call in said.calls if call.id == block["id"])
            return [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *call.pieces)]
        case _:
            return [{"type": "text_delta", "text": piece} for piece in said.pieces]


def _event(name: str, **fields: Any) -> bytes:
    return data_event({"type": name, **fields}, name)
