"""An Answer as a client of Anthropic's reads it. Of several choices it is the first: this wire can't ask for more."""

from typing import Any

import msgspec

from core.dialects.anthropic.finishes import reason_of
from core.dialects.anthropic.seals import ANTHROPIC, sealed, sealed_call, sealed_data
from core.dialects.anthropic.usage import usage_of
from core.dialects.arguments import object_of
from core.dialects.canonical import Answer, Chat, Choice, Refusal, Said, Text, Thinking, ToolCall
from core.dialects.tokens import NO_TOKENS

_encode = msgspec.json.Encoder().encode


def write_answer(answer: Answer, chat: Chat) -> bytes:
    """The body of the answer to a chat."""
    choice = answer.choices[0] if answer.choices else Choice([])
    calls = any(isinstance(part, ToolCall) for part in choice.parts)
    reason = reason_of(choice.finish, choice.stop_sequence, calls=calls)
    return _encode(
        {
            "id": answer.id,
            "type": "message",
            "role": "assistant",
            "model": answer.model or chat.model,
            "content": [block for part in choice.parts for block in _blocks(part)],
            "stop_reason": reason,
            "stop_sequence": choice.stop_sequence if reason == "stop_sequence" else None,
            "usage": usage_of(answer.tokens or NO_TOKENS, answer.service_tier),
        }
    )


def _blocks(part: Said) -> list[dict[str, Any]]:
    match part:
        case Text() | Refusal():
            return [{"type": "text", "text": part.text}] if part.text else []
        case Thinking() if part.redacted and part.text and part.maker != ANTHROPIC:
            signature = sealed_data(part.maker, part.id, part.redacted)
            return [{"type": "thinking", "thinking": part.text, "signature": signature}]
        case Thinking() if part.redacted:
            return [{"type": "redacted_thinking", "data": sealed(part.maker, part.id, part.redacted)}]
        case Thinking():
            signature = sealed(part.maker, part.id, part.signature)
            return [{"type": "thinking", "thinking": part.text, "signature": signature}]
        case ToolCall():
            call = {"type": "tool_use", "id": part.id, "name": part.name, "input": object_of(part.arguments or "{}")}
            if part.signature:
                return [{"type": "redacted_thinking", "data": sealed_call(part.signature)}, call]
            return [call]
