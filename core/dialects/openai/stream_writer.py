"""A stream for a caller of the OpenAI wire: chunks of a chat completion, one for each event.

Every chunk begins and ends the same, so that is made once; what is between is put together as bytes.
A thought's text comes in pieces as `reasoning_content`; its proof comes at its end, with the whole
text once more, as an element of `reasoning_details` that a client can send back as it is.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

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
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    Used,
)
from core.dialects.openai.answer_writer import hides_thoughts
from core.dialects.openai.chat_reader import FunctionsChat
from core.dialects.openai.faults import write_fault
from core.dialects.openai.finish import write_finish
from core.dialects.openai.reasoning_details import detail
from core.dialects.openai.usage import write_usage

_encode = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"
_ROLE = b'{"role":"assistant","content":"","refusal":null}'


class ChunkWriter:
    """Writes one stream."""

    def __init__(self, chat: Chat) -> None:
        self._asks_usage = chat.include_usage
        self._hidden = hides_thoughts(chat)
        self._functions = isinstance(chat, FunctionsChat)
        self._head = b""
        self._tail = b""
        self._begun: set[int] = set()
        self._refused: set[int] = set()
        self._thoughts: dict[int, list[str]] = {}
        self._proofs: dict[int, int] = {}
        self._usage = b""

    def write(self, events: Sequence[Event]) -> bytes:
        """Whole events, b"" for nothing yet."""
        written: list[bytes] = []
        for event in events:
            self._write(event, written)
        return b"".join(written)

    def _write(self, event: Event, out: list[bytes]) -> None:
        match event:
            case TextDelta():
                logprobs = bytes(event.logprobs) or b"null"
                self._put(event.choice, b'{"content":' + _encode(event.text) + b"}", out, logprobs)
            case CallDelta():
                self._put(event.choice, self._arguments(event), out)
            case ThinkingDelta():
                if not self._hidden:
                    self._thoughts.setdefault(event.choice, []).append(event.text)
                    self._put(event.choice, b'{"reasoning_content":' + _encode(event.text) + b"}", out)
            case ThinkingSigned():
                if not self._hidden:
                    self._put(event.choice, _encode({"reasoning_details": [self._proof(event)]}), out)
            case CallBegan():
                if not self._functions or event.index == 0:
                    self._put(event.choice, _encode(self._call(event)), out)
            case RefusalDelta():
                self._refused.add(event.choice)
                self._put(event.choice, b'{"refusal":' + _encode(event.text) + b"}", out)
            case Finished():
                refused = event.choice in self._refused
                reason = write_finish(event.finish, refused=refused, functions=self._functions)
                self._put(event.choice, b"{}", out, reason=_encode(reason))
            case Began():
                self._begin(event, out)
            case Used():
                self._usage = _encode(write_usage(event.tokens))
            case Ended():
                self._end(out)
            case Failed():
                out.append(b"data: " + write_fault(event.fault) + b"\n\n")

    def _begin(self, event: Began, out: list[bytes]) -> None:
        fields = {"id": event.id, "object": "chat.completion.chunk", "created": event.created, "model": event.model}
        self._head = b"data: " + _encode(fields)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if self._asks_usage else b"]}\n\n"
        self._put(0, b"", out)

    def _put(
        self, choice: int, delta: bytes, out: list[bytes], logprobs: bytes = b"null", reason: bytes = b"null"
    ) -> None:
        """A chunk; before the first of a choice one that says who speaks."""
        if choice not in self._begun:
            self._begun.add(choice)
            self._put(choice, _ROLE, out)
        if delta:
            out.append(
                b'%s{"index":%d,"delta":%s,"logprobs":%s,"finish_reason":%s}%s'
                % (self._head, choice, delta, logprobs, reason, self._tail)
            )

    def _arguments(self, event: CallDelta) -> bytes:
        if self._functions:
            return b'{"function_call":{"arguments":' + _encode(event.arguments) + b"}}" if event.index == 0 else b""
        return b'{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}' % (event.index, _encode(event.arguments))

    def _call(self, event: CallBegan) -> dict[str, Any]:
        function = {"name": event.name, "arguments": ""}
        if self._functions:
            return {"function_call": function}
        call: dict[str, Any] = {"index": event.index, "id": event.id, "type": "function", "function": function}
        if event.signature:
            call["extra_content"] = {"google": {"thought_signature": event.signature}}
        return {"tool_calls": [call]}

    def _proof(self, event: ThinkingSigned) -> dict[str, Any]:
        index = self._proofs[event.choice] = self._proofs.get(event.choice, -1) + 1
        said = self._thoughts.pop(event.choice, ())
        text = "" if event.redacted else "".join(said)
        return detail(Thinking(text, event.signature, event.redacted, event.id, event.maker), index)

    def _end(self, out: list[bytes]) -> None:
        if self._asks_usage and self._usage:
            out.append(self._head + b'],"usage":' + self._usage + b"}\n\n")
        out.append(_DONE)
