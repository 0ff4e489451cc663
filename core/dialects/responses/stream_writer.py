"""Events → the caller's server-sent events.

    response.created, .in_progress
      output_item.added ─► content_part.added ─► output_text.delta … .done ─► content_part.done ─► output_item.done
      output_item.added ─► function_call_arguments.delta … .done ─► output_item.done
      output_item.added ─► reasoning_summary_part.added ─► reasoning_summary_text.delta … .done ─► … ─► output_item.done
    response.completed | .incomplete | .failed

An item ends where the next thing begins, but for calls of tools: their pieces may be mixed, so that they end
together. The last event has the whole response again, its usage included.
"""

from collections.abc import Sequence
from typing import Any

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
    Finish,
    Finished,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.responses import response as made
from core.dialects.responses.answer_writer import logprobs_of
from core.dialects.responses.faults import in_stream
from core.dialects.responses.response import encode, item_id
from core.dialects.responses.thoughts import Proof

_DELTA = (
    b'event: response.%b.delta\ndata: {"type":"response.%b.delta","sequence_number":%d,"item_id":%b,'
    b'"output_index":%d,%b"delta":%b%b}\n\n'
)


class _Item:
    """An item that is still being made."""

    __slots__ = ("encoded_id", "id", "number", "parts", "pieces")

    def __init__(self, kind: str, response: str, number: int) -> None:
        self.id = item_id(kind, response, number)
        self.encoded_id = encode(self.id)
        self.number = number
        self.parts: list[Any] = []  # those that are complete
        self.pieces: list[str] = []  # of the one that is not


class _Call(_Item):
    """A call of a tool."""

    __slots__ = ("call_id", "custom", "name")

    def __init__(self, response: str, number: int, began: CallBegan, *, custom: bool) -> None:
        super().__init__("ctc" if custom else "fc", response, number)
        self.call_id = began.id
        self.name = began.name
        self.custom = custom

    def made(self, status: str) -> dict[str, Any]:
        """The item as it is now."""
        arguments = "".join(self.pieces)
        if self.custom:
            text = made.custom_input(arguments) if arguments else ""
            return made.custom_item(self.id, self.call_id, self.name, text, status)
        return made.call_item(self.id, self.call_id, self.name, arguments, status)


class ResponseWriter:
    """Writes one stream."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._out: list[bytes] = []
        self._sequence = 0
        self._id = self._model = ""
        self._created = 0
        self._begun = False
        self._output: list[Any] = []  # complete items, None for those that are not
        self._thought: _Item | None = None
        self._message: _Item | None = None
        self._part = ""  # of the message: output_text, refusal
        self._logprobs: list[msgspec.Raw] = []
        self._calls: dict[int, _Call] = {}
        self._finish: Finish = "stop"
        self._used: Used | None = None

    def write(self, events: Sequence[Event]) -> bytes:
        """Whole events of the caller's wire, b"" for nothing yet."""
        for event in events:
            if getattr(event, "choice", 0) == 0:  # nobody can ask for more of them
                self._take(event)
        written, self._out = b"".join(self._out), []
        return written

    def _take(self, event: Event) -> None:
        match event:
            case TextDelta():
                self._say("output_text", event.text, event.logprobs)
            case ThinkingDelta():
                self._think(event.text)
            case CallDelta():
                self._call_delta(event)
            case CallBegan():
                self._call(event)
            case RefusalDelta():
                self._say("refusal", event.text)
            case ThinkingSigned():
                self._signed(event)
            case Began():
                self._begin(event)
            case Used():
                self._used = event
            case Finished():
                self._finish = event.finish
                self._close()
            case Failed():
                self._fail(event)
            case Ended():
                self._end()

    def _begin(self, event: Began) -> None:
        self._id = made.response_id(self._chat, event.id)
        self._model, self._created = event.model, event.created
        self._begun = True
        for name in ("created", "in_progress"):
            self._event(f"response.{name}", response=self._response("in_progress"))

    def _end(self) -> None:
        self._close()
        status = made.status_of(self._finish)
        self._event(f"response.{status}", response=self._response(status))

    def _fail(self, event: Failed) -> None:
        if not self._begun:
            self._event("error", **in_stream(event.fault))
            return
        self._close("incomplete")
        told = in_stream(event.fault)
        error = {"code": told["code"] or "server_error", "message": told["message"]}
        self._event("response.failed", response=self._response("failed", error))

    def _response(self, status: str, error: dict[str, Any] | None = None) -> dict[str, Any]:
        return made.response(
            self._chat,
            response_id=self._id,
            model=self._model,
            created=self._created,
            status=status,
            output=[item for item in self._output if item is not None],
            finish=self._finish,
            tokens=self._used.tokens if self._used is not None else None,
            error=error,
        )

    # ── Texts and refusals ────────────────────────────────────────────────────────────────────────

    def _say(self, kind: str, text: str, logprobs: msgspec.Raw = NO_JSON) -> None:
        if not text:
            return
        message = self._message
        if message is None:
            self._close_thought()
            message = self._message = _Item("msg", self._id, self._next())
            self._added(message, made.message_item(message.id, [], "in_progress"))
        if self._part != kind:
            self._close_part(message)
            self._part = kind
            self._event(
                "response.content_part.added",
                item_id=message.id,
                output_index=message.number,
                content_index=len(message.parts),
                part=made.text_part("") if kind == "output_text" else made.refusal_part(""),
            )
        message.pieces.append(text)
        place, more = b'"content_index":%d,' % len(message.parts), b""
        if kind == "output_text":
            found = logprobs_of(logprobs) if logprobs else []
            self._logprobs += found
            more = b',"logprobs":%b' % encode(found)
        self._delta(kind.encode(), message, text, place, more)

    def _close_part(self, message: _Item) -> None:
        if not self._part:
            return
        text, message.pieces = "".join(message.pieces), []
        place = {"item_id": message.id, "output_index": message.number, "content_index": len(message.parts)}
        if self._part == "output_text":
            self._event("response.output_text.done", **place, text=text, logprobs=self._logprobs)
            part = made.text_part(text, self._logprobs)
            self._logprobs = []
        else:
            self._event("response.refusal.done", **place, refusal=text)
            part = made.refusal_part(text)
        self._event("response.content_part.done", **place, part=part)
        message.parts.append(part)
        self._part = ""

    def _close_message(self, status: str = "completed") -> None:
        message, self._message = self._message, None
        if message is not None:
            self._close_part(message)
            self._done(message, made.message_item(message.id, message.parts, status))

    # ── Thoughts ──────────────────────────────────────────────────────────────────────────────────

    def _think(self, text: str) -> None:
        if not text:
            return
        self._close_message()
        thought = self._thought
        if thought is None:
            thought = self._thought = self._begin_thought()
            self._event(
                "response.reasoning_summary_part.added",
                item_id=thought.id,
                output_index=thought.number,
                summary_index=0,
                part=made.summary(""),
            )
        thought.pieces.append(text)
        self._delta(b"reasoning_summary_text", thought, text, b'"summary_index":0,')

    def _begin_thought(self) -> _Item:
        thought = _Item("rs", self._id, self._next())
        self._added(thought, made.reasoning_item(thought.id, "", None))
        return thought

    def _signed(self, event: ThinkingSigned) -> None:
        self._close_message()
        self._thought = self._thought or self._begin_thought()
        self._close_thought(Proof(event.maker, event.signature, event.redacted))

    def _close_thought(self, proof: Proof | None = None) -> None:
        thought, self._thought = self._thought, None
        if thought is None:
            return
        text = "".join(thought.pieces)
        if text:
            place = {"item_id": thought.id, "output_index": thought.number, "summary_index": 0}
            self._event("response.reasoning_summary_text.done", **place, text=text)
            self._event("response.reasoning_summary_part.done", **place, part=made.summary(text))
        self._done(thought, made.reasoning_item(thought.id, text, proof))

    # ── Calls ─────────────────────────────────────────────────────────────────────────────────────

    def _call(self, event: CallBegan) -> None:
        self._close_thought()
        self._close_message()
        if event.signature:
            sign = self._begin_thought()
            self._done(sign, made.reasoning_item(sign.id, "", made.call_proof(event.signature)))
        call = _Call(self._id, self._next(), event, custom=made.is_custom(self._chat, event.name))
        self._calls[event.index] = call
        self._added(call, call.made("in_progress"))

    def _call_delta(self, event: CallDelta) -> None:
        call = self._calls.get(event.index)
        if call is None or not event.arguments:
            return
        call.pieces.append(event.arguments)
        if not call.custom:  # its text can be told only from the whole
            self._delta(b"function_call_arguments", call, event.arguments)

    def _close_calls(self, status: str) -> None:
        calls, self._calls = self._calls, {}
        for call in calls.values():
            item = call.made(status)
            place = {"item_id": call.id, "output_index": call.number}
            if call.custom:
                if item["input"]:
                    self._delta(b"custom_tool_call_input", call, item["input"])
                self._event("response.custom_tool_call_input.done", **place, input=item["input"])
            else:
                self._event(
                    "response.function_call_arguments.done", **place, name=call.name, arguments=item["arguments"]
                )
            self._done(call, item)

    # ── What all have ─────────────────────────────────────────────────────────────────────────────

    def _close(self, status: str = "") -> None:
        status = status or made.status_of(self._finish)
        self._close_thought()
        self._close_message(status)
        self._close_calls(status)

    def _next(self) -> int:
        self._output.append(None)
        return len(self._output) - 1

    def _added(self, item: _Item, shown: dict[str, Any]) -> None:
        self._event("response.output_item.added", output_index=item.number, item=shown)

    def _done(self, item: _Item, shown: dict[str, Any]) -> None:
        self._output[item.number] = shown
        self._event("response.output_item.done", output_index=item.number, item=shown)

    def _delta(self, kind: bytes, item: _Item, text: str, place: bytes = b"", more: bytes = b"") -> None:
        self._out.append(_DELTA % (kind, kind, self._sequence, item.encoded_id, item.number, place, encode(text), more))
        self._sequence += 1

    def _event(self, kind: str, **fields: Any) -> None:
        data = encode({"type": kind, "sequence_number": self._sequence, **fields})
        self._out.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))
        self._sequence += 1
