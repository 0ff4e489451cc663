"""A provider that speaks OpenAI's wire on a real socket and behaves, or misbehaves, as a test says.

    async def test_…(openai_upstream: OpenAIUpstream):
        openai_upstream.script(error(429, retry_after="1"), chat("hello"))    one answer to a request, in order
        openai_upstream.always(stream(["Hel", "lo"], gate=gate))              … and then this one for ever
        … register a provider with openai_upstream.base_url, call it …
        request = await openai_upstream.received()
        assert request.json["model"] == "gpt-test"

Without a script it answers every endpoint as it should. A `Gate` holds a stream's events back until
the test lets them through, so that nothing has to sleep. `events()` and the answers take what a bad
provider does as parameters; whatever they don't foresee is `raw(…)`.
"""

import asyncio
import gzip
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

LOCALHOST = "127.0.0.1"
MODEL = "gpt-test"
USAGE: Mapping[str, Any] = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}

# How long a test waits for something that must happen, in seconds.
PATIENCE = 10.0

_CREATED = 1_700_000_000
_REASONS = {200: "OK", 302: "Found", 307: "Temporary Redirect", 400: "Bad Request", 401: "Unauthorized"}


@dataclass(eq=False)
class Received:
    """A request that the provider got."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    query: str = ""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)  # the client went away before the answer's end
    answered: asyncio.Event = field(default_factory=asyncio.Event)  # the whole answer was written

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def streamed(self) -> bool:
        return bool(self.json.get("stream"))

    @property
    def asks_usage(self) -> bool:
        options: dict[str, Any] = self.json.get("stream_options") or {}
        return bool(options.get("include_usage"))


class Wire:
    """The way back to the client, for answers."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.keep_alive = True

    async def send(self, data: bytes) -> None:
        """Writes, and waits while the client reads too slowly."""
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers]
        await self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def hang_up(self) -> None:
        """Closes the connection after what was written, without a proper end."""
        self.keep_alive = False

    def reset(self) -> None:
        """Breaks the connection at once."""
        self.keep_alive = False
        self._writer.transport.abort()


Answer = Callable[[Received, Wire], Awaitable[None]]
"""How the provider answers one request."""


class Gate:
    """Holds events back until a test lets them through."""

    def __init__(self, passes: int = 0) -> None:
        """passes: how many may go at once."""
        self._passes = passes
        self._open = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many events wait now."""
        return len(self._waiting)

    def let(self, count: int = 1) -> None:
        """Lets so many more events through, in the order in which they came."""
        self._passes += count
        self._wake()

    def open(self) -> None:
        """Lets everything through from now on."""
        self._open = True
        self._wake()

    async def wait(self) -> None:
        """Returns when the event may go."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._wake()
        await turn

    def _wake(self) -> None:
        while self._waiting and (self._open or self._passes):
            turn = self._waiting.popleft()
            if not turn.done():  # else who waited was cancelled
                self._passes = max(0, self._passes - 1)
                turn.set_result(None)


def chat(
    text: str = "Hello there.",
    *,
    usage: Mapping[str, Any] | None = USAGE,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> Answer:
    """A complete chat completion. extra: further fields of the body."""
    return whole(json.dumps(chat_body(text, usage=usage, **extra)).encode(), headers=headers)


def chat_body(text: str = "Hello there.", *, usage: Mapping[str, Any] | None = USAGE, **extra: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": _CREATED, "model": MODEL, "choices": [choice]}
    return body | ({"usage": dict(usage)} if usage is not None else {}) | extra


def whole(
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
    compressed: bool = False,
    missing: int = 0,
    gate: Gate | None = None,
) -> Answer:
    """Any body in one piece.

    compressed: by gzip, whether the client asked for it or not; missing: so many bytes more are
    announced than sent before the connection closes; gate: passed before the head.
    """

    async def answer(request: Received, wire: Wire) -> None:
        if gate is not None:
            await gate.wait()
        data = gzip.compress(body) if compressed else body
        announced = [("Content-Type", content_type), ("Content-Length", str(len(data) + missing))]
        packed = [("Content-Encoding", "gzip")] if compressed else []
        await wire.head(status, [*announced, *packed, *(headers or {}).items()])
        await wire.send(data)
        if missing:
            wire.hang_up()

    return answer


def error(
    status: int,
    message: str = "the provider's own words",
    *,
    retry_after: str | None = None,
    body: bytes | None = None,
    content_type: str = "application/json",
) -> Answer:
    """An error answer, as OpenAI words them unless `body` says otherwise."""
    said = {"error": {"message": message, "type": "provider_error", "param": None, "code": None}}
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return whole(body or json.dumps(said).encode(), status=status, content_type=content_type, headers=headers)


def redirect(to: str, status: int = 302) -> Answer:
    """Sends the client elsewhere."""
    return whole(b"", status=status, headers={"Location": to})


def silent() -> Answer:
    """Never answers."""

    async def answer(request: Received, wire: Wire) -> None:
        await asyncio.Event().wait()

    return answer


def refuse() -> Answer:
    """Closes the connection instead of answering."""

    async def answer(request: Received, wire: Wire) -> None:
        wire.reset()

    return answer


def raw(*pieces: bytes) -> Answer:
    """These bytes in place of an HTTP answer, and then the connection closes."""

    async def answer(request: Received, wire: Wire) -> None:
        for piece in pieces:
            await wire.send(piece)
        wire.hang_up()

    return answer


def events(
    texts: Sequence[str],
    *,
    usage: Mapping[str, Any] | None = None,
    finish: str | None = "stop",
    done: bool = True,
    line_end: str = "\n",
    comments: bool = False,
    completion: bool = False,
) -> list[bytes]:
    """The server-sent events of a streamed answer.

    usage: for the last chunk, none where that is None; finish: no finish reason where that is None;
    done: whether the end mark comes; completion: of /completions instead of a chat.
    """
    chunks = [_chunk({"content": text}, completion=completion) for text in texts]
    if not completion:
        chunks.insert(0, _chunk({"role": "assistant", "content": ""}))
    if finish is not None:
        chunks.append(_chunk({}, finish=finish, completion=completion))
    if usage is not None:
        chunks.append(_envelope([], completion=completion) | {"usage": dict(usage)})
    lines = [f"data: {json.dumps(chunk)}" for chunk in chunks] + (["data: [DONE]"] if done else [])
    if comments:
        lines = [each for line in lines for each in (": keep-alive", line)]
    return [f"{line}{line_end}{line_end}".encode() for line in lines]


def _chunk(delta: dict[str, Any], *, finish: str | None = None, completion: bool = False) -> dict[str, Any]:
    said: dict[str, Any] = {"text": delta.get("content", "")} if completion else {"delta": delta}
    return _envelope([{"index": 0, **said, "finish_reason": finish}], completion=completion)


def _envelope(choices: list[dict[str, Any]], *, completion: bool = False) -> dict[str, Any]:
    kind = "text_completion" if completion else "chat.completion.chunk"
    return {"id": "chatcmpl-1", "object": kind, "created": _CREATED, "model": MODEL, "choices": choices}


def stream(
    texts: Sequence[str] = ("Hel", "lo", " there."),
    *,
    usage: Mapping[str, Any] | None = USAGE,
    reports: str = "asked",
    gate: Gate | None = None,
    cut_after: int | None = None,
    **shape: Any,
) -> Answer:
    """A streamed answer; to a request that does not ask for a stream, the same in one piece.

    reports: when the usage comes: "asked", "always" or "never"; gate: passed before each event;
    cut_after: the connection breaks after so many events; shape: as for `events`.
    """

    async def answer(request: Received, wire: Wire) -> None:
        if not request.streamed:
            await whole(json.dumps(chat_body("".join(texts), usage=usage)).encode(), gate=gate)(request, wire)
            return
        reported = usage if reports == "always" or (reports == "asked" and request.asks_usage) else None
        shape.setdefault("completion", _is_completion(request))
        pieces = events(texts, usage=reported, **shape)
        await sse(pieces[:cut_after], gate=gate, cut=cut_after is not None)(request, wire)

    return answer


def sse(
    pieces: Iterable[bytes],
    *,
    gate: Gate | None = None,
    cut: bool = False,
    content_type: str = "text/event-stream",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Any bytes as a stream, each piece in a write of its own.

    gate: passed before each piece; cut: the connection closes without the end that HTTP has for a body.
    """

    async def answer(request: Received, wire: Wire) -> None:
        fields = [("Content-Type", content_type), ("Transfer-Encoding", "chunked"), *(headers or {}).items()]
        await wire.head(200, fields)
        for piece in pieces:
            if gate is not None:
                await gate.wait()
            await wire.chunk(piece)
        if cut:
            wire.hang_up()
        else:
            await wire.send(b"0\r\n\r\n")

    return answer


def resplit(data: bytes, size: int) -> list[bytes]:
    """The same bytes in pieces of another size, wherever that cuts."""
    return [data[start : start + size] for start in range(0, len(data), size)]


class OpenAIUpstream:
    """The provider. Make it with `serve_upstream`."""

    def __init__(self) -> None:
        self.models = [MODEL]
        self.requests: list[Received] = []  # what was POSTed, in order
        self.pulls = 0  # how often the models were asked for
        self.listing: Answer | None = None  # what is answered then; None for `models`
        self.connections = 0  # open now
        self.port = 0
        self._script: list[Answer] = []
        self._by_model: dict[str, Answer] = {}
        self._default: Answer | None = None
        self._arrived: asyncio.Queue[Received] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://{LOCALHOST}:{self.port}/v1"

    @property
    def hang_ups(self) -> int:
        """How many requests were given up by the client before their answer's end."""
        return sum(request.hung_up.is_set() for request in self.requests)

    def script(self, *answers: Answer) -> None:
        """Answers the next requests so, in this order."""
        self._script += answers

    def always(self, answer: Answer | None, *, model: str | None = None) -> None:
        """Answers so whatever no script answers, of one model or of all; None for properly."""
        if model is None:
            self._default = answer
        elif answer is not None:
            self._by_model[model] = answer
        else:
            self._by_model.pop(model, None)

    async def received(self) -> Received:
        """The next request that no call of this has returned yet; waits for it."""
        async with asyncio.timeout(PATIENCE):
            return await self._arrived.get()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        wire = Wire(writer)
        try:
            while wire.keep_alive and (request := await _read(reader)) is not None:
                await self._answer(request, wire, reader)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._tasks.discard(task)
            self.connections -= 1
            with suppress(ConnectionError):
                writer.close()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _answer(self, request: Received, wire: Wire, reader: asyncio.StreamReader) -> None:
        answering = asyncio.ensure_future(self._choose(request)(request, wire))
        watching = asyncio.ensure_future(reader.read(1))  # a client sends nothing before it has its answer
        try:
            await asyncio.wait([answering, watching], return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                request.hung_up.set()
                wire.keep_alive = False
                return
            try:
                await answering
            except ConnectionError:
                request.hung_up.set()
                raise
            request.answered.set()
        finally:
            answering.cancel()
            watching.cancel()
            await asyncio.gather(answering, watching, return_exceptions=True)

    def _choose(self, request: Received) -> Answer:
        if request.method == "GET":
            self.pulls += 1
            return self.listing or self.listed(request)
        self.requests.append(request)
        self._arrived.put_nowait(request)
        if self._script:
            return self._script.pop(0)
        with suppress(ValueError, AttributeError):
            if (answer := self._by_model.get(request.json.get("model"))) is not None:
                return answer
        return self._default or self.properly(request)

    def listed(self, request: Received) -> Answer:
        """The models."""
        listed = [{"id": model, "object": "model", "owned_by": "tests"} for model in self.models]
        return whole(json.dumps({"object": "list", "data": listed}).encode())

    def properly(self, request: Received) -> Answer:
        """What a provider that is in order answers."""
        return _properly(request)


def _properly(request: Received) -> Answer:
    """What a provider that is in order answers."""
    if request.path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
        body = {"object": "list", "data": data, "model": MODEL, "usage": {"prompt_tokens": 5, "total_tokens": 5}}
        return whole(json.dumps(body).encode())
    if _is_completion(request) and not request.streamed:
        choice = {"index": 0, "text": "Hello there.", "finish_reason": "stop", "logprobs": None}
        return whole(json.dumps(_envelope([choice], completion=True) | {"usage": dict(USAGE)}).encode())
    return stream()


def _is_completion(request: Received) -> bool:
    return request.path.endswith("/completions") and not request.path.endswith("/chat/completions")


async def _read(reader: asyncio.StreamReader) -> Received | None:
    """The next request; None where the client has closed the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    path, _, query = path.partition("?")
    return Received(method, path, headers, body, query)


_Provider = TypeVar("_Provider", bound=OpenAIUpstream)


@asynccontextmanager
async def serve_upstream() -> AsyncGenerator[OpenAIUpstream]:
    """Starts a provider on a free port."""
    async with listening(OpenAIUpstream()) as upstream:
        yield upstream


@asynccontextmanager
async def listening(upstream: _Provider) -> AsyncGenerator[_Provider]:
    """A provider on a free port, whatever wire it speaks."""
    server = await asyncio.start_server(upstream.serve, LOCALHOST, 0, backlog=1024)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        upstream.stop()
        await server.wait_closed()


@pytest.fixture
async def openai_upstream() -> AsyncIterator[OpenAIUpstream]:
    """A provider of the test's own."""
    async with serve_upstream() as upstream:
        yield upstream
