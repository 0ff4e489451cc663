"""Ollama's own /api/chat.

The fields that may be sent are those of its documentation. Beyond them: what a tool brought is told by the name or
the id of the call, and images are bare base64.
https://docs.ollama.com/api/chat
"""

import base64
import json
from typing import Any, Final, Literal, Required

from typing_extensions import TypedDict

from tests.support.openai_upstream import Answer, Received
from tests.support.wires import script
from tests.support.wires.fake import KEY, WireFake, need, need_none
from tests.support.wires.openai import CompatibleFake
from tests.support.wires.script import TOKENS, Asked, Reply
from tests.support.wires.shape import faults

MODEL: Final = "qwen3:8b"
_CREATED: Final = "2026-11-22T05:00:00.123456789Z"
_ERRORS: Final = {400: 400, 401: 401, 429: 429, 503: 503}


class Function(TypedDict, total=False):
    index: int
    name: Required[str]
    description: str
    arguments: Required[dict[str, Any]]


class ToolCall(TypedDict, total=False):
    id: str
    function: Required[Function]


class Message(TypedDict, total=False):
    role: Required[Literal["system", "user", "assistant", "tool"]]
    content: str
    thinking: str
    images: list[str]
    tool_calls: list[ToolCall]
    tool_name: str
    tool_call_id: str


class Declared(TypedDict, total=False):
    name: Required[str]
    description: str
    parameters: Required[dict[str, Any]]


class Tool(TypedDict):
    type: Literal["function"]
    function: Declared


class Options(TypedDict, total=False):
    num_keep: int
    seed: int
    num_predict: int
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    repeat_last_n: int
    temperature: float
    repeat_penalty: float
    presence_penalty: float
    frequency_penalty: float
    stop: list[str]
    num_ctx: int
    num_batch: int
    num_gpu: int
    main_gpu: int
    use_mmap: bool
    num_thread: int


class ChatRequest(TypedDict, total=False):
    model: Required[str]
    messages: Required[list[Message]]
    tools: list[Tool]
    think: bool | Literal["low", "medium", "high", "max"]
    format: Literal["json"] | dict[str, Any]
    options: Options
    stream: bool
    keep_alive: str | int
    logprobs: bool
    top_logprobs: int
    truncate: bool
    shift: bool


class OllamaFake(WireFake):
    """Ollama."""

    stream_type = "application/x-ndjson"

    def __init__(self) -> None:
        super().__init__()
        self._openai = CompatibleFake()
        self._openai.complaints = self.complaints

    def properly(self, request: Received) -> Answer:
        """What Ollama answers; the OpenAI wire beside its own is as everybody has it."""
        return (self._openai if request.path.startswith("/v1/") else super()).properly(request)

    def understood(self, request: Received) -> Asked:
        need(request.headers.get("authorization") == f"Bearer {KEY}", "no key, or a wrong one")
        need(request.path == "/api/chat", f"there is nothing at {request.path}")
        body = request.json
        need_none(faults(body, ChatRequest))
        messages: list[Any] = body["messages"]
        last = next(message for message in reversed(messages) if message["role"] == "user")
        form = body.get("format")
        return Asked(
            text=last["content"],
            streamed=body.get("stream", True),
            tools=tuple(tool["function"]["name"] for tool in body.get("tools", ())),
            results=_results(messages),
            images=tuple(base64.b64decode(image, validate=True) for image in last.get("images", ())),
            schema=form if isinstance(form, dict) else None,
            thinks=body.get("think", False) is not False,
            proven=any(message.get("thinking") == script.THOUGHT for message in messages),
        )

    def answer(self, said: Reply, request: Received) -> Any:
        fields: dict[str, Any] = {"content": said.text}
        if said.thoughts:
            fields["thinking"] = said.thought
        if said.calls:
            fields["tool_calls"] = _calls(said)
        return _line(_done(said), **fields)

    def events(self, said: Reply, request: Received) -> list[bytes]:
        made = [_line(content="", thinking=piece) for piece in said.thoughts]
        made += [_line(content=piece) for piece in said.pieces]
        made += [_line(content="", tool_calls=[call]) for call in _calls(said)]
        made = [made[0], {"error": script.MESSAGE}] if said.breaks else [*made, _line(_done(said), content="")]
        return [json.dumps(line).encode() + b"\n" for line in made]

    def error(self, status: int, message: str) -> tuple[int, Any]:
        return _ERRORS[status], {"error": message or script.MESSAGE}


def _results(messages: list[Any]) -> dict[str, str]:
    """City → what its tool said, where the last message is such."""
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    results: dict[str, str] = {}
    for message in (message for message in messages if message["role"] == "tool"):
        (call,) = (call for call in calls if call["id"] == message["tool_call_id"])
        need(message["tool_name"] == call["function"]["name"], "a result has its tool's name")
        results[call["function"]["arguments"]["city"]] = message["content"]
    need(len(calls) == len(results), "each call has its result")
    return results if messages[-1]["role"] == "tool" else {}


def _calls(said: Reply) -> list[Any]:
    return [
        {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}
        for index, call in enumerate(said.calls)
    ]


def _done(said: Reply) -> str:
    return "length" if said.stop == "length" else "stop"


def _line(done: str = "", **message: Any) -> dict[str, Any]:
    said = {"model": MODEL, "created_at": _CREATED, "message": {"role": "assistant", **message}}
    ends: dict[str, Any] = {}
    if done:
        ends = {"done_reason": done, "total_duration": 5_191_566_416, "load_duration": 2_154_458}
        ends |= {"prompt_eval_count": TOKENS.input, "prompt_eval_duration": 383_809_000}
        ends |= {"eval_count": TOKENS.output, "eval_duration": 4_799_921_000}
    return {**said, "done": bool(done), **ends}
