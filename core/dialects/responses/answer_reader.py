"""A response object → Answer.

Its output is a list of items; together they are the one choice. Items of tools that ran at the provider have no
words in a chat: what they found is in the text that follows.
"""

from typing import Any

import msgspec

from core.dialects.canonical import Answer, Choice, Finish, Refusal, Said, Text, ToolCall
from core.dialects.responses import items
from core.dialects.responses.items import Item
from core.dialects.responses.thoughts import OF_CALL
from core.dialects.responses.usage import read_reported
from core.dialects.sides import Unreadable


class Incomplete(msgspec.Struct):
    """Why a response has no end."""

    reason: str | None = None


class Response(msgspec.Struct):
    """A response object."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    service_tier: str | None = None
    output: list[Item] | None = None
    incomplete_details: Incomplete | None = None
    error: Any = None


decode_response = msgspec.json.Decoder(Response).decode


def read_answer(body: bytes) -> Answer:
    """A whole answer. Raises Unreadable."""
    try:
        found = decode_response(body)
        tokens = read_reported(body).tokens()
        if found.output is None:
            raise Unreadable("no output in the response")
        parts, logprobs = _parts(found.output)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    return Answer(
        id=found.id or "",
        model=found.model or "",
        choices=[Choice(parts, finish_of(found, parts), logprobs=logprobs)],
        tokens=tokens,
        created=int(found.created_at or 0),
        service_tier=found.service_tier or "",
    )


def finish_of(found: Response, parts: list[Said]) -> Finish:
    """Why an answer with these parts ended."""
    reason = found.incomplete_details.reason if found.incomplete_details else None
    if found.status == "incomplete" or reason:
        return "content_filter" if reason == "content_filter" else "length"
    if any(isinstance(part, ToolCall) for part in parts):
        return "tool_calls"
    return "refusal" if any(isinstance(part, Refusal) for part in parts) else "stop"


def _parts(output: list[Item]) -> tuple[list[Said], msgspec.Raw]:
    parts: list[Said] = []
    logprobs: list[msgspec.Raw] = []
    signature = ""  # of the next call
    for item in output:
        match item.kind:
            case "message":
                content = items.content_of(item.content)
                if isinstance(content, str):
                    parts += [Text(content)] if content else []
                    continue
                for part in content:
                    if part.type == "output_text" and part.text:
                        parts.append(Text(part.text))
                        logprobs.append(part.logprobs)
                    elif part.type == "refusal" and part.refusal:
                        parts.append(Refusal(part.refusal))
            case "reasoning":
                thought, proof = items.thinking(item)
                if proof.kind == OF_CALL:
                    signature = proof.signature
                elif thought is not None:
                    parts.append(thought)
            case "function_call":
                arguments = items.decode_text(item.arguments) or ""
                parts.append(ToolCall(item.call_id or item.id or "", item.name or "", arguments, signature))
                signature = ""
            case _:
                pass
    return parts, items.logprobs_of(logprobs)
