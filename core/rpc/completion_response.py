"""Whole answers as CompleteChatResponse and CompleteTextResponse: those of the OpenAI wire are read here, those in
the form between all wires in typed_answer.py.
"""

import math
from collections.abc import Mapping

from core.dialects import canonical
from core.dialects.openai.answer import (
    Choice,
    Completion,
    Function,
    Said,
    ToolCall,
    is_error,
    plain,
    raw_json,
    read_completion,
)
from core.dialects.openai.call_reader import signature_of
from core.routing.reply import Answer
from core.routing.typed import TypedChat
from core.rpc import upstream_error
from core.rpc.message_check import ROLES
from core.rpc.routing_message import routing_message, usage_message
from core.rpc.stop_reason import stop_reason
from core.rpc.thought_message import thought_message, thoughts_of
from core.rpc.typed_answer import typed_response
from llmrouter.v1 import router_pb2 as pb

_ROLES = {name: role for role, name in ROLES.items()}

NOTHING_SAID = Said()
NO_FUNCTION = Function()


def chat_response(
    request_id: str, answer: Answer, found: "Completion | canonical.Answer", typed: TypedChat, *, include_raw: bool
) -> pb.CompleteChatResponse:
    """A provider's answer to a chat. found: what was read of it."""
    if isinstance(found, canonical.Answer):
        response = typed_response(found, hidden=typed.hidden)
        response.dropped_fields.extend(typed.dropped)
    else:
        response = _plain_response(found)
    response.usage.CopyFrom(usage_message(answer.tokens))
    response.routing.CopyFrom(routing_message(request_id, answer.place, answer.cost_nanousd))
    response.raw_json = _raw(answer, include_raw=include_raw)
    return response


def _plain_response(found: Completion) -> pb.CompleteChatResponse:
    return pb.CompleteChatResponse(
        id=id_of(found),
        created=created_of(found),
        model=found.model or "",
        choices=[_chat_choice(position, choice) for position, choice in enumerate(found.choices or ())],
        service_tier=plain(found.service_tier),
    )


def text_response(request_id: str, answer: Answer, found: Completion, *, include_raw: bool) -> pb.CompleteTextResponse:
    """A provider's answer to a text. found: what `read_answer` made of it."""
    return pb.CompleteTextResponse(
        id=id_of(found),
        created=created_of(found),
        model=found.model or "",
        choices=[
            pb.TextChoice(
                index=position if choice.index is None else choice.index,
                text=choice.text or "",
                finish_reason=choice.finish_reason or "",
            )
            for position, choice in enumerate(found.choices or ())
        ],
        usage=usage_message(answer.tokens),
        routing=routing_message(request_id, answer.place, answer.cost_nanousd),
        raw_json=_raw(answer, include_raw=include_raw),
    )


def read_answer(body: bytes) -> Completion:
    """Reads a whole answer. Raises ProviderError where it is none, UpstreamStatus where it is an error."""
    found = read_completion(body)
    if is_error(found):
        raise upstream_error.inside(body)
    return found


def id_of(completion: Completion) -> str:
    """The provider's id of a completion, "" for none."""
    return "" if completion.id is None else str(completion.id)


def _chat_choice(position: int, choice: Choice) -> pb.ChatChoice:
    said = choice.message or NOTHING_SAID
    thoughts, signatures = thoughts_of(said)
    proven = any(thought.maker for thought in thoughts)
    calls = [_tool_call(call, signatures) for call in said.tool_calls or ()]
    word = choice.finish_reason or ""
    return pb.ChatChoice(
        index=position if choice.index is None else choice.index,
        message=pb.ChatMessage(
            role=_ROLES.get(said.role or "", pb.ROLE_ASSISTANT),
            text=said.text(),
            tool_calls=calls,
            refusal=said.refusal or "",
            reasoning=said.thoughts() or "".join(thought.text for thought in thoughts),
            thinking=map(thought_message, thoughts) if proven else (),
        ),
        finish_reason=word,
        stop_reason=stop_reason(word, calls=bool(calls), refused=bool(said.refusal) and not said.text()),
        logprobs_json=raw_json(choice.logprobs),
    )


def _tool_call(call: ToolCall, signatures: Mapping[str, str]) -> pb.ToolCall:
    function = call.function or NO_FUNCTION
    return pb.ToolCall(
        id=call.id or "",
        name=function.name or "",
        arguments_json=function.arguments_json(),
        signature=signature_of(call) or signatures.get(call.id or "", ""),
    )


def created_of(completion: Completion) -> int:
    """When a completion was made, in seconds since 1970; 0 where that is not said."""
    created = completion.created or 0
    return int(created) if math.isfinite(created) and abs(created) < 2**63 else 0


def _raw(answer: Answer, *, include_raw: bool) -> str:
    return answer.body.decode(errors="replace") if include_raw else ""
