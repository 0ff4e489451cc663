"""A whole answer of a Gemini provider, and what stands in the chunks of a streamed one.

An answer has as many candidates as were asked for, or none where the prompt was blocked. A signature on a text
is that of the thought behind it, and becomes a thought of its own that says nothing.

Source: https://ai.google.dev/api/generate-content#GenerateContentResponse
"""

import msgspec

from core.dialects.canonical import Answer, Choice, Said, Text, ToolCall
from core.dialects.gemini.finish import finish_of
from core.dialects.gemini.logprobs import read_logprobs
from core.dialects.gemini.thoughts import thought
from core.dialects.gemini.wire import Candidate, FunctionCall, Part, Response, given
from core.dialects.sides import Unreadable

_decode = msgspec.json.Decoder(Response, strict=False).decode


def read_response(data: bytes) -> Response:
    """Raises Unreadable."""
    try:
        return _decode(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not an answer of the Gemini API") from error


def read_answer(body: bytes) -> Answer:
    """A whole answer. Raises Unreadable."""
    found = read_response(body)
    if found.candidates is None and found.prompt_feedback is None and found.usage_metadata is None:
        raise Unreadable("an answer of the Gemini API without candidates")
    choices = [_choice(candidate) for candidate in found.candidates or ()]
    if not choices:
        choices = [Choice([], finish="content_filter" if blocked(found) else "stop")]
    usage = found.usage_metadata
    return Answer(
        id=found.response_id or "",
        model=found.model_version or "",
        choices=choices,
        tokens=usage.tokens() if usage is not None and usage.is_known else None,
    )


def blocked(found: Response) -> bool:
    """Whether the provider refused the prompt."""
    feedback = found.prompt_feedback
    return not found.candidates and feedback is not None and bool(feedback.block_reason)


def arguments(call: FunctionCall) -> str:
    """The arguments as JSON."""
    return bytes(call.args).decode(errors="replace") if given(call.args) else "{}"


def picture(part: Part) -> str:
    """A picture that the model made, which the form between wires can show as a text alone: in Markdown."""
    blob = part.inline_data
    return f"![](data:{blob.mime_type or 'image/png'};base64,{blob.data})" if blob is not None and blob.data else ""


def _choice(candidate: Candidate) -> Choice:
    parts: list[Said] = []
    for part in (candidate.content.parts if candidate.content is not None else None) or ():
        _say(parts, part)
    choice = Choice(parts)
    choice.finish = finish_of(candidate.finish_reason, called=any(isinstance(part, ToolCall) for part in parts))
    if candidate.logprobs_result is not None:
        choice.logprobs = read_logprobs(candidate.logprobs_result)
    return choice


def _say(parts: list[Said], part: Part) -> None:
    signature = part.thought_signature or ""
    if part.function_call is not None:
        call = part.function_call
        parts.append(ToolCall(call.id or "", call.name or "", arguments(call), signature))
        return
    text = part.text or picture(part)
    if part.thought:
        if text or signature:
            parts.append(thought(text, signature))
        return
    if text:
        last = parts[-1] if parts else None
        if isinstance(last, Text):
            last.text += text
        else:
            parts.append(Text(text))
    if signature:
        parts.append(thought("", signature))
