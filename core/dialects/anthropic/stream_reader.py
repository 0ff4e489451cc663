"""A provider's stream on Anthropic's wire as Events.

    message_start        ─► Began
    content_block_start  ─► CallBegan; a redacted thought whole
    content_block_delta  ─► TextDelta, ThinkingDelta, CallDelta
    content_block_stop   ─► ThinkingSigned
    message_delta        ─► Finished, Used      counts add up from report to report
    message_stop         ─► Ended
    error                ─► Failed
    ping, and others     ─► nothing

Blocks of Anthropic's own tools, and of types that are not known here, are left out. Wire:
https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import msgspec

from core.dialects.anthropic import answer_tool
from core.dialects.anthropic.answer_reader import Block, arguments_in, usage_in
from core.dialects.anthropic.answer_tool import NAME
from core.dialects.anthropic.faults import Failure, fault_of
from core.dialects.anthropic.finishes import finish_of
from core.dialects.anthropic.seals import opened, opened_call, thought
from core.dialects.anthropic.usage import Usage
from core.dialects.canonical import (
    NO_JSON,
    Began,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Failed,
    Finished,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.sides import Unreadable
from core.dialects.tokens import NO_TOKENS

_MOST_BLOCKS = 65_535


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw = NO_JSON


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: Block | None = None
    message: _Message | None = None
    usage: msgspec.Raw = NO_JSON
    error: Failure | None = None


class _Open(msgspec.Struct):
    """A block that has begun and not ended."""

    type: str
    call: int = -1  # number of the tool call
    signature: str = ""
    given: str = ""  # a call's input that came with its beginning, for the case that nothing follows


_decode = msgspec.json.Decoder(_Event).decode


class MessageReader:
    """Reads one stream."""

    __slots__ = ("_calls", "_finished", "_known", "_open", "_signature")

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._calls = 0
        self._known = Usage()
        self._finished = False
        self._signature = ""  # of the next call

    def read(self, payload: bytes) -> list[Event]:
        """The events of one payload, perhaps none. Raises Unreadable."""
        try:
            event = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable("not an event of Anthropic's wire") from error
        if not 0 <= event.index <= _MOST_BLOCKS:
            raise Unreadable("a block's index is out of range")
        match event.type:
            case "content_block_delta":
                return self._delta(event)
            case "content_block_start":
                return self._start(event)
            case "content_block_stop":
                return self._stop(event.index)
            case "message_delta":
                return self._message_delta(event)
            case "message_start":
                return self._begin(event.message or _Message())
            case "message_stop":
                return [Ended()]
            case "error":
                return [Failed(fault_of(event.error or Failure()))]
            case _:
                return []

    def end(self) -> list[Event]:
        """Nothing: this wire says all that it has to say."""
        return []

    def _begin(self, message: _Message) -> list[Event]:
        self._known = usage_in(message.usage)
        tokens = self._known.tokens() if self._known.is_known else NO_TOKENS
        return [Began(message.id or "", message.model or "", tokens=tokens)]

    def _start(self, event: _Event) -> list[Event]:
        block = event.content_block
        if block is None:
            return []
        opening = self._open[event.index] = _Open(block.type)
        match block.type:
            case "text" if block.text:
                return [TextDelta(block.text)]
            case "thinking":
                opening.signature = block.signature or ""
                return [ThinkingDelta(block.thinking)] if block.thinking else []
            case "redacted_thinking":
                return self._redacted(block.data or "")
            case "tool_use":
                given = arguments_in(block)
                opening.given = "" if given == "{}" else given
                if block.name == NAME:
                    opening.type = NAME
                    return []
                opening.call = self._calls
                self._calls += 1
                signature, self._signature = self._signature, ""
                return [CallBegan(opening.call, block.id or "", block.name or "", signature)]
            case _:
                return []

    def _redacted(self, data: str) -> list[Event]:
        if found := opened_call(data):
            self._signature = found
            return []
        maker, thought_id, proof = opened(data)
        return [ThinkingSigned(redacted=proof, id=thought_id, maker=maker)]

    def _delta(self, event: _Event) -> list[Event]:
        delta, opened_block = event.delta, self._open.get(event.index)
        if delta is None:
            return []
        if opened_block is None:  # some vendors forget the beginning of texts
            return [TextDelta(delta.text)] if delta.text else []
        match opened_block.type:
            case "text":
                return [TextDelta(delta.text)] if delta.text else []
            case "tool_use" | answer_tool.NAME if delta.partial_json:
                opened_block.given = ""
                return [_piece(opened_block, delta.partial_json)]
            case "thinking":
                opened_block.signature += delta.signature or ""
                return [ThinkingDelta(delta.thinking)] if delta.thinking else []
            case _:
                return []

    def _stop(self, index: int) -> list[Event]:
        closed = self._open.pop(index, None)
        if closed is None:
            return []
        if closed.type == "thinking":
            signed = thought("", closed.signature)
            proven = signed.signature or signed.redacted or signed.id
            return [ThinkingSigned(signed.signature, signed.redacted, signed.id, signed.maker)] if proven else []
        return [_piece(closed, closed.given)] if closed.given else []

    def _message_delta(self, event: _Event) -> list[Event]:
        events: list[Event] = []
        delta = event.delta
        if delta is not None and delta.stop_reason and not self._finished:
            self._finished = True
            finish = finish_of(delta.stop_reason, calls=self._calls > 0)
            events.append(Finished(finish, delta.stop_sequence or ""))
        if event.usage:
            self._known = self._known.followed_by(usage_in(event.usage))
            if self._known.is_known:
                events.append(Used(self._known.tokens()))
        return events


def _piece(block: _Open, arguments: str) -> Event:
    return TextDelta(arguments) if block.type == NAME else CallDelta(block.call, arguments)
