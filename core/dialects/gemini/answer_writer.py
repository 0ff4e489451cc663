"""A whole answer for a Gemini caller.

Source: https://ai.google.dev/api/generate-content#GenerateContentResponse
"""

import msgspec

from core.dialects.canonical import NO_JSON, Answer, Chat, Choice, Refusal, Said, Text, Thinking, ToolCall
from core.dialects.gemini.finish import MALFORMED_CALL, WRITTEN
from core.dialects.gemini.logprobs import write_logprobs
from core.dialects.gemini.thoughts import signature_of
from core.dialects.gemini.usage import usage_of
from core.dialects.gemini.wire import MODEL, Candidate, Content, FunctionCall, Part, Response

_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def write_answer(answer: Answer, chat: Chat) -> bytes:
    """The body of a good answer."""
    del chat
    return _encode(
        Response(
            candidates=[_candidate(number, choice) for number, choice in enumerate(answer.choices)],
            usage_metadata=usage_of(answer.tokens) if answer.tokens is not None else None,
            model_version=answer.model or None,
            response_id=answer.id or None,
        )
    )


def call_part(id_: str, name: str, text: str, signature: str) -> Part | None:
    """A call; None where its arguments are no object, which the wire can't say."""
    raw = text.encode(errors="replace") if text.strip() else b"{}"
    try:
        _decode_object(raw)
    except (ValueError, RecursionError):
        return None
    call = FunctionCall(id_ or None, name, msgspec.Raw(raw))
    return Part(thought_signature=signature or None, function_call=call)


def _candidate(number: int, choice: Choice) -> Candidate:
    reason = WRITTEN[choice.finish]
    parts: list[Part] = []
    for said in choice.parts:
        part = _part(said)
        if part is None:
            reason = MALFORMED_CALL
        else:
            parts.append(part)
    logprobs = write_logprobs(choice.logprobs) if choice.logprobs is not NO_JSON else None
    return Candidate(Content(MODEL, parts), reason, number, logprobs)


def _part(said: Said) -> Part | None:
    match said:
        case Text() | Refusal():
            return Part(text=said.text)
        case Thinking():
            signature = signature_of(said.signature, said.redacted, said.id, said.maker)
            return Part(text=said.text, thought=True, thought_signature=signature or None)
        case ToolCall():
            return call_part(said.id, said.name, said.arguments, said.signature)
