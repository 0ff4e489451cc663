"""A stream for a Gemini caller: chunks in the form of whole answers.

Calls of functions are whole there, so their pieces are kept until the choice is complete. The last chunk says
why each choice ended and what all of it used; nothing marks the end.

Source: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from core.dialects.canonical import (
    NO_JSON,
    Began,
    CallBegan,
    CallDelta,
    Chat,
    Ended,
    Event,
    Failed,
    Finished,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.gemini.answer_writer import call_part
from core.dialects.gemini.faults import write_fault
from core.dialects.gemini.finish import MALFORMED_CALL, WRITTEN
from core.dialects.gemini.logprobs import write_logprobs
from core.dialects.gemini.thoughts import signature_of
from core.dialects.gemini.usage import usage_of
from core.dialects.gemini.wire import MODEL, Candidate, Content, Part, Response
from core.dialects.tokens import Tokens

_HEAD: Final = b'data: {"candidates":[{"content":{"parts":[{"text":%b%b'
_TAIL: Final = b'}],"role":"model"},"index":0}]%b}\r\n\r\n'

_encode = msgspec.json.Encoder().encode


class _Call(msgspec.Struct):
    began: CallBegan
    pieces: list[str]


class GenerateWriter:
    """Writes one stream."""

    def __init__(self, chat: Chat) -> None:
        del chat
        self._model: str | None = None
        self._id: str | None = None
        self._tail = _TAIL % b""  # of a chunk with one text: what stands behind it, for the first choice
        self._calls: dict[tuple[int, int], _Call] = {}  # by choice and index
        self._reasons: dict[int, str] = {}
        self._tokens: Tokens | None = None

    def write(self, events: Sequence[Event]) -> bytes:
        """Whole events of the caller's wire, b"" for nothing yet."""
        return b"".join([self._event(event) for event in events])

    def _event(self, event: Event) -> bytes:
        match event:
            case TextDelta():
                if not event.choice and event.logprobs is NO_JSON:
                    return _HEAD % (_encode(event.text), self._tail)
                return self._said(Part(text=event.text), event.choice, event.logprobs)
            case ThinkingDelta():
                return self._said(Part(text=event.text, thought=True), event.choice)
            case ThinkingSigned():
                signature = signature_of(event.signature, event.redacted, event.id, event.maker)
                part = Part(text="", thought=True, thought_signature=signature)
                return self._said(part, event.choice) if signature else b""
            case RefusalDelta():
                return self._said(Part(text=event.text), event.choice)
            case CallBegan():
                self._calls[event.choice, event.index] = _Call(event, [])
            case CallDelta():
                call = self._calls.get((event.choice, event.index))
                if call is not None:
                    call.pieces.append(event.arguments)
            case Finished():
                return self._finish(event)
            case Used():
                self._tokens = event.tokens
            case Began():
                self._begin(event)
            case Failed():
                return b"data: %b\r\n\r\n" % write_fault(event.fault)
            case Ended():
                return self._end()
        return b""

    def _begin(self, event: Began) -> None:
        self._model, self._id = event.model or None, event.id or None
        rest = _encode(Response(model_version=self._model, response_id=self._id))[1:-1]
        more = b"," + rest if rest else b""
        self._tail = _TAIL % more

    def _finish(self, event: Finished) -> bytes:
        """The calls of a choice, now that they are whole; why it ended is kept for the last chunk."""
        self._reasons[event.choice] = WRITTEN[event.finish]
        mine = sorted(key for key in self._calls if key[0] == event.choice)
        parts: list[Part] = []
        for key in mine:
            call = self._calls.pop(key)
            began = call.began
            part = call_part(began.id, began.name, "".join(call.pieces), began.signature)
            if part is None:
                self._reasons[event.choice] = MALFORMED_CALL
            else:
                parts.append(part)
        return self._chunk([Candidate(Content(MODEL, parts), None, event.choice)]) if parts else b""

    def _end(self) -> bytes:
        ends = [Candidate(Content(MODEL), reason, choice) for choice, reason in sorted(self._reasons.items())]
        return self._chunk(ends, self._tokens)

    def _said(self, part: Part, choice: int, logprobs: msgspec.Raw = NO_JSON) -> bytes:
        result = write_logprobs(logprobs) if logprobs is not NO_JSON else None
        return self._chunk([Candidate(Content(MODEL, [part]), None, choice, result)])

    def _chunk(self, candidates: list[Candidate], tokens: Tokens | None = None) -> bytes:
        usage = usage_of(tokens) if tokens is not None else None
        chunk = Response(
            candidates=candidates or None, usage_metadata=usage, model_version=self._model, response_id=self._id
        )
        return b"data: %b\r\n\r\n" % _encode(chunk)
