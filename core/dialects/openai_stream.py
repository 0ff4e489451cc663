"""The OpenAI wire as a stream of server-sent events: accounting with as little looking as possible.

    network reads ─► whole events (a torn one waits for its rest) ─► the caller
                        ├─ an event with the usage: read, and hidden if the caller did not ask for it
                        └─ kept aside, 32 kB at most, to be counted only where no usage comes

Most blocks cost two searches for a literal. Events may be split anywhere by the network, inside a
UTF-8 character or a line end too; lines may end in LF or CRLF.
"""

import re
from collections.abc import Iterator

import msgspec

from core.dialects.counting import count_text
from core.dialects.openai_chat import Usage
from core.dialects.tokens import COUNTED, Tokens

# A quotation mark inside a JSON string is escaped, so this never matches what a model said.
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')
_DONE = b"[DONE]"

# How much is kept aside before it is counted and let go.
_ASIDE_BYTES = 32 * 1024
# An event larger than this is passed on unread, so that memory has a bound.
MAX_EVENT_BYTES = 4 * 1024 * 1024


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: msgspec.Raw = msgspec.Raw(b"null")


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: Usage | None = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class StreamMeter:
    """Follows one stream. Feed it what the network brings, relay what it returns."""

    __slots__ = ("_aside", "_aside_size", "_counted", "_hide_usage", "_rest", "done", "finished", "usage")

    def __init__(self, *, hide_usage: bool) -> None:
        """hide_usage: the usage was asked for by us, not by the caller."""
        self._hide_usage = hide_usage
        self._rest = b""
        self._aside: list[bytes] = []
        self._aside_size = 0
        self._counted = 0
        self.usage: Tokens | None = None
        self.finished = False  # a finish_reason was seen
        self.done = False  # the stream's own end mark was seen

    def feed(self, data: bytes) -> bytes:
        """Takes what one read brought; returns what the caller shall have of it, perhaps nothing yet."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if not data.endswith(b"\n\n"):
            cut = _last_event_end(data)
            if len(data) - cut > MAX_EVENT_BYTES:
                cut = len(data)
            data, self._rest = data[:cut], data[cut:]
            if not data:
                return b""
        self._aside.append(data)
        self._aside_size += len(data)
        if self._aside_size > _ASIDE_BYTES:
            self._count_aside()
        if _USAGE.search(data) is not None:
            data = self._take_usage(data)
        if _DONE in data[-40:]:
            self.done = True
        return data

    def end(self) -> bytes:
        """Takes note of the stream's end; returns what was left of a last event without its blank line."""
        rest, self._rest = self._rest, b""
        if rest:
            self._aside.append(rest)
            if _DONE in rest[-40:]:
                self.done = True
        return rest

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end: by the end mark, or by a finish reason where a vendor has no mark."""
        if not self.done and not self.finished:
            self._count_aside()
        return self.done or self.finished

    def output_tokens(self) -> int:
        """Output tokens so far: as reported, else counted."""
        if self.usage is not None:
            return self.usage.output
        self._count_aside()
        return self._counted

    def tokens(self, prompt_tokens: int) -> Tokens:
        """What the stream used; `prompt_tokens` counts only where the provider reported nothing."""
        if self.usage is not None:
            return self.usage
        return Tokens(input=prompt_tokens, output=self.output_tokens(), source=COUNTED)

    def _take_usage(self, data: bytes) -> bytes:
        """Reads the usage; drops the event that holds it where the caller did not ask for it."""
        kept: list[bytes] = []
        for event in _events(data):
            chunk = _chunk(event) if _USAGE.search(event) is not None else None
            if chunk is not None and chunk.usage is not None:
                self.usage = chunk.usage.tokens()
                if self._hide_usage and not chunk.choices:
                    continue
            kept.append(event)
        return b"".join(kept)

    def _count_aside(self) -> None:
        """Counts what was kept aside, and lets it go."""
        aside, self._aside, self._aside_size = b"".join(self._aside), [], 0
        if not aside:
            return
        if not self.finished and _FINISH.search(aside) is not None:
            self.finished = True
        texts: list[str] = []
        for event in _events(aside):
            chunk = _chunk(event)
            for choice in (chunk.choices if chunk else None) or ():
                texts.append(choice.text or "")
                if choice.delta is not None:
                    texts += _texts(choice.delta)
        self._counted += count_text("".join(texts))


def _texts(delta: _Delta) -> list[str]:
    calls = bytes(delta.tool_calls)
    return [
        delta.content or "",
        delta.reasoning_content or "",
        delta.refusal or "",
        "" if calls == b"null" else calls.decode(errors="replace"),
    ]


def _last_event_end(data: bytes) -> int:
    """Where the last whole event ends, 0 where there is none."""
    by_lf, by_crlf = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(by_lf + 2 if by_lf >= 0 else 0, by_crlf + 4 if by_crlf >= 0 else 0)


def _events(data: bytes) -> Iterator[bytes]:
    """The events of a block, each with the blank line that ends it."""
    start = 0
    for blank in re.finditer(rb"\n\n|\r\n\r\n", data):
        yield data[start : blank.end()]
        start = blank.end()
    if start < len(data):
        yield data[start:]


def _chunk(event: bytes) -> _Chunk | None:
    """The JSON of an event; None for a comment, the end mark, and what can't be read."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    payload = lines[0] if len(lines) == 1 else b"\n".join(lines)
    if not payload.startswith(b"{"):
        return None
    try:
        return _decode_chunk(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
