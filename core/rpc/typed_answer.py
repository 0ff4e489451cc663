"""Answers in the form between all wires as messages: nothing that it says is lost."""

from collections.abc import Sequence
from typing import Final

from core.dialects.canonical import Answer, Choice, Refusal, Said, Text, Thinking, ToolCall
from core.dialects.openai.finish import write_finish
from core.rpc.stop_reason import REASONS
from core.rpc.thought_message import thought_message
from llmrouter.v1 import router_pb2 as pb

_ORDER: Final = (Thinking, Text, Refusal, ToolCall)


def typed_response(found: Answer, *, hidden: bool) -> pb.CompleteChatResponse:
    """The answer, but for what the router itself has to say of it. hidden: thoughts are not shown, but for the proof
    that the next turn needs.
    """
    return pb.CompleteChatResponse(
        id=found.id,
        created=found.created,
        model=found.model,
        choices=[_choice(index, choice, hidden=hidden) for index, choice in enumerate(found.choices)],
        service_tier=found.service_tier,
    )


def _choice(index: int, choice: Choice, *, hidden: bool) -> pb.ChatChoice:
    parts = [part for part in choice.parts if not (hidden and isinstance(part, Thinking) and not part.maker)]
    refusals = [part.text for part in parts if isinstance(part, Refusal)]
    return pb.ChatChoice(
        index=index,
        message=_message(parts, refusals, hidden=hidden),
        finish_reason=write_finish(choice.finish, refused=bool(refusals), functions=False),
        logprobs_json=bytes(choice.logprobs).decode(errors="replace"),
        stop_reason=REASONS[choice.finish],
        stop_sequence=choice.stop_sequence,
    )


def _message(parts: Sequence[Said], refusals: Sequence[str], *, hidden: bool) -> pb.ChatMessage:
    texts = [part.text for part in parts if isinstance(part, Text)]
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    calls = [_call(part) for part in parts if isinstance(part, ToolCall)]
    proven = any(thought.maker for thought in thoughts)
    message = pb.ChatMessage(
        role=pb.ROLE_ASSISTANT,
        text="".join(texts) if texts or not (calls or refusals) else None,
        reasoning="" if hidden else "".join([thought.text for thought in thoughts]),
        thinking=map(thought_message, thoughts) if proven else (),
        refusal="".join(refusals),
        tool_calls=calls,
    )
    ranks = [_ORDER.index(type(part)) for part in parts]
    if ranks != sorted(ranks):
        message.in_order.parts.extend(map(_part, parts))
    return message


def _part(part: Said) -> pb.ContentPart:
    match part:
        case Text():
            return pb.ContentPart(text=part.text)
        case Refusal():
            return pb.ContentPart(refusal=part.text)
        case Thinking():
            return pb.ContentPart(thinking=thought_message(part))
        case ToolCall():
            return pb.ContentPart(tool_call=_call(part))


def _call(call: ToolCall) -> pb.ToolCall:
    return pb.ToolCall(id=call.id, name=call.name, arguments_json=call.arguments, signature=call.signature)
