"""A key's caps on what a request of the Responses wire may ask for: its output, and its thinking.

The wire has one number for both, `max_output_tokens`. Its reasoning has degrees and no number; OpenRouter
has one (`reasoning.max_tokens`), which is held to the cap.
"""

from typing import Final

import msgspec

from core.dialects.request import Request, encode, fields_of, read_number
from core.errors import InvalidArgument

MAX_OUTPUT: Final = "max_output_tokens"

_REASONING: Final = "reasoning.max_tokens"

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def limited(request: Request, most_output: int, most_reasoning: int) -> Request:
    """The request under a cap on its output, and one on its thinking; 0 is none.

    Raises InvalidArgument where it asks for more.
    """
    if most_reasoning and _reasoning(request.fields) > most_reasoning:
        raise InvalidArgument(f"{_REASONING}: this key allows {most_reasoning} tokens of thinking", field=_REASONING)
    if not most_output:
        return request
    asked = read_number(request.fields.get(MAX_OUTPUT), MAX_OUTPUT)
    if asked is not None and (asked < 0 or asked > most_output):
        raise InvalidArgument(f"{MAX_OUTPUT}: this key allows {most_output} output tokens a request", field=MAX_OUTPUT)
    return msgspec.structs.replace(request, output_limit=asked or most_output)


def with_limit(request: Request, body: bytes, name: str) -> bytes:
    """The body with the request's limit in it, where it names none; name: is the same at all vendors."""
    del name
    if read_number(request.fields.get(MAX_OUTPUT), MAX_OUTPUT):
        return body
    if MAX_OUTPUT in request.fields:  # as null or 0: written twice, it would be the provider's to choose one
        return encode({**fields_of(body), MAX_OUTPUT: request.output_limit})
    start = body.index(b"{") + 1
    return b'%s"%s":%d,%s' % (body[:start], MAX_OUTPUT.encode(), request.output_limit, body[start:])


def _reasoning(fields: dict[str, msgspec.Raw]) -> int:
    """How many tokens of thinking a request asks for, 0 where it says nothing of that."""
    raw = fields.get("reasoning")
    try:
        found = _decode_object(raw) if raw is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0  # to judge it is the provider's business
    return read_number(found.get("max_tokens"), _REASONING) or 0 if found else 0
