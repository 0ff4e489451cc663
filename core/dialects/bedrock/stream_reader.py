"""Bedrock's streams: events → Events.

    messageStart, { contentBlockStart?, contentBlockDelta…, contentBlockStop }…, messageStop, metadata

Only a tool's block is sure to have a start. Usage comes last, with metadata, and nothing follows it.
"""

from typing import Final

import msgspec

from core.dialects.bedrock.answer_reader import MALFORMED, finish_of, stop_sequence_of
from core.dialects.bedrock.converse import ANSWER_TOOL
from core.dialects.bedrock.families import MAKER
from core.dialects.bedrock.faults import read_exception
from core.dialects.bedrock.usage import Usage, tokens_of
from core.dialects.canonical import (
    NO_JSON,
    Began,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Failed,
    Fault,
    Finished,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.sides import Unreadable

_MOST_BLOCKS: Final = 65_535


class _ToolStart(msgspec.Struct, rename="camel"):
    tool_use_id: str | None = None
    name: str | None = None
    type: str | None = None


class _Start(msgspec.Struct, rename="camel"):
    tool_use: _ToolStart | None = None


class _ToolDelta(msgspec.Struct):
    input: str | None = None


class _ReasoningDelta(msgspec.Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _ReasoningDelta | None = None


class _BlockStart(msgspec.Struct, rename="camel"):
    start: _Start | None = None
    content_block_index: int | float = 0


class _BlockDelta(msgspec.Struct, rename="camel"):
    delta: _Delta | None = None
    content_block_index: int | float = 0


class _BlockStop(msgspec.Struct, rename="camel"):
    content_block_index: int | float = 0


class _MessageStop(msgspec.Struct, rename="camel"):
    stop_reason: str | None = None
    additional_model_response_fields: msgspec.Raw = NO_JSON


class _Metadata(msgspec.Struct):
    usage: Usage | None = None


class _MessageStart(msgspec.Struct):
    role: str | None = None


class _Happened(msgspec.Struct, rename="camel"):
    content_block_delta: _BlockDelta | None = None
    content_block_start: _BlockStart | None = None
    content_block_stop: _BlockStop | None = None
    message_start: _MessageStart | None = None
    message_stop: _MessageStop | None = None
    metadata: _Metadata | None = None


_decode = msgspec.json.Decoder(_Happened).decode
_decode_any = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ConverseStreamReader:
    """Reads one stream."""

    __slots__ = ("_answer", "_calls", "_fault", "_finished", "_ignored", "_redacted", "_signature")

    def __init__(self) -> None:
        self._calls: dict[float, int] = {}  # content block → number of the call in it
        self._ignored: set[float] = set()  # content blocks of the provider's own tools
        self._answer: float = -1  # the content block that is the answer, of a model that had to call for it
        self._signature = self._redacted = ""  # of the thought that is under way
        self._finished = False
        self._fault: Fault | None = None  # is told when the usage is known

    def read(self, payload: bytes) -> list[Event]:
        """The events of one payload. Raises Unreadable."""
        try:
            happened = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._exception(payload, error)
        if happened.content_block_delta is not None:
            return self._delta(happened.content_block_delta)
        if happened.content_block_start is not None:
            return self._start(happened.content_block_start)
        if happened.content_block_stop is not None:
            return self._thought()
        if happened.message_stop is not None:
            return self._stop(happened.message_stop)
        if happened.metadata is not None:
            return self._metadata(happened.metadata)
        return [Began()] if happened.message_start is not None else self._exception(payload, None)

    def end(self) -> list[Event]:
        """What the stream's end says, where no metadata came."""
        return [Failed(self._fault)] if self._fault is not None else []

    def _delta(self, event: _BlockDelta) -> list[Event]:
        delta, block = event.delta, event.content_block_index
        if delta is None or block in self._ignored:
            return []
        if delta.text:
            return [TextDelta(delta.text)]
        if delta.tool_use is not None:
            if not delta.tool_use.input:
                return []
            if block == self._answer:
                return [TextDelta(delta.tool_use.input)]
            if block not in self._calls:
                raise Unreadable("a tool call has no beginning")
            return [CallDelta(self._calls[block], delta.tool_use.input)]
        thought = delta.reasoning_content
        if thought is None:
            return []
        self._signature += thought.signature or ""
        self._redacted += thought.redacted_content or ""
        return [ThinkingDelta(thought.text)] if thought.text else []

    def _start(self, event: _BlockStart) -> list[Event]:
        tool, block = event.start.tool_use if event.start else None, event.content_block_index
        if not 0 <= block <= _MOST_BLOCKS:
            raise Unreadable("the index of a content block is out of reason")
        before = self._thought()
        if tool is None:
            return before
        if tool.type:
            self._ignored.add(block)
            return before
        if tool.name == ANSWER_TOOL:
            self._answer = block
            return before
        number = self._calls[block] = len(self._calls)
        return [*before, CallBegan(number, tool.tool_use_id or "", tool.name or "")]

    def _thought(self) -> list[Event]:
        """The end of a thought that has a proof; one without is over where something else begins."""
        if not (self._signature or self._redacted):
            return []
        signed = ThinkingSigned(signature=self._signature, redacted=self._redacted, maker=MAKER)
        self._signature = self._redacted = ""
        return [signed]

    def _stop(self, event: _MessageStop) -> list[Event]:
        before = self._thought()
        reason = event.stop_reason or ""
        if reason in MALFORMED:
            self._fault = Fault(status=502, message="the model's answer was malformed", kind=reason)
            return before
        self._finished = True
        sequence = stop_sequence_of(event.additional_model_response_fields) if reason == "stop_sequence" else ""
        return [*before, Finished(finish_of(reason, calls=bool(self._calls)), sequence)]

    def _metadata(self, event: _Metadata) -> list[Event]:
        tokens = tokens_of(event.usage)
        events: list[Event] = [Used(tokens)] if tokens is not None else []
        if self._fault is not None:
            events.append(Failed(self._fault))
            self._fault = None
        elif self._finished:
            events.append(Ended())
        return events

    def _exception(self, payload: bytes, cause: Exception | None) -> list[Event]:
        """An event of another name: an exception, or one that is not known. Raises Unreadable."""
        try:
            fields = _decode_any(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Unreadable("an event of the stream is not JSON") from cause
        for name, body in fields.items():
            if name.endswith(("Exception", "Error")):
                return [Failed(read_exception(name, body))]
        if cause is not None:
            raise Unreadable("an event of the stream has not the form that it should have") from cause
        return []
