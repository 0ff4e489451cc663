"""Answers of these endpoints that come bit by bit: they are passed on as they come, and looked at in passing.

    EventMeter    server-sent events: partial pictures, pieces of a transcript; the last of them has the usage
    SpeechMeter   the sound itself, or events with the sound in them

A picture is an event of megabytes, so a long event is passed on in pieces; the usage stands at the end of it.
"""

import re
from typing import Final

from core.dialects.events import whole_events
from core.dialects.passthrough.usage import usage_tokens
from core.dialects.tokens import COUNTED, Tokens

_MAX_TORN: Final = 64 * 1024  # bytes of an event that wait for its rest
_TAIL: Final = 4096  # bytes that are looked at once more with those that follow

# A quotation mark inside a JSON string is escaped, so none of these matches what a model said. A plain search for a
# part of each goes before it: those are many times as fast.
_USAGE = re.compile(rb'"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')
_END = re.compile(rb'"type"\s*:\s*"[a-z_.]+\.done"|(?:^|[\r\n])data:[ \t]*\[DONE\]')
_FINISH = re.compile(rb'"type"\s*:\s*"[a-z_.]+\.completed"|"finish_reason"\s*:\s*"')
_ERROR = re.compile(rb'(?:^|[\r\n])data:[ \t]*\{\s*(?:"error"\s*:\s*[{"]|"type"\s*:\s*"error")')


class EventMeter:
    """Follows a stream of events."""

    __slots__ = ("_finished", "_pictures", "_rest", "_spoken", "_tail", "done", "reported_error", "usage")

    def __init__(self, *, pictures: bool = False, spoken: bool = False) -> None:
        """pictures, spoken: what the output tokens stand for."""
        self._pictures = pictures
        self._spoken = spoken
        self._rest = b""
        self._tail = b""
        self._finished = False  # something came that is only said at the end, of one of several pictures perhaps
        self.usage: Tokens | None = None
        self.done = False
        self.reported_error = False

    def feed(self, data: bytes) -> bytes:
        data = self._rest + data
        passed, self._rest = whole_events(data)
        if len(self._rest) > _MAX_TORN:
            passed, self._rest = data, b""
        self._look(passed)
        return passed

    def end(self) -> bytes:
        rest, self._rest = self._rest, b""
        self._look(rest)
        return rest

    @property
    def complete(self) -> bool:
        """Whether all of it came: of a torn last event the end is missing."""
        return (self.done or self._finished) and self._tail.rstrip()[-1:] in (b"}", b"]")

    def output_tokens(self) -> int:
        return self.usage.output if self.usage is not None else 0

    def rough_output_tokens(self) -> int:
        return self.output_tokens()

    def tokens(self, prompt_tokens: int) -> Tokens:
        if self.usage is not None:
            return self.usage
        return Tokens(input=prompt_tokens, source=COUNTED, partial=True)

    def _look(self, data: bytes) -> None:
        if not data:
            return
        seen = self._tail + data
        self._tail = seen[-_TAIL:]
        if b'"usage"' in seen:
            for found in _USAGE.finditer(seen):
                self.usage = usage_tokens(found[1], pictures=self._pictures, spoken=self._spoken) or self.usage
        self.reported_error = self.reported_error or (b'"error"' in seen and _ERROR.search(seen) is not None)
        if b'.completed"' in seen or b'"finish_reason"' in seen:
            self._finished = self._finished or _FINISH.search(seen) is not None
        ended = (b'.done"' in seen or b"[DONE]" in seen) and _END.search(seen) is not None
        self.done = self.done or self.reported_error or ended


class SpeechMeter:
    """Follows a speech."""

    __slots__ = ("_came", "_ended", "_events", "done", "reported_error", "usage")

    def __init__(self, *, hide_usage: bool) -> None:
        del hide_usage
        self._came = False
        self._ended = False
        self._events: EventMeter | None = None  # where it comes as events
        self.usage: Tokens | None = None
        self.done = False
        self.reported_error = False

    def feed(self, data: bytes) -> bytes:
        if not self._came and data:
            self._came = True
            if data.lstrip()[:5] in (b"data:", b"event") or data.startswith(b":"):
                self._events = EventMeter(spoken=True)
        return data if self._events is None else self._noted(self._events, self._events.feed(data))

    def end(self) -> bytes:
        self._ended = True
        return b"" if self._events is None else self._noted(self._events, self._events.end())

    def _noted(self, events: EventMeter, passed: bytes) -> bytes:
        self.usage, self.done, self.reported_error = events.usage, events.done, events.reported_error
        return passed

    @property
    def complete(self) -> bool:
        return self._came and self._ended if self._events is None else self._events.complete

    def output_tokens(self) -> int:
        return 0 if self._events is None else self._events.output_tokens()

    def rough_output_tokens(self) -> int:
        return self.output_tokens()

    def tokens(self, prompt_tokens: int) -> Tokens:
        """prompt_tokens: the characters that are to be spoken, for that is what a speech is asked with."""
        return self.usage or Tokens(characters=prompt_tokens, source=COUNTED)


def picture_meter(*, hide_usage: bool) -> EventMeter:
    """A meter for a stream of pictures."""
    del hide_usage
    return EventMeter(pictures=True)


def event_meter(*, hide_usage: bool) -> EventMeter:
    """A meter for any other stream of events."""
    del hide_usage
    return EventMeter()


def no_failure(first: bytes) -> None:
    """A sound does not begin with an error."""
    del first
