"""Ollama's streams: lines → Events. The last line says that it is the last, why, and what was used."""

from typing import Final

import msgspec

from core.dialects.canonical import (
    Began,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Failed,
    Finished,
    TextDelta,
    ThinkingDelta,
    Used,
)
from core.dialects.ollama.faults import fault_of
from core.dialects.ollama.said import calls_of, created_of, decode, finish_of, logprobs_of, tokens_of
from core.dialects.sides import Unreadable

_MOST_CALLS: Final = 65_535


class ChatStreamReader:
    """Reads one stream."""

    __slots__ = ("_began", "_calls")

    def __init__(self) -> None:
        self._began = False
        self._calls = 0

    def read(self, payload: bytes) -> list[Event]:
        """The events of one line. Raises Unreadable."""
        try:
            line = decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable("a line of the stream is not one of Ollama's") from error
        if bytes(line.error) not in (b"", b"null"):
            return [Failed(fault_of(500, line.error))]
        events: list[Event] = []
        if not self._began:
            self._began = True
            events.append(Began(model=line.model or "", created=created_of(line)))
        if (message := line.message) is not None:
            if message.thinking:
                events.append(ThinkingDelta(message.thinking))
            if message.content:
                events.append(TextDelta(message.content, logprobs=logprobs_of(line)))
            if message.tool_calls:
                for call in calls_of(line):
                    if self._calls > _MOST_CALLS:
                        raise Unreadable("the stream has too many tool calls")
                    events += (CallBegan(self._calls, call.id, call.name), CallDelta(self._calls, call.arguments))
                    self._calls += 1
        if line.done:
            events.append(Finished(finish_of(line, calls=self._calls > 0)))
            if (tokens := tokens_of(line)) is not None:
                events.append(Used(tokens))
            events.append(Ended())
        return events

    def end(self) -> list[Event]:
        """Nothing: a stream without its last line is not complete."""
        return []
