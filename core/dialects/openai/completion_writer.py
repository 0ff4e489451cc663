"""Answers and streams, put as the text completions that a caller of that endpoint waits for.

They are texts and nothing else: a refusal is one too, thoughts are left out, and tools there are none.

Wire: https://platform.openai.com/docs/api-reference/completions/object
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from core.dialects.canonical import (
    Answer,
    Began,
    Chat,
    Ended,
    Event,
    Failed,
    Finish,
    Finished,
    Refusal,
    RefusalDelta,
    Text,
    TextDelta,
    Used,
)
from core.dialects.openai.faults import write_fault
from core.dialects.openai.finish import write_finish
from core.dialects.openai.usage import write_usage

_encode = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"


def write_answer(answer: Answer, chat: Chat) -> bytes:
    """The body of a text completion."""
    del chat
    fields: dict[str, Any] = {
        "id": answer.id,
        "object": "text_completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [
            {
                "text": "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal)),
                "index": number,
                "logprobs": None,
                "finish_reason": _reason(choice.finish),
            }
            for number, choice in enumerate(answer.choices)
        ],
    }
    if answer.tokens is not None:
        fields["usage"] = write_usage(answer.tokens)
    return _encode(fields)


class TextWriter:
    """Writes one stream."""

    def __init__(self, chat: Chat) -> None:
        self._asks_usage = chat.include_usage
        self._head = b""
        self._tail = b""
        self._usage = b""

    def write(self, events: Sequence[Event]) -> bytes:
        """Whole events, b"" for nothing yet."""
        return b"".join(map(self._written, events))

    def _written(self, event: Event) -> bytes:
        match event:
            case TextDelta() | RefusalDelta():
                return self._chunk(event.choice, _encode(event.text), b"null")
            case Finished():
                return self._chunk(event.choice, b'""', _encode(_reason(event.finish)))
            case Began():
                self._begin(event)
            case Used():
                self._usage = _encode(write_usage(event.tokens))
            case Ended():
                if self._asks_usage and self._usage:
                    return self._head + b'],"usage":' + self._usage + b"}\n\n" + _DONE
                return _DONE
            case Failed():
                return b"data: " + write_fault(event.fault) + b"\n\n"
            case _:
                pass
        return b""

    def _begin(self, event: Began) -> None:
        fields = {"id": event.id, "object": "text_completion", "created": event.created, "model": event.model}
        self._head = b"data: " + _encode(fields)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if self._asks_usage else b"]}\n\n"

    def _chunk(self, choice: int, text: bytes, reason: bytes) -> bytes:
        return b'%s{"text":%s,"index":%d,"logprobs":null,"finish_reason":%s}%s' % (
            self._head,
            text,
            choice,
            reason,
            self._tail,
        )


def _reason(finish: Finish) -> str:
    """There is no reason here for calls of tools, which nobody could have made."""
    return write_finish("stop" if finish == "tool_calls" else finish, refused=False, functions=False)
