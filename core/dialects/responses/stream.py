"""A stream of the Responses wire that only passes: accounting with as little looking as possible.

    network reads ─► whole events (a torn one waits for its rest) ─► the caller
                        ├─ response.completed, .incomplete, .failed, error: its end, and its usage
                        └─ kept aside, then its deltas alone: counted only where no usage comes

What a model says comes twice on this wire, piece by piece and then whole; only the pieces are counted.
"""

import re
from typing import Any

import msgspec

from core.dialects.event_meter import WholeEventMeter
from core.dialects.events import payloads
from core.dialects.responses.faults import Told, fault_of, write_fault
from core.dialects.responses.items import NOTHING
from core.dialects.responses.usage import read_reported
from core.dialects.tally import texts_after
from core.dialects.tokens import COUNTED, Tokens

# A quotation mark inside a JSON string is escaped, so this never matches what a model said; an object inside
# the event might have it, so that the event itself decides.
_END = re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"')
_TEXTS = (texts_after(b'"delta'),)
_FAILED = ("response.failed", "error")


class _Event(msgspec.Struct):
    type: str | None = None
    response: msgspec.Raw = NOTHING


class _Response(msgspec.Struct):
    error: Told | None = None


class _Failure(msgspec.Struct):
    type: str | None = None
    code: Any = None
    message: Any = None
    param: Any = None
    error: Told | None = None
    response: _Response | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_failure = msgspec.json.Decoder(_Failure).decode


class ResponseMeter(WholeEventMeter):
    """Follows one stream. Feed it what the network brings, relay what it returns."""

    __slots__ = ()

    def __init__(self, *, hide_usage: bool) -> None:
        del hide_usage  # the usage is part of the last event
        super().__init__(_TEXTS)

    def tokens(self, prompt_tokens: int) -> Tokens:
        """What the stream used; `prompt_tokens` counts only where the provider reported nothing."""
        return self.usage or Tokens(input=prompt_tokens, output=self.output_tokens(), source=COUNTED)

    def _look_at(self, data: bytes) -> None:
        self._tally.add(data)
        if _END.search(data) is not None:
            self._take_end(data)

    def _take_end(self, data: bytes) -> None:
        for payload in payloads(data):
            if _END.search(payload) is None:
                continue
            try:
                event = _decode_event(payload)
                if event.type is None or _END.fullmatch(b'"type":"%s"' % event.type.encode()) is None:
                    continue
                self.done = True
                self.reported_error = event.type in _FAILED
                if event.response != NOTHING:
                    self.usage = read_reported(event.response).tokens() or self.usage
            except (ValueError, msgspec.DecodeError, RecursionError):
                continue


def first_failure(first: bytes) -> tuple[int, bytes] | None:
    """The status and the body of the error that a stream begins with, None where it does not."""
    if _END.search(first) is None:
        return None
    for payload in payloads(first):
        try:
            event = _decode_failure(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if event.type in _FAILED:
            told = event.error or (event.response.error if event.response else None)
            fault = fault_of(told or Told(event.message, None, event.code, event.param))
            return fault.status, write_fault(fault)
        if event.type not in ("response.created", "response.in_progress", "response.queued"):
            return None
    return None
