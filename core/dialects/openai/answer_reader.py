"""A provider's whole chat completion, put into the form between all wires.

Wire: https://platform.openai.com/docs/api-reference/chat/object
"""

import msgspec

from core.dialects.canonical import NO_JSON, Answer, Choice, Refusal, Said, Text, Thinking, ToolCall
from core.dialects.openai import answer as wire
from core.dialects.openai.body import given
from core.dialects.openai.call_reader import NO_FUNCTION, signature_of
from core.dialects.openai.finish import broke_off, read_finish
from core.dialects.openai.reasoning_details import Detail, call_signatures, read_details
from core.dialects.openai.usage import read_usage
from core.dialects.sides import Unreadable
from core.errors import ProviderError


def read_answer(body: bytes) -> Answer:
    """A whole good answer. Raises Unreadable."""
    found = completion(body)
    if wire.is_error(found) or found.choices is None:
        raise Unreadable("an error, or no chat completion")
    return Answer(
        id=str(found.id or ""),
        model=found.model or "",
        choices=[_choice(choice) for choice in found.choices],
        tokens=read_usage(found.usage),
        created=int(found.created or 0),
        service_tier=wire.plain(found.service_tier),
    )


def completion(body: bytes) -> wire.Completion:
    """The object of an answer or of a chunk. Raises Unreadable."""
    try:
        return wire.read_completion(body)
    except ProviderError as error:
        raise Unreadable(str(error)) from None


def details_of(said: wire.Said) -> list[Detail]:
    """The reasoning_details of a message; none where they are not as documented."""
    try:
        return read_details(said.reasoning_details)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _choice(choice: wire.Choice) -> Choice:
    said = choice.message or choice.delta or wire.Said()
    reason = choice.finish_reason or ""
    if broke_off(reason):
        raise Unreadable("the answer broke off")
    calls = _calls(said)
    details = details_of(said)
    behind = call_signatures(details, [call.id for call in calls if call.id])
    for call in calls:
        call.signature = call.signature or behind.get(call.id, "")
    parts: list[Said] = [
        one.thinking() for one in details if (one.said or one.is_proof) and not (one.id and one.id in behind)
    ]
    if not any(isinstance(part, Thinking) and part.text for part in parts) and (thought := said.thoughts()):
        parts.insert(0, Thinking(text=thought))
    text = said.text() or choice.text
    if text:
        parts.append(Text(text))
    if said.refusal:
        parts.append(Refusal(said.refusal))
    finish = read_finish(reason, calls=bool(calls), refused=bool(said.refusal) and not text)
    logprobs = given(choice.logprobs) if bytes(choice.logprobs) else NO_JSON
    return Choice(parts=[*parts, *calls], finish=finish, logprobs=logprobs)


def _calls(said: wire.Said) -> list[ToolCall]:
    calls: list[ToolCall] = []
    for call in said.tool_calls or ():
        function = call.function or NO_FUNCTION
        if function.name:
            calls.append(ToolCall(call.id or "", function.name, function.arguments_json(), signature_of(call)))
    if not calls and said.function_call is not None and said.function_call.name:
        calls.append(ToolCall("", said.function_call.name, said.function_call.arguments_json()))
    return calls
