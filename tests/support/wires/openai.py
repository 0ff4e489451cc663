"""OpenAI's chat completions, text completions and embeddings.

What may be sent are the request types of OpenAI's SDK. Beyond them, from its documentation: the key, no streams'
options without a stream, one name for the limit, and a result for each tool call before anybody else speaks.
https://platform.openai.com/docs/api-reference/chat
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.completion_create_params import CompletionCreateParamsNonStreaming as TextParams
from openai.types.completion_create_params import CompletionCreateParamsStreaming as StreamedTextParams
from openai.types.embedding_create_params import EmbeddingCreateParams

from tests.support.openai_upstream import Answer, Received, whole
from tests.support.wires import script
from tests.support.wires.fake import KEY, Complaint, WireFake, data_event, image_in, need, need_none
from tests.support.wires.responses import ResponsesFake
from tests.support.wires.script import TOKENS, Asked, Reply
from tests.support.wires.shape import faults

MODEL: Final = "gpt-5.2"
VECTOR: Final = (0.25, -0.5, 0.125)
USAGE: Final = {
    "prompt_tokens": TOKENS.input,
    "completion_tokens": TOKENS.output,
    "total_tokens": TOKENS.input + TOKENS.output,
    "prompt_tokens_details": {"cached_tokens": TOKENS.cached, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": TOKENS.reasoning,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
_CREATED: Final = 1_763_000_000
_STOPS: Final = {"stop": "stop", "length": "length", "tool": "tool_calls"}
_ERRORS: Final = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("server_error", None),
}
_PATHS: Final[Mapping[str, tuple[Any, Any]]] = {
    "chat/completions": (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming),
    "completions": (TextParams, StreamedTextParams),
    "embeddings": (EmbeddingCreateParams, EmbeddingCreateParams),
}


class OpenAIFake(WireFake):
    """OpenAI."""

    key: tuple[str, str] = ("authorization", f"Bearer {KEY}")
    prefix = "/v1/"
    embeds = "embeddings"
    limit_fields = frozenset({"max_completion_tokens"})
    knows_developers = True
    shows_thoughts = False

    def __init__(self) -> None:
        super().__init__()
        self._responses = ResponsesFake()
        self._responses.key, self._responses.path = self.key, f"{self.prefix}responses"
        self._responses.complaints = self.complaints

    def properly(self, request: Received) -> Answer:
        if request.path == self._responses.path:
            return self._responses.properly(request)
        if request.path.removeprefix(self.prefix) != self.embeds:
            return super().properly(request)
        body = request.json
        for fault in faults(body, EmbeddingCreateParams):
            self.complaints.append(fault)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [{"object": "embedding", "index": number, "embedding": VECTOR} for number in range(len(texts))]
        usage = {"prompt_tokens": TOKENS.input, "total_tokens": TOKENS.input}
        return whole(json.dumps({"object": "list", "data": data, "model": MODEL, "usage": usage}).encode())

    def understood(self, request: Received) -> Asked:
        header, value = self.key
        need(request.headers.get(header) == value, "no key, or a wrong one")
        kind = self._kind(request)
        body = request.json
        thoughts = self._thoughts(body)
        need_none(faults(body, _PATHS[kind][bool(body.get("stream"))]))
        need(request.streamed or "stream_options" not in body, "stream_options without a stream")
        if kind == "completions":
            return Asked(text=body["prompt"], streamed=request.streamed)
        limits = {"max_tokens", "max_completion_tokens"} & body.keys()
        need(len(limits) == 1 and limits <= self.limit_fields, f"the limit is {limits}, not {self.limit_fields}")
        need(self.knows_developers or all(each["role"] != "developer" for each in body["messages"]), "unknown role")
        messages: list[Any] = body["messages"]
        results = _results(messages)
        last = next(message for message in reversed(messages) if message["role"] == "user")
        form: dict[str, Any] = body.get("response_format") or {}
        need(form.get("type") != "json_schema" or form["json_schema"].get("name"), "a schema has a name")
        return Asked(
            text=_text(last["content"]),
            streamed=request.streamed,
            tools=tuple(tool["function"]["name"] for tool in body.get("tools") or ()),
            results=results if messages[-1]["role"] == "tool" else {},
            images=_images(last["content"]),
            schema=form.get("json_schema", {}).get("schema"),
            thinks=body.get("reasoning_effort", "none") != "none",
            proven=script.THOUGHT in thoughts,
        )

    def _thoughts(self, body: Any) -> list[str]:
        """Takes out what only servers know that show thoughts: those of earlier turns."""
        messages: list[Any] = body.get("messages", [])
        for message in messages:  # part of what comes, and taken back though the types don't know it
            message.pop("annotations", None)
        if not self.shows_thoughts:
            return []
        return [message.pop("reasoning_content") for message in messages if "reasoning_content" in message]

    def answer(self, said: Reply, request: Received) -> Any:
        common = {"id": "chatcmpl-1", "created": _CREATED, "model": MODEL, "usage": USAGE, "system_fingerprint": "fp_1"}
        ends = {"index": 0, "finish_reason": _STOPS[said.stop], "logprobs": None}
        if self._kind(request) == "completions":
            return {**common, "object": "text_completion", "choices": [{**ends, "text": said.text}]}
        message: dict[str, Any] = {
            "role": "assistant",
            "content": said.text or None,
            "refusal": None,
            "annotations": [],
        }
        if said.thoughts and self.shows_thoughts:
            message["reasoning_content"] = said.thought
        if said.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": "".join(call.pieces)},
                }
                for call in said.calls
            ]
        choices = [{**ends, "message": message}]
        return {**common, "object": "chat.completion", "choices": choices, "service_tier": "default"}

    def events(self, said: Reply, request: Received) -> list[bytes]:
        is_text = self._kind(request) == "completions"
        asks = request.asks_usage
        shared = {
            "id": "chatcmpl-1",
            "object": "text_completion" if is_text else "chat.completion.chunk",
            "created": _CREATED,
            "model": MODEL,
            **({"usage": None} if asks else {}),
        }

        def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
            spoken: dict[str, Any] = {"text": delta.get("content", "")} if is_text else {"delta": delta}
            choice = {"index": 0, **spoken, "logprobs": None, "finish_reason": reason}
            return data_event({**shared, "choices": [choice]})

        made = [] if is_text else [chunk({"role": "assistant", "content": "", "refusal": None})]
        if self.shows_thoughts:
            made += [chunk({"reasoning_content": piece}) for piece in said.thoughts]
        made += [chunk({"content": piece}) for piece in said.pieces]
        for index, call in enumerate(said.calls):
            function = {"name": call.name, "arguments": ""}
            begun = {"index": index, "id": call.id, "type": "function", "function": function}
            made.append(chunk({"tool_calls": [begun]}))
            made += [
                chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in call.pieces
            ]
        if said.breaks:
            return [*made[: len(made) - len(said.pieces) + 1], data_event(self.error(503, "")[1])]
        made.append(chunk({}, _STOPS[said.stop]))
        if asks:
            made.append(data_event({**shared, "choices": [], "usage": USAGE}))
        return [*made, b"data: [DONE]\n\n"]

    def error(self, status: int, message: str) -> tuple[int, Any]:
        kind, code = _ERRORS[status]
        said = {"message": message or script.MESSAGE, "type": kind, "param": None, "code": code}
        return status, {"error": said}

    def _kind(self, request: Received) -> str:
        kind = request.path.removeprefix(self.prefix)
        if kind not in _PATHS:
            raise Complaint(f"there is nothing at {request.path}")
        return kind


class CompatibleFake(OpenAIFake):
    """A server of the same wire: it has the old name of the limit and no developers, and shows thoughts."""

    limit_fields = frozenset({"max_completion_tokens", "max_tokens"})
    knows_developers = False
    shows_thoughts = True


class AzureFake(OpenAIFake):
    """Azure's OpenAI, its present API."""

    key = ("api-key", KEY)
    prefix = "/openai/v1/"


class AzureDeploymentFake(AzureFake):
    """Its API of old: an address for each deployment, and the date of the API in every request."""

    prefix = f"/openai/deployments/{MODEL}/"

    def understood(self, request: Received) -> Asked:
        need(request.query == "api-version=2024-10-21", "Resource not found: the API version is missing")
        return super().understood(request)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _images(content: Any) -> tuple[bytes, ...]:
    parts = () if isinstance(content, str) else content
    return tuple(image_in(part["image_url"]["url"]) for part in parts if part["type"] == "image_url")


def _results(messages: list[Any]) -> dict[str, str]:
    """City → what its tool said; each call must have its result before anything else comes."""
    calls: dict[str, Any] = {}
    waiting: list[str] = []
    results: dict[str, str] = {}
    for message in messages:
        if message["role"] == "tool":
            need(message["tool_call_id"] in waiting, "a tool's message answers a call of the message before it")
            waiting.remove(message["tool_call_id"])
            results[calls[message["tool_call_id"]]["city"]] = _text(message["content"])
            continue
        need(not waiting, "each tool call must be followed by its result")
        for call in message.get("tool_calls") or ():
            calls[call["id"]] = json.loads(call["function"]["arguments"])
            waiting.append(call["id"])
    need(not waiting, "each tool call must be followed by its result")
    return results
