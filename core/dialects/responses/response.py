"""The response object and its items, as they are written for a caller.

What the request said is repeated as it came; ids of items are made of the response's own, so that no two of
one user's are the same.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.dialects.canonical import Chat, Finish, Thinking
from core.dialects.responses.asked import INPUT, Asked
from core.dialects.responses.thoughts import OF_CALL, Proof, sealed
from core.dialects.tokens import Tokens

_DEFAULTS: Final[dict[str, Any]] = {
    "instructions": None,
    "max_output_tokens": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "metadata": {},
}
_INCOMPLETE: Final[dict[Finish, str]] = {"length": "max_output_tokens", "content_filter": "content_filter"}

encode = msgspec.json.Encoder().encode
_decode_input = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


def response_id(chat: Chat, provider_id: str) -> str:
    """The id of a response: the router's, else made of the provider's."""
    if isinstance(chat, Asked) and chat.answer_id:
        return chat.answer_id
    return provider_id if provider_id.startswith("resp_") else f"resp_{provider_id}"


def item_id(kind: str, response: str, number: int) -> str:
    """kind: msg, rs, fc, ctc; number: of the item in the response."""
    return f"{kind}_{response.removeprefix('resp_')}_{number}"


def is_custom(chat: Chat, name: str) -> bool:
    """Whether the tool takes a text, and no JSON."""
    return isinstance(chat, Asked) and name in chat.custom


def status_of(finish: Finish) -> str:
    """The status of a response that ended so."""
    return "incomplete" if finish in _INCOMPLETE else "completed"


def usage_of(tokens: Tokens | None) -> dict[str, Any] | None:
    """The usage object."""
    if tokens is None:
        return None
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached_input, "cache_write_tokens": tokens.cache_write},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def response(
    chat: Chat,
    *,
    response_id: str,
    model: str,
    created: int,
    status: str,
    output: Sequence[Any] = (),
    finish: Finish = "stop",
    tokens: Tokens | None = None,
    service_tier: str = "",
    error: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A response object, to be encoded."""
    reason = _INCOMPLETE.get(finish) if status == "incomplete" else None
    return {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "status": status,
        "background": False,
        "error": error,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": model,
        "output": output,
        **_DEFAULTS,
        **(chat.echo if isinstance(chat, Asked) else {}),
        "reasoning": _reasoning(chat),
        "service_tier": service_tier or chat.service_tier or "default",
        "store": chat.store if isinstance(chat, Asked) else False,
        "usage": usage_of(tokens),
    }


def _reasoning(chat: Chat) -> dict[str, Any]:
    told = chat.reasoning
    return {
        "effort": told.effort if told else None,
        "summary": "auto" if told and told.shown else None,
    }


# ── Items ─────────────────────────────────────────────────────────────────────────────────────────


def message_item(item: str, content: Sequence[Any], status: str = "completed") -> dict[str, Any]:
    """What the model says."""
    return {"type": "message", "id": item, "status": status, "role": "assistant", "content": content}


def text_part(text: str, logprobs: Sequence[Any] = ()) -> dict[str, Any]:
    """A text in a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def refusal_part(text: str) -> dict[str, Any]:
    """A refusal in a message."""
    return {"type": "refusal", "refusal": text}


def reasoning_item(item: str, text: str, proof: Proof | None) -> dict[str, Any]:
    """What the model thought."""
    made: dict[str, Any] = {"type": "reasoning", "id": item, "summary": [summary(text)] if text else []}
    content = sealed(proof) if proof is not None else ""
    if content:
        made["encrypted_content"] = content
    return made


def summary(text: str) -> dict[str, str]:
    """A part of thoughts."""
    return {"type": "summary_text", "text": text}


def call_item(item: str, call_id: str, name: str, arguments: str, status: str) -> dict[str, Any]:
    """A call of a function."""
    return {
        "type": "function_call",
        "id": item,
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def custom_item(item: str, call_id: str, name: str, text: str, status: str) -> dict[str, Any]:
    """A call of a custom tool."""
    return {"type": "custom_tool_call", "id": item, "status": status, "call_id": call_id, "name": name, "input": text}


def custom_input(arguments: str) -> str:
    """The text that a call of a custom tool has; the arguments as they are where the model did not keep to it."""
    try:
        return _decode_text(_decode_input(arguments.encode())[INPUT])
    except (msgspec.DecodeError, KeyError, UnicodeEncodeError, RecursionError):
        return arguments


def call_proof(signature: str) -> Proof:
    """The proof of the thought behind a call; Gemini alone has such."""
    return Proof("gemini", signature, "", OF_CALL)


def thought_proof(thought: Thinking) -> Proof:
    """The proof of a thought."""
    return Proof(thought.maker, thought.signature, thought.redacted)
