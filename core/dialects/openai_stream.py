"""The OpenAI wire as a stream of server-sent events: accounting with as little looking as possible.

    network reads ─► whole events (a torn one waits for its rest) ─► the caller
                        ├─ an event with the usage: read, and hidden if the caller did not ask for it
                        └─ kept aside, 32 kB at most, then its texts alone: counted only where no usage comes

Most blocks cost a few searches for a literal. Events may be split anywhere by the network, inside a
UTF-8 character or a line end too; lines may end in LF or CRLF.
"""

import re
from collections.abc import Iterator

import msgspec

from core.dialects.counting import count_text
from core.dialects.openai_chat import Usage, plain_usage
from core.dialects.tokens import COUNTED, Tokens

# A quotation mark inside a JSON string is escaped, so this never matches what a model said.
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')
# At the start of a line, which nothing that a model said can be.
_DONE = re.compile(rb"(?:^|[\r\n])data:[ \t]*\[DONE\]")
_DONE_WORD = b"[DONE]"
_ERROR = re.compile(rb'(?:^|[\r\n])data:[ \t]*\{\s*"error"\s*:\s*[{"]')

# What a model says, in any of the fields that vendors put it in, as it stands between the quotation
# marks. One pattern each: a literal at the beginning is what makes the search fast.
_TEXTS = tuple(
    re.compile(name + rb'"\s?:\s?"([^"\\]*(?:\\.[^"\\]*)*)"')
    for name in (b"content", b'"text', b'"arguments', b'"refusal')  # "content" is the end of "reasoning_content" too
)

# How much is kept aside before the texts are taken out of it, and how much text before that is counted.
_ASIDE_BYTES = 32 * 1024
_TEXT_BYTES = 256 * 1024
# An event larger than this is passed on unread, so that memory has a bound.
MAX_EVENT_BYTES = 4 * 1024 * 1024


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: Usage | None = None


class _LooseChunk(msgspec.Struct):
    choices: msgspec.Raw = msgspec.Raw(b"[]")


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_loosely = msgspec.json.Decoder(_LooseChunk).decode


class StreamMeter:
    """Follows one stream. Feed it what the network brings, relay what it returns."""

    __slots__ = (
        *("_aside", "_aside_size", "_counted", "_events", "_hide_usage", "_rest", "_texts", "_texts_size"),
        *("done", "finished", "reported_error", "usage"),
    )

    def __init__(self, *, hide_usage: bool) -> None:
        """hide_usage: the usage was asked for by us, not by the caller."""
        self._hide_usage = hide_usage
        self._rest = b""
        self._aside: list[bytes] = []
        self._aside_size = 0
        self._counted = 0  # tokens of what was let go
        self._events = 0  # in what was let go
        self._texts: list[bytes] = []
        self._texts_size = 0
        self.usage: Tokens | None = None
        self.finished = False  # a finish_reason was seen
        self.done = False  # the stream's own end mark was seen
        self.reported_error = False  # it ended with an error event, for all its end mark

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
            self._take_texts()
        if _USAGE.search(data) is not None:
            data = self._take_usage(data)
        self._look_for_done(data)
        return data

    def end(self) -> bytes:
        """Takes note of the stream's end; returns what was left of a last event without its blank line."""
        rest, self._rest = self._rest, b""
        if rest:
            self._aside.append(rest)
            self._look_for_done(rest)
        return rest

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end: by the end mark, or by a finish reason where a vendor has no mark."""
        if not self.done and not self.finished:
            self._take_texts()
        return self.done or self.finished

    def output_tokens(self) -> int:
        """Output tokens so far: as reported, else counted."""
        if self.usage is not None:
            return self.usage.output
        self._take_texts()
        self._count_texts()
        return self._counted

    def rough_output_tokens(self) -> int:
        """About how many output tokens so far, without reading events: most carry one."""
        return self._events + sum(block.count(b"data:") for block in self._aside)

    def tokens(self, prompt_tokens: int) -> Tokens:
        """What the stream used; `prompt_tokens` counts only where the provider reported nothing."""
        if self.usage is not None:
            return self.usage
        return Tokens(input=prompt_tokens, output=self.output_tokens(), source=COUNTED)

    def _look_for_done(self, data: bytes) -> None:
        tail = data[-40:]
        if _DONE_WORD in tail and _DONE.search(data, max(0, len(data) - 40)) is not None:
            self.done = True
            said = b"".join(self._aside)
            self.reported_error = _FINISH.search(said) is None and not self.finished and _ERROR.search(said) is not None

    def _take_usage(self, data: bytes) -> bytes:
        """Reads the usage; drops the event that holds it where the caller did not ask for it."""
        kept: list[bytes] = []
        for event in _events(data):
            chunk = _chunk(event) if _USAGE.search(event) is not None else None
            if chunk is not None and chunk.usage is not None:
                if chunk.usage.is_known:
                    self.usage = chunk.usage.tokens()
                if self._hide_usage and not chunk.choices:
                    continue
            kept.append(event)
        return b"".join(kept)

    def _take_texts(self) -> None:
        """Takes the texts out of what was kept aside, and lets the rest go."""
        aside, self._aside, self._aside_size = b"".join(self._aside), [], 0
        if not aside:
            return
        self._events += aside.count(b"data:")
        if not self.finished and _FINISH.search(aside) is not None:
            self.finished = True
        for pattern in _TEXTS:
            texts = pattern.findall(aside)
            if texts:
                text = b"".join(texts)
                self._texts.append(text)
                self._texts_size += len(text)
        if self._texts_size > _TEXT_BYTES:
            self._count_texts()

    def _count_texts(self) -> None:
        text, self._texts, self._texts_size = b"".join(self._texts), [], 0
        try:
            plain = _decode_text(b'"%b"' % text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            plain = text.decode(errors="replace")
        self._counted += count_text(plain)


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
    except msgspec.ValidationError:
        return _loose_chunk(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _loose_chunk(payload: bytes) -> _Chunk | None:
    """A chunk that is not what the document says: its usage, and whether it has choices."""
    try:
        choices = bytes(_decode_loosely(payload).choices)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    empty = choices in (b"null", b"[]")
    return _Chunk(None if empty else [msgspec.Raw(choices)], plain_usage(payload))
