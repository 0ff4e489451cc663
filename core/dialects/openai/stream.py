"""The OpenAI wire as a stream of server-sent events: accounting with as little looking as possible.

    network reads ─► whole events (a torn one waits for its rest) ─► the caller
                        ├─ an event with the usage: read, and hidden if the caller did not ask for it
                        └─ kept aside, 32 kB at most, then its texts alone: counted only where no usage comes

Most blocks cost a few searches for a literal. Events may be split anywhere by the network, inside a
UTF-8 character or a line end too; lines may end in LF or CRLF.
"""

import re

import msgspec
from msgspec.structs import replace

from core.dialects.events import events, payload, whole_events
from core.dialects.openai.chat import Usage, plain_usage
from core.dialects.tally import Tally, texts_after
from core.dialects.tokens import COUNTED, Tokens

# A quotation mark inside a JSON string is escaped, so this never matches what a model said.
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_FINISH = re.compile(rb'"finish_reason"\s*:\s*"')
# At the start of a line, which nothing that a model said can be.
_DONE = re.compile(rb"(?:^|[\r\n])data:[ \t]*\[DONE\]")
_DONE_WORD = b"[DONE]"
_ERROR = re.compile(rb'(?:^|[\r\n])data:[ \t]*\{\s*"error"\s*:\s*[{"]')

# What a model says, in any of the fields that vendors put it in; "content" is the end of "reasoning_content" too.
_TEXTS = tuple(map(texts_after, (b"content", b'"text', b'"arguments', b'"refusal')))


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: Usage | None = None


class _LooseChunk(msgspec.Struct):
    choices: msgspec.Raw = msgspec.Raw(b"[]")


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_loosely = msgspec.json.Decoder(_LooseChunk).decode


class StreamMeter:
    """Follows one stream. Feed it what the network brings, relay what it returns."""

    __slots__ = ("_hide_usage", "_more_said", "_rest", "_tally", "done", "finished", "reported_error", "usage")

    def __init__(self, *, hide_usage: bool) -> None:
        """hide_usage: the usage was asked for by us, not by the caller."""
        self._hide_usage = hide_usage
        self._rest = b""
        self._tally = Tally(_TEXTS)
        self._more_said = False  # since the usage was reported
        self.usage: Tokens | None = None
        self.finished = False  # a finish_reason was seen
        self.done = False  # the stream's own end mark was seen
        self.reported_error = False  # it ended with an error event, for all its end mark

    def feed(self, data: bytes) -> bytes:
        """Takes what one read brought; returns what the caller shall have of it, perhaps nothing yet."""
        data, self._rest = whole_events(self._rest + data)
        if not data:
            return b""
        if said := self._tally.add(data):
            self._look_for_finish(said)
        if _USAGE.search(data) is not None:
            data = self._take_usage(data)
        elif self.usage is not None and not self._more_said:
            self._more_said = _says(data)
        self._look_for_done(data)
        return data

    def end(self) -> bytes:
        """Takes note of the stream's end; returns what was left of a last event without its blank line."""
        rest, self._rest = self._rest, b""
        if rest:
            self._tally.keep(rest)
            self._look_for_done(rest)
        if not self.done and self._is_error(self._tally.kept()):  # behind one there need be no end mark
            self.done = self.reported_error = True
        return rest

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end: by the end mark, or by a finish reason where a vendor has no mark."""
        if not self.done and not self.finished:
            self._look_for_finish(self._tally.let_go())
        return self.done or self.finished

    def output_tokens(self) -> int:
        """Output tokens so far: as reported, else counted."""
        if self.usage is not None and not self._more_said:
            return self.usage.output
        self._look_for_finish(self._tally.let_go())
        return max(self._tally.tokens(), self.usage.output if self.usage is not None else 0)

    def rough_output_tokens(self) -> int:
        """About how many output tokens so far, without reading events: most carry one."""
        return self._tally.events()

    def tokens(self, prompt_tokens: int) -> Tokens:
        """What the stream used; `prompt_tokens` counts only where the provider reported nothing."""
        if self.usage is not None:
            made = self.output_tokens()  # more, where the report came before the end
            return self.usage if made == self.usage.output else replace(self.usage, output=made, source=COUNTED)
        return Tokens(input=prompt_tokens, output=self.output_tokens(), source=COUNTED)

    def _look_for_done(self, data: bytes) -> None:
        tail = data[-40:]
        if _DONE_WORD in tail and _DONE.search(data, max(0, len(data) - 40)) is not None:
            self.done = True
            self.reported_error = self._is_error(self._tally.kept())

    def _is_error(self, said: bytes) -> bool:
        """Whether the stream ended with an error; said: its last events."""
        return not self.finished and _ERROR.search(said) is not None and _FINISH.search(said) is None

    def _take_usage(self, data: bytes) -> bytes:
        """Reads the usage; drops the event that holds it where the caller did not ask for it."""
        kept: list[bytes] = []
        for event in events(data):
            chunk = _chunk(event) if _USAGE.search(event) is not None else None
            if chunk is not None and chunk.usage is not None:
                if chunk.usage.is_known:
                    self.usage, self._more_said = chunk.usage.tokens(), False
                if self._hide_usage and not chunk.choices:
                    continue
            elif self.usage is not None and not self._more_said:
                self._more_said = _says(event)
            kept.append(event)
        return b"".join(kept)

    def _look_for_finish(self, said: bytes) -> None:
        if not self.finished and _FINISH.search(said) is not None:
            self.finished = True


def _chunk(event: bytes) -> _Chunk | None:
    """The JSON of an event; None for a comment, the end mark, and what can't be read."""
    data = payload(event)
    if not data:
        return None
    try:
        return _decode_chunk(data)
    except msgspec.ValidationError:
        return _loose_chunk(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _loose_chunk(data: bytes) -> _Chunk | None:
    """A chunk that is not what the document says: its usage, and whether it has choices."""
    try:
        choices = bytes(_decode_loosely(data).choices)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    empty = choices in (b"null", b"[]")
    return _Chunk(None if empty else [msgspec.Raw(choices)], plain_usage(data))


def _says(data: bytes) -> bool:
    """Whether a model says anything in some events."""
    return any(text for texts in _TEXTS for text in texts.findall(data))
