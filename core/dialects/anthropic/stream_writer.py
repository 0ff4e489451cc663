"""Events as the server-sent events of /v1/messages.

    message_start
      content_block_start, content_block_delta …, content_block_stop      for one block after another
    message_delta       why it ended, and what it used: held back until that is reported, or the stream ends
    message_stop

Blocks never overlap, for there are clients that read them so. Where the pieces of two tool calls come mixed,
those of the later wait until the earlier is a whole JSON object, after which nothing of it can follow.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec

from core.dialects.anthropic.faults import write_fault
from core.dialects.anthropic.finishes import reason_of
from core.dialects.anthropic.seals import ANTHROPIC, sealed, sealed_call, sealed_data
from core.dialects.anthropic.usage import usage_of
from core.dialects.arguments import is_object
from core.dialects.canonical import (
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
from core.dialects.tokens import NO_TOKENS, Tokens

_START: Final = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}\n\n'
_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_TEXT_DELTA: Final = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
    b'"delta":{"type":"text_delta","text":%b}}\n\n'
)
_TEXT: Final = b'{"type":"text","text":""}'
_THINKING: Final = b'{"type":"thinking","thinking":"","signature":""}'
_MESSAGE_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_encode = msgspec.json.Encoder().encode


class _Call(msgspec.Struct):
    """A tool call whose end has not been written."""

    index: int
    began: CallBegan
    pieces: list[str] = []
    written: int = 0  # of the pieces
    seen: int = 0  # of them when it was last found to be no whole object


class MessageWriter:
    """Writes one stream."""

    __slots__ = (
        "_block",
        "_calls",
        "_finished",
        "_handlers",
        "_model",
        "_open",
        "_out",
        "_tokens",
        "_told",
        "_waiting",
    )

    def __init__(self, chat: Chat) -> None:
        self._model = chat.model
        self._out: list[bytes] = []
        self._block = 0  # index of the open block, else of the next
        self._open: Literal["", "text", "thinking", "call"] = ""
        self._waiting: list[_Call] = []  # the first is the open one
        self._calls = False
        self._finished: Finished | None = None
        self._tokens: Tokens | None = None
        self._told = False  # why it ended
        self._handlers: dict[type, Callable[..., None]] = {
            TextDelta: self._text,
            RefusalDelta: self._text,
            ThinkingDelta: self._thinking,
            ThinkingSigned: self._signed,
            CallBegan: self._call,
            CallDelta: self._piece,
            Began: self._began,
            Finished: self._finish,
            Used: self._used,
            Failed: self._failed,
            Ended: self._ended,
        }

    def write(self, events: Sequence[Event]) -> bytes:
        """Whole events of the wire, b"" for nothing yet."""
        for event in events:
            if not getattr(event, "choice", 0):  # only one was asked for
                self._handlers[type(event)](event)
        written = b"".join(self._out)
        self._out.clear()
        return written

    def _began(self, event: Began) -> None:
        message: dict[str, Any] = {
            "id": event.id,
            "type": "message",
            "role": "assistant",
            "model": event.model or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_of(event.tokens),
        }
        self._event("message_start", {"type": "message_start", "message": message})

    def _text(self, event: TextDelta | RefusalDelta) -> None:
        if not event.text:
            return
        if self._open != "text":
            self._begin("text", _TEXT)
        self._out.append(_TEXT_DELTA % (self._block, _encode(event.text)))

    def _thinking(self, event: ThinkingDelta) -> None:
        if not event.text:
            return
        if self._open != "thinking":
            self._begin("thinking", _THINKING)
        self._delta({"type": "thinking_delta", "thinking": event.text})

    def _signed(self, event: ThinkingSigned) -> None:
        if event.redacted and event.maker != ANTHROPIC and self._open == "thinking":
            signature = sealed_data(event.maker, event.id, event.redacted)
            self._delta({"type": "signature_delta", "signature": signature})
            self._shut()
            return
        if event.redacted:
            self._close()
            self._whole({"type": "redacted_thinking", "data": sealed(event.maker, event.id, event.redacted)})
            return
        if self._open != "thinking":
            self._begin("thinking", _THINKING)
        self._delta({"type": "signature_delta", "signature": sealed(event.maker, event.id, event.signature)})
        self._shut()

    def _call(self, event: CallBegan) -> None:
        self._calls = True
        self._advance()
        if not self._waiting:
            self._close()
        self._waiting.append(_Call(event.index, event, []))
        if len(self._waiting) == 1:
            self._begin_call(event)

    def _begin_call(self, began: CallBegan) -> None:
        if began.signature:
            self._whole({"type": "redacted_thinking", "data": sealed_call(began.signature)})
        call: dict[str, Any] = {"type": "tool_use", "id": began.id, "name": began.name, "input": {}}
        self._open = "call"
        self._out.append(_START % (self._block, _encode(call)))

    def _piece(self, event: CallDelta) -> None:
        if not event.arguments or not self._waiting:
            return
        if event.index != self._waiting[0].index:
            self._advance()
        for call in self._waiting:
            if call.index == event.index:
                call.pieces.append(event.arguments)
                if call is self._waiting[0]:
                    self._catch_up(call)
                return

    def _catch_up(self, call: _Call) -> None:
        for piece in call.pieces[call.written :]:
            self._delta({"type": "input_json_delta", "partial_json": piece})
        call.written = len(call.pieces)

    def _advance(self) -> None:
        """Ends the open calls that are complete, and begins those behind them."""
        while self._waiting:
            call = self._waiting[0]
            if call.seen == len(call.pieces) or not is_object("".join(call.pieces)):
                call.seen = len(call.pieces)
                return
            self._next_call()

    def _next_call(self) -> None:
        self._waiting.pop(0)
        self._shut()
        if self._waiting:
            self._begin_call(self._waiting[0].began)
            self._catch_up(self._waiting[0])

    def _finish(self, event: Finished) -> None:
        self._close()
        self._finished = event

    def _used(self, event: Used) -> None:
        self._tokens = event.tokens
        if self._finished is not None:
            self._tell(self._finished)

    def _ended(self, _: Ended) -> None:
        self._close()
        if not self._told:
            self._tell(self._finished or Finished("stop"))
        self._out.append(_MESSAGE_STOP)

    def _failed(self, event: Failed) -> None:
        self._out.append(b"event: error\ndata: %b\n\n" % write_fault(event.fault))

    def _tell(self, end: Finished) -> None:
        self._told = True
        reason = reason_of(end.finish, end.stop_sequence, calls=self._calls)
        sequence = end.stop_sequence if reason == "stop_sequence" else None
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        usage = usage_of(self._tokens or NO_TOKENS)
        self._event("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})

    def _begin(self, kind: Literal["text", "thinking"], block: bytes) -> None:
        self._close()
        self._open = kind
        self._out.append(_START % (self._block, block))

    def _whole(self, block: dict[str, str]) -> None:
        """A block that comes in one piece, where none is open."""
        self._out.append(_START % (self._block, _encode(block)))
        self._out.append(_STOP % self._block)
        self._block += 1

    def _delta(self, delta: dict[str, str]) -> None:
        self._out.append(_DELTA % (self._block, _encode(delta)))

    def _close(self) -> None:
        """Ends the open block, and all calls that wait."""
        if self._open == "thinking":  # nobody signed it; the seal says so
            self._delta({"type": "signature_delta", "signature": sealed("", "", "")})
        while self._waiting:
            self._next_call()
        self._shut()

    def _shut(self) -> None:
        if self._open:
            self._out.append(_STOP % self._block)
            self._block += 1
            self._open = ""

    def _event(self, name: str, data: dict[str, object]) -> None:
        self._out.append(b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(data)))
