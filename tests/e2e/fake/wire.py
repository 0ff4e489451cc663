"""What the fake provider says: the bodies and events of OpenAI's API, as pure functions of the request.

Its usage is worked out from the request alone, so that the plain and the streamed answer to one
request cost the same. Fields that begin with "x_" are no part of the API: they come back in "x_received".
"""

import base64
import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

CHAT_MODEL = "gpt-4o-mini"  # a name that has a published price
SLASHED_MODEL = "acme/research/large"
EMBEDDING_MODEL = "text-embedding-3-small"
BREAKING_MODEL, ERRING_MODEL, SILENT_MODEL = "breaks", "errs", "silent"
# Each is always answered with its status.
STATUSES = (400, 401, 403, 404, 409, 422, 429, 500, 503)
MODELS = (
    *(CHAT_MODEL, SLASHED_MODEL, EMBEDDING_MODEL, BREAKING_MODEL, ERRING_MODEL, SILENT_MODEL),
    *(f"answers-{status}" for status in STATUSES),
)

PIECES = ("Hello", " from", " the", " fake", " provider", ".")
DIMENSIONS = 8
SAMPLE = "sample"  # any text that a schema asks for
CREATED = 1_700_000_000
RETRY_AFTER = "7"  # more seconds than the router waits

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What the model says to a request."""

    pieces: Sequence[str]  # of the text, or of a tool call's arguments
    finish: str
    function: str = ""  # of the tool call, "" where the answer is text


def answer_to(body: Body) -> Said:
    """What a chat or a completion is answered."""
    tools: list[Body] = body.get("tools") or []
    messages: list[Body] = body.get("messages") or [{}]
    if tools and messages[-1].get("role") != "tool" and body.get("tool_choice") != "none":
        function: Body = tools[0]["function"]
        return Said(_split(_sample(function.get("parameters") or {})), "tool_calls", function["name"])
    form: Body = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return Said(_split(_sample(form["json_schema"]["schema"])), "stop")
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or len(PIECES)
    return Said(PIECES[:limit], "stop" if limit >= len(PIECES) else "length")


def _sample(schema: Body) -> str:
    return json.dumps(dict.fromkeys(schema.get("properties", {}), SAMPLE))


def _split(text: str) -> list[str]:
    return [text[start : start + 6] for start in range(0, len(text), 6)]


def usage_of(body: Body, said: Said) -> Body:
    """The usage object: a token to a word that comes in, and one to a piece that goes out."""
    prompt = _words(body.get("messages") or body.get("prompt") or "")
    made = len(said.pieces)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
        "prompt_tokens_details": {"cached_tokens": prompt // 2, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": made // 3, "audio_tokens": 0},
    }


def _words(said: Any) -> int:
    if isinstance(said, str):
        return len(said.split())
    if isinstance(said, dict):
        return _words(said.get("content") or said.get("text") or "")  # pyright: ignore[reportUnknownArgumentType] - JSON
    return sum(map(_words, said))


def chat(body: Body) -> Body:
    """A whole chat completion."""
    said = answer_to(body)
    message: Body = {"role": "assistant", "content": "".join(said.pieces), "refusal": None}
    if said.function:
        message |= {"content": None, "tool_calls": [_call(said.function, "".join(said.pieces))]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish}
    return _envelope("chat.completion", body, [choice]) | {"usage": usage_of(body, said)} | _received(body)


def completion(body: Body) -> Body:
    """A whole text completion."""
    said = answer_to(body)
    choice = {"index": 0, "text": "".join(said.pieces), "logprobs": None, "finish_reason": said.finish}
    return _envelope("text_completion", body, [choice]) | {"usage": usage_of(body, said)} | _received(body)


def events(body: Body, *, chats: bool) -> Iterator[bytes]:
    """The server-sent events of a streamed answer."""
    kind = "chat.completion.chunk" if chats else "text_completion"
    options: Body = body.get("stream_options") or {}
    no_usage = {"usage": None} if options.get("include_usage") else {}
    said = answer_to(body)
    for delta, finish in _deltas(said) if chats else [(piece, None) for piece in said.pieces] + [("", said.finish)]:
        choice = {"index": 0, "delta" if chats else "text": delta, "logprobs": None, "finish_reason": finish}
        yield _event(_envelope(kind, body, [choice]) | no_usage | _received(body))
    if options.get("include_usage"):
        yield _event(_envelope(kind, body, []) | {"usage": usage_of(body, said)})
    yield b"data: [DONE]\n\n"


def _deltas(said: Said) -> Iterator[tuple[Body, str | None]]:
    yield {"role": "assistant", "content": None if said.function else ""}, None
    for number, piece in enumerate(said.pieces):
        if not said.function:
            yield {"content": piece}, None
        elif number == 0:
            yield {"tool_calls": [{"index": 0, **_call(said.function, piece)}]}, None
        else:
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None
    yield {}, said.finish


def _call(function: str, arguments: str) -> Body:
    return {"id": "call_1", "type": "function", "function": {"name": function, "arguments": arguments}}


def _envelope(kind: str, body: Body, choices: list[Body]) -> Body:
    return {
        "id": "chatcmpl-fake",
        "object": kind,
        "created": CREATED,
        "model": f"{body['model']}-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
        "choices": choices,
    }


def _received(body: Body) -> Body:
    extra = {name: value for name, value in body.items() if name.startswith("x_")}
    return {"x_received": extra} if extra else {}


def _event(body: Body) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def embeddings(body: Body) -> Body:
    """The vectors of one text or of several."""
    texts: list[str] = [body["input"]] if isinstance(body["input"], str) else body["input"]
    vectors = [vector(text, body.get("dimensions") or DIMENSIONS) for text in texts]
    packed: list[Any] = [
        base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
        if body.get("encoding_format") == "base64"
        else numbers
        for numbers in vectors
    ]
    data = [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(packed)]
    words = _words(texts)
    usage = {"prompt_tokens": words, "total_tokens": words}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage} | _received(body)


def vector(text: str, dimensions: int) -> list[float]:
    """The vector of a text: numbers that a 32-bit float holds exactly."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[place % len(digest)] - 128) / 256 for place in range(dimensions)]


def models() -> Body:
    """The list of models."""
    data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "fake"} for name in MODELS]
    return {"object": "list", "data": data}


def error(message: str, kind: str, code: str | None, param: str | None = None) -> Body:
    """An error object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_event() -> bytes:
    """An error in the middle of a stream."""
    return _event(error("the fake provider gave up", "server_error", "gave_up"))
