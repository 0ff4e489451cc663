"""The Gemini wire as a stream of server-sent events that pass: accounting with as little looking as possible.

Every chunk reports what was used so far, so the last one that is known counts. The chunk that says why the
answer ended is the end's only mark, and the usage of a later one still counts.
"""

import re

import msgspec

from core.dialects.canonical import NO_JSON
from core.dialects.event_meter import WholeEventMeter
from core.dialects.events import payloads
from core.dialects.gemini.faults import fault_of
from core.dialects.gemini.usage import Usage
from core.dialects.gemini.wire import given
from core.dialects.tally import texts_after
from core.dialects.tokens import COUNTED, Tokens

_BAD_GATEWAY = 502
# A quotation mark inside a JSON string is escaped, so this never matches what a model said.
_TELLING = re.compile(rb'"(?:usageMetadata|finishReason|promptFeedback|error)"\s*:')
_TEXTS = (texts_after(b'"text'),)


class _Candidate(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Chunk(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Usage | None = None
    error: msgspec.Raw = NO_JSON


_decode = msgspec.json.Decoder(_Chunk, strict=False).decode


class GenerateMeter(WholeEventMeter):
    """Follows one stream. Feed it what the network brings, relay what it returns."""

    __slots__ = ("_finished", "_so_far")

    def __init__(self, *, hide_usage: bool = False) -> None:
        """hide_usage: means nothing here, for every stream of this wire reports its usage unasked."""
        del hide_usage
        super().__init__(_TEXTS)
        self._so_far: Usage | None = None
        self._finished = False

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end."""
        return self._finished or self.done

    def output_tokens(self) -> int:
        """Output tokens so far: as reported, else counted."""
        return self.tokens(0).output

    def rough_output_tokens(self) -> int:
        """About how many output tokens so far; a chunk of this wire holds more than one, and says how many."""
        return self._so_far.tokens().output if self._so_far is not None else self._tally.events()

    def tokens(self, prompt_tokens: int) -> Tokens:
        """What the stream used. One that broke off has reported what it had used by then."""
        if self._so_far is None:
            return Tokens(input=prompt_tokens, output=self._tally.tokens(), source=COUNTED)
        found = self._so_far.tokens()
        if self._finished:
            return found
        said = max(found.output, self._tally.tokens())
        return msgspec.structs.replace(found, output=said, source=COUNTED)

    def _look_at(self, data: bytes) -> None:
        self._tally.add(data)
        if _TELLING.search(data) is None:
            return
        for payload in payloads(data):
            try:
                chunk = _decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            self._note(chunk)

    def _note(self, chunk: _Chunk) -> None:
        if chunk.usage_metadata is not None and chunk.usage_metadata.is_known:
            self._so_far = chunk.usage_metadata
        if any(candidate.finish_reason for candidate in chunk.candidates or ()):
            self._finished = True
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            self._finished = True
        if self._finished and self._so_far is not None:
            self.usage: Tokens | None = self._so_far.tokens()
        if given(chunk.error):
            self.done = self.reported_error = True


def first_failure(first: bytes) -> tuple[int, bytes] | None:
    """The status and the body of the error that a stream begins with, None where it does not."""
    if b'"error"' not in first:
        return None
    payload = next(payloads(first), b"")
    try:
        chunk = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if chunk.candidates is not None or not given(chunk.error):
        return None
    return fault_of(_BAD_GATEWAY, payload).status, payload
