"""A whole answer → a response object. Of several choices, which nobody can ask for here, the first counts."""

from typing import Any

import msgspec

from core.dialects.canonical import Answer, Chat, Choice, Refusal, Text, Thinking, ToolCall
from core.dialects.responses import response as made
from core.dialects.responses.response import item_id


class _Logprobs(msgspec.Struct):
    content: list[msgspec.Raw] | None = None


_decode_logprobs = msgspec.json.Decoder(_Logprobs | None).decode


def write_answer(answer: Answer, chat: Chat) -> bytes:
    """The body of an answer to the caller."""
    choice = answer.choices[0] if answer.choices else Choice([])
    response = made.response_id(chat, answer.id)
    status = made.status_of(choice.finish)
    return made.encode(
        made.response(
            chat,
            response_id=response,
            model=answer.model,
            created=answer.created,
            status=status,
            output=_output(chat, response, choice, status),
            finish=choice.finish,
            tokens=answer.tokens,
            service_tier=answer.service_tier,
        )
    )


def logprobs_of(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The log probabilities of a text, as this wire has them; none where they are not what a chat has."""
    if not raw:
        return []
    try:
        found = _decode_logprobs(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    return found.content or [] if found is not None else []


def _output(chat: Chat, response: str, choice: Choice, status: str) -> list[dict[str, Any]]:
    output: list[dict[str, Any]] = []
    said: list[dict[str, Any]] | None = None  # of the message that goes on
    logprobs = logprobs_of(choice.logprobs)
    for part in choice.parts:
        if isinstance(part, Text | Refusal):
            if said is None:
                said = []
                output.append(made.message_item(item_id("msg", response, len(output)), said, status))
            if isinstance(part, Refusal):
                said.append(made.refusal_part(part.text))
            else:
                said.append(made.text_part(part.text, logprobs))
                logprobs = []
            continue
        said = None
        if isinstance(part, Thinking):
            name = item_id("rs", response, len(output))
            output.append(made.reasoning_item(name, part.text, made.thought_proof(part)))
        else:
            output += _call(chat, response, part, len(output))
    return output


def _call(chat: Chat, response: str, call: ToolCall, number: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if call.signature:
        items.append(made.reasoning_item(item_id("rs", response, number), "", made.call_proof(call.signature)))
        number += 1
    if made.is_custom(chat, call.name):
        text = made.custom_input(call.arguments)
        items.append(made.custom_item(item_id("ctc", response, number), call.id, call.name, text, "completed"))
    else:
        name = item_id("fc", response, number)
        items.append(made.call_item(name, call.id, call.name, call.arguments, "completed"))
    return items
