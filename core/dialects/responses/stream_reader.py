"""A provider's stream → Events.

Pieces come as deltas, and again whole when their item is done: what was not said in pieces, as some servers
have it, is taken from there.
"""

from typing import Any, Final

import msgspec

from core.dialects.canonical import (
    NO_JSON,
    Began,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Failed,
    Finish,
    Finished,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.responses import items
from core.dialects.responses.answer_reader import Incomplete
from core.dialects.responses.faults import Told, fault_of
from core.dialects.responses.items import Item
from core.dialects.responses.thoughts import OF_CALL
from core.dialects.responses.usage import read_reported
from core.dialects.sides import Unreadable

_NONE: Final = msgspec.Raw(b"[]")
_MOST: Final = 65_535  # items of one response


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    incomplete_details: Incomplete | None = None
    error: Told | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    response: msgspec.Raw = items.NOTHING
    item: Item | None = None
    output_index: int | float | None = None
    summary_index: int | float | None = None
    content_index: int | float | None = None
    delta: Any = None
    logprobs: msgspec.Raw = items.NOTHING
    error: Told | None = None
    code: Any = None
    message: Any = None
    param: Any = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_response = msgspec.json.Decoder(_Response | None).decode


class ResponseReader:
    """Reads one stream."""

    def __init__(self) -> None:
        self._said: set[int] = set()  # items of which pieces came
        self._calls: dict[int, int] = {}  # place of an item → number of the call
        self._thought = (-1, -1)  # item and part to which the last piece of a thought belongs
        self._signature = ""  # of the next call
        self._refused = False

    def read(self, payload: bytes) -> list[Event]:
        """The events of one payload. Raises Unreadable."""
        if payload == b"[DONE]":
            return []
        try:
            event = _decode_event(payload)
            return self._take(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise Unreadable(str(error)) from None

    def end(self) -> list[Event]:
        """Nothing: a response says itself that it is over."""
        return []

    def _take(self, event: _Event) -> list[Event]:
        place = _place(event.output_index)
        match event.type:
            case "response.output_text.delta" if event.delta:
                self._said.add(place)
                return [TextDelta(_text(event.delta), logprobs=_logprobs(event.logprobs))]
            case "response.function_call_arguments.delta" if event.delta and place in self._calls:
                self._said.add(place)
                return [CallDelta(self._calls[place], _text(event.delta))]
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" if event.delta:
                return self._think(place, _place(event.summary_index or event.content_index), _text(event.delta))
            case "response.refusal.delta" if event.delta:
                self._said.add(place)
                self._refused = True
                return [RefusalDelta(_text(event.delta))]
            case "response.output_item.added" if event.item is not None:
                return self._added(place, event.item)
            case "response.output_item.done" if event.item is not None:
                return self._done(place, event.item)
            case "response.created" if event.response != items.NOTHING:
                found = _decode_response(event.response) or _Response()
                return [Began(found.id or "", found.model or "", int(found.created_at or 0))]
            case "response.completed" | "response.incomplete":
                return self._completed(event)
            case "response.failed" | "error":
                return [self._failed(event)]
            case None if event.error is not None:
                return [self._failed(event)]
            case _:
                return []

    def _added(self, place: int, item: Item) -> list[Event]:
        if item.kind != "function_call" or place in self._calls:
            return []
        self._calls[place] = number = len(self._calls)
        signature, self._signature = self._signature, ""
        return [CallBegan(number, item.call_id or item.id or "", item.name or "", signature)]

    def _done(self, place: int, item: Item) -> list[Event]:
        whole = place not in self._said
        self._said.add(place)
        match item.kind:
            case "function_call":
                began = self._added(place, item)
                arguments = items.decode_text(item.arguments) if whole else ""
                return [*began, CallDelta(self._calls[place], arguments)] if arguments else began
            case "reasoning":
                thought, proof = items.thinking(item)
                if proof.kind == OF_CALL:
                    self._signature = proof.signature
                if thought is None or proof.kind == OF_CALL:
                    return []
                text: list[Event] = [ThinkingDelta(thought.text)] if whole and thought.text else []
                return [*text, ThinkingSigned(thought.signature, thought.redacted, thought.id, thought.maker)]
            case "message" if whole:
                return self._message(item)
            case _:
                return []

    def _message(self, item: Item) -> list[Event]:
        said: list[Event] = []
        content = items.content_of(item.content)
        for part in [] if isinstance(content, str) else content:
            if part.text:
                said.append(TextDelta(part.text, logprobs=_logprobs(part.logprobs)))
            elif part.refusal:
                self._refused = True
                said.append(RefusalDelta(part.refusal))
        return said

    def _think(self, place: int, part: int, text: str) -> list[Event]:
        self._said.add(place)
        before, self._thought = self._thought, (place, part)
        new = before[0] == place and before[1] != part
        return [ThinkingDelta(f"\n\n{text}" if new else text)]

    def _completed(self, event: _Event) -> list[Event]:
        found = _decode_response(event.response) or _Response()
        reason = found.incomplete_details.reason if found.incomplete_details else None
        finish: Finish = "tool_calls" if self._calls else "refusal" if self._refused else "stop"
        if reason or event.type == "response.incomplete":
            finish = "content_filter" if reason == "content_filter" else "length"
        tokens = read_reported(event.response).tokens() if event.response != items.NOTHING else None
        return [Finished(finish), *([Used(tokens)] if tokens is not None else []), Ended()]

    def _failed(self, event: _Event) -> Failed:
        told = event.error
        found = _decode_response(event.response)
        if told is None and found is not None:
            told = found.error
        return Failed(fault_of(told or Told(event.message, None, event.code, event.param)))


def _place(index: float | None) -> int:
    if index is None:
        return 0
    if not 0 <= index <= _MOST:
        raise Unreadable("an index is out of bounds")
    return int(index)


def _text(delta: Any) -> str:
    if not isinstance(delta, str):
        raise Unreadable("a delta is no text")
    return delta


def _logprobs(raw: msgspec.Raw) -> msgspec.Raw:
    return NO_JSON if raw == items.NOTHING or raw == _NONE else items.logprobs_of([raw])
