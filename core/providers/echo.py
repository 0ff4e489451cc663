"""The built-in provider `echo`: it says what was said to it, so that everything can be tried with no key.

It speaks the OpenAI wire, and in echo_messages.py Anthropic's, without a network: it streams token by
token at a set pace, reports its usage, keeps to `max_tokens`, calls a tool where one is required, and
makes embeddings that are the same for the same text.
"""

import asyncio
import base64
import hashlib
import itertools
import math
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from core.clock import Clock
from core.dialects.counting import count_text
from core.dialects.openai import chat as openai_chat
from core.ids import NewId
from core.providers import echo_messages
from core.providers.upstream import Target
from core.providers.wire import ANTHROPIC, Headers

CHAT_MODEL = "echo"
EMBEDDING_MODEL = "echo-embedding"
_OPENAI = (openai_chat.CHAT, openai_chat.COMPLETION, openai_chat.EMBEDDING)
_DIMENSIONS = 64
_MAX_DIMENSIONS = 4096
_MOST_TOKENS = 65_536  # of an answer, as models have a limit too
_TOKEN = re.compile(r"\s*\S{1,8}")

_encode = msgspec.json.Encoder().encode


class _Body(msgspec.Struct):
    """What echo reads of a request; lenient, as models are."""

    model: str = CHAT_MODEL
    messages: list[dict[str, Any]] = []
    prompt: Any = ""
    input: Any = ""
    stream: bool | None = False
    stream_options: dict[str, Any] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    encoding_format: str | None = None
    dimensions: int | None = None


class EchoReply:
    """An answer made here."""

    headers: Sequence[tuple[str, str]] = ()
    retry_after: float | None = None

    def __init__(self, status: int, content_type: str, pieces: Sequence[bytes], pause: float) -> None:
        """pause: seconds between two pieces."""
        self.status = status
        self.content_type = content_type
        self._pieces = pieces
        self._taken = 0
        self._pause = pause
        self._began = asyncio.get_running_loop().time()
        self._tell: Callable[[], None] | None = None
        self._reminder: asyncio.TimerHandle | None = None

    @property
    def over(self) -> bool:
        return self._taken >= len(self._pieces)

    async def read(self) -> bytes:
        return b"".join(self._pieces)

    def arrived(self) -> bytes:
        due = len(self._pieces)
        if self._pause:
            due = min(due, 1 + int((asyncio.get_running_loop().time() - self._began) / self._pause))
        pieces, self._taken = self._pieces[self._taken : due], max(due, self._taken)
        if self._tell is not None:
            self._remind(self._tell)
        return b"".join(pieces)

    def _remind(self, tell: Callable[[], None]) -> None:
        """Tells when the next piece is due, if there is one."""
        if self._reminder is not None:
            self._reminder.cancel()
        if self._taken < len(self._pieces):
            self._reminder = asyncio.get_running_loop().call_at(self._began + self._taken * self._pause, tell)

    async def more(self) -> None:
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._began + self._taken * self._pause - now))

    def notify(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        tell()

    def close(self) -> None:
        self._pieces, self._tell = (), None
        if self._reminder is not None:
            self._reminder.cancel()


class EchoUpstream:
    """The provider `echo`."""

    asks_usage = True
    objects = None
    operations = frozenset((*_OPENAI, *ANTHROPIC.paths))
    translates_to = openai_chat.CHAT

    def __init__(self, target: Target, clock: Clock, new_id: NewId, tokens_per_second: float) -> None:
        """tokens_per_second: the pace of its streams; 0 for as fast as it goes."""
        self.target = target
        self._clock = clock
        self._new_id = new_id
        self._pause = 1 / tokens_per_second if tokens_per_second else 0.0

    async def models(self) -> list[str]:
        return [CHAT_MODEL, EMBEDDING_MODEL]

    async def send(
        self, operation: str, body: bytes, headers: Headers = (), *, model: str = "", streamed: bool = False
    ) -> EchoReply:
        if operation in ANTHROPIC.paths:
            status, pieces = echo_messages.answer(operation, body, self._new_id("msg"))
            streamed = pieces[0].startswith(b"event:")
            kind = "text/event-stream; charset=utf-8" if streamed else "application/json"
            return EchoReply(status, kind, pieces, self._pause if streamed else 0.0)
        try:
            request = msgspec.json.decode(body, type=_Body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _refusal(str(error))
        if operation == openai_chat.EMBEDDING:
            return self._embed(request)
        if operation == openai_chat.CHAT and not request.messages:
            return _refusal("messages must not be empty")
        return self._complete(operation, request)

    def _complete(self, operation: str, request: _Body) -> EchoReply:
        text = _last_said(request.messages) if operation == openai_chat.CHAT else _joined(request.prompt)
        asked = request.max_completion_tokens if request.max_completion_tokens is not None else request.max_tokens
        limit = _MOST_TOKENS if asked is None else min(max(0, asked), _MOST_TOKENS)
        found = itertools.islice(_TOKEN.finditer(text), limit + 1)
        pieces = [match[0] for match in found] or ["(nothing", " to", " echo)"]
        cut = limit < len(pieces)
        pieces = pieces[:limit]
        tool = _required_tool(request)
        finish = "tool_calls" if tool else "length" if cut else "stop"
        prompt = sum(count_text(_content(message)) + 4 for message in request.messages) or count_text(text)
        made = 1 if tool else len(pieces)
        usage = {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}
        answer = _Answer(
            operation, request.model, self._new_id("chatcmpl"), int(self._clock.now().timestamp()), tool, finish, usage
        )
        if not request.stream:
            return EchoReply(200, "application/json", [answer.whole("".join(pieces))], 0.0)
        with_usage = bool((request.stream_options or {}).get("include_usage"))
        events = answer.events([] if tool else pieces, with_usage=with_usage)
        return EchoReply(200, "text/event-stream; charset=utf-8", events, self._pause)

    def _embed(self, request: _Body) -> EchoReply:
        inputs = _listed(request.input)
        if not inputs or not all(isinstance(text, str) for text in inputs):
            return _refusal("input must be a text or a list of texts")
        size = request.dimensions or _DIMENSIONS
        if not 1 <= size <= _MAX_DIMENSIONS:
            return _refusal(f"dimensions must be from 1 to {_MAX_DIMENSIONS}")
        as_text = request.encoding_format == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": _packed(vector) if as_text else vector}
            for index, vector in enumerate(_vector(text, size) for text in inputs)
        ]
        tokens = sum(map(count_text, inputs))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        body = {"object": "list", "data": data, "model": request.model, "usage": usage}
        return EchoReply(200, "application/json", [_encode(body)], 0.0)


class _Answer(msgspec.Struct):
    """One completion, whole or in events."""

    operation: str
    model: str
    id: str
    created: int
    tool: str
    finish: str
    usage: dict[str, int]

    def whole(self, text: str) -> bytes:
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.finish, "logprobs": None}
        if self.operation == openai_chat.CHAT:
            message = {"role": "assistant", "content": None if self.tool else text, "refusal": None}
            choice["message"] = message | ({"tool_calls": [self._call()]} if self.tool else {})
        else:
            choice["text"] = text
        return _encode(self._envelope([choice]) | {"usage": self.usage})

    def events(self, pieces: Sequence[str], *, with_usage: bool) -> list[bytes]:
        chat = self.operation == openai_chat.CHAT
        first: dict[str, Any] = {"role": "assistant", "content": None if self.tool else ""}
        if self.tool:
            first["tool_calls"] = [{"index": 0, **self._call()}]
        deltas: list[dict[str, Any]] = [first, *({"content": piece} for piece in pieces)]
        events = [self._event(delta=delta) for delta in deltas] if chat else [self._event(text=p) for p in pieces]
        events.append(self._event(finish=self.finish, **({"delta": {}} if chat else {"text": ""})))
        if with_usage:
            events.append(_sse(self._envelope([], chunk=True) | {"usage": self.usage}))
        return [*events[:-1], events[-1] + b"data: [DONE]\n\n"]

    def _event(self, finish: str | None = None, **fields: Any) -> bytes:
        return _sse(self._envelope([{"index": 0, **fields, "logprobs": None, "finish_reason": finish}], chunk=True))

    def _envelope(self, choices: list[dict[str, Any]], *, chunk: bool = False) -> dict[str, Any]:
        kind = "text_completion"
        if self.operation == openai_chat.CHAT:
            kind = "chat.completion.chunk" if chunk else "chat.completion"
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}

    def _call(self) -> dict[str, Any]:
        return {"id": f"call_{self.id}", "type": "function", "function": {"name": self.tool, "arguments": "{}"}}


def _sse(chunk: dict[str, Any]) -> bytes:
    return b"data: " + _encode(chunk) + b"\n\n"


def _refusal(message: str) -> EchoReply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return EchoReply(400, "application/json", [_encode({"error": error})], 0.0)


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return " ".join(_text(part) for part in parts)


def _text(part: Any) -> str:
    return str(cast("dict[str, Any]", part).get("text", "")) if isinstance(part, dict) else ""


def _listed(value: Any) -> list[Any]:
    """A value that may be one or several."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _last_said(messages: list[dict[str, Any]]) -> str:
    return next((_content(m) for m in reversed(messages) if m.get("role") in ("user", "tool")), "")


def _joined(prompt: Any) -> str:
    return " ".join(map(str, _listed(prompt or "")))


def _required_tool(request: _Body) -> str:
    """The tool that must be called, "" for none."""
    names = [_function_name(tool) for tool in request.tools or ()]
    if request.tool_choice == "required":
        return names[0] if names else ""
    wanted = _function_name(request.tool_choice)
    return wanted if wanted in names else ""


def _function_name(tool: Any) -> str:
    """The name in `{"function": {"name": …}}`, "" where there is none."""
    function = cast("dict[str, Any]", tool).get("function") if isinstance(tool, dict) else None
    return str(cast("dict[str, Any]", function).get("name", "")) if isinstance(function, dict) else ""


def _vector(text: str, size: int) -> list[float]:
    """A vector of length 1 that depends on the text alone."""
    numbers: list[float] = []
    for block in itertools.count():
        numbers += [byte / 127.5 - 1 for byte in hashlib.sha256(f"{block}:{text}".encode()).digest()]
        if len(numbers) >= size:
            break
    vector = numbers[:size]
    length = math.sqrt(sum(number * number for number in vector)) or 1.0
    return [number / length for number in vector]


def _packed(vector: list[float]) -> str:
    """Little-endian 32-bit floats in base64, as OpenAI has them."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
