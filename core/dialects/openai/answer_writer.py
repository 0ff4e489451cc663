"""A whole answer, put as the chat completion that a caller of the OpenAI wire waits for.

Thoughts stand in `reasoning_content`, and those with a proof in `reasoning_details` again, so that they can come
back with it; a caller who does not want to see any has none.
"""

from typing import Any

import msgspec

from core.dialects.canonical import Answer, Chat, Choice, Refusal, Text, Thinking, ToolCall
from core.dialects.openai.chat_reader import FunctionsChat
from core.dialects.openai.finish import write_finish
from core.dialects.openai.reasoning_details import detail
from core.dialects.openai.usage import write_usage

_encode = msgspec.json.Encoder().encode


def write_answer(answer: Answer, chat: Chat) -> bytes:
    """The body of a chat completion."""
    functions = isinstance(chat, FunctionsChat)
    hidden = hides_thoughts(chat)
    fields: dict[str, Any] = {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [
            _choice(choice, number, functions=functions, hidden=hidden) for number, choice in enumerate(answer.choices)
        ],
    }
    if answer.tokens is not None:
        fields["usage"] = write_usage(answer.tokens)
    if answer.service_tier:
        fields["service_tier"] = answer.service_tier
    return _encode(fields)


def hides_thoughts(chat: Chat) -> bool:
    """Whether the caller asked not to see what the model thought."""
    return chat.reasoning is not None and chat.reasoning.shown is False


def call_fields(call: ToolCall) -> dict[str, Any]:
    """A tool call, whole."""
    fields: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.signature:
        fields["extra_content"] = {"google": {"thought_signature": call.signature}}
    return fields


def _choice(choice: Choice, number: int, *, functions: bool, hidden: bool) -> dict[str, Any]:
    texts: list[str] = []
    refusals: list[str] = []
    thoughts: list[Thinking] = []
    calls: list[ToolCall] = []
    for part in choice.parts:
        match part:
            case Text():
                texts.append(part.text)
            case Refusal():
                refusals.append(part.text)
            case Thinking():
                thoughts.append(part)
            case ToolCall():
                calls.append(part)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts or not (calls or refusals) else None,
        "refusal": "".join(refusals) or None,
    }
    if not hidden:
        message.update(_thought(thoughts))
    if calls and functions:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
    elif calls:
        message["tool_calls"] = [call_fields(call) for call in calls]
    return {
        "index": number,
        "message": message,
        "logprobs": choice.logprobs if bytes(choice.logprobs) else None,
        "finish_reason": write_finish(choice.finish, refused=bool(refusals), functions=functions),
    }


def _thought(thoughts: list[Thinking]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if text := "".join(thought.text for thought in thoughts):
        fields["reasoning_content"] = text
    if any(thought.maker for thought in thoughts):
        fields["reasoning_details"] = [detail(thought, index) for index, thought in enumerate(thoughts)]
    return fields
