"""Whole answers of the OpenAI wire as CompleteChatResponse and CompleteTextResponse."""

import math

from core.dialects.openai.answer import (
    Choice,
    Completion,
    Function,
    Said,
    ToolCall,
    is_error,
    raw_json,
    read_completion,
)
from core.routing.reply import Answer
from core.rpc import upstream_error
from core.rpc.chat_message import ROLES
from core.rpc.routing_message import routing_message, usage_message
from llmrouter.v1 import router_pb2 as pb

_ROLES = {name: role for role, name in ROLES.items()}

NOTHING_SAID = Said()
NO_FUNCTION = Function()


def chat_response(request_id: str, answer: Answer, found: Completion, *, include_raw: bool) -> pb.CompleteChatResponse:
    """A provider's answer to a chat. found: what `read_answer` made of it."""
    return pb.CompleteChatResponse(
        id=id_of(found),
        created=_created(found),
        model=found.model or "",
        choices=[_chat_choice(position, choice) for position, choice in enumerate(found.choices or ())],
        usage=usage_message(answer.tokens),
        routing=routing_message(request_id, answer.place, answer.cost_nanousd),
        raw_json=_raw(answer, include_raw=include_raw),
    )


def text_response(request_id: str, answer: Answer, found: Completion, *, include_raw: bool) -> pb.CompleteTextResponse:
    """A provider's answer to a text. found: what `read_answer` made of it."""
    return pb.CompleteTextResponse(
        id=id_of(found),
        created=_created(found),
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
    return pb.ChatChoice(
        index=position if choice.index is None else choice.index,
        message=pb.ChatMessage(
            role=_ROLES.get(said.role or "", pb.ROLE_ASSISTANT),
            text=said.text(),
            tool_calls=map(_tool_call, said.tool_calls or ()),
            refusal=said.refusal or "",
            reasoning=said.thoughts(),
        ),
        finish_reason=choice.finish_reason or "",
        logprobs_json=raw_json(choice.logprobs),
    )


def _tool_call(call: ToolCall) -> pb.ToolCall:
    function = call.function or NO_FUNCTION
    return pb.ToolCall(id=call.id or "", name=function.name or "", arguments_json=function.arguments_json())


def _created(completion: Completion) -> int:
    created = completion.created or 0
    return int(created) if math.isfinite(created) and abs(created) < 2**63 else 0


def _raw(answer: Answer, *, include_raw: bool) -> str:
    return answer.body.decode(errors="replace") if include_raw else ""
