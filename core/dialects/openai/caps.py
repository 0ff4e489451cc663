"""A key's caps on what a request of the OpenAI wire may ask for: its output, and its thinking.

    limited ─► refuses more than the cap; where the request names no number: Request.output_limit
                 with_limit ─► … which goes into the body, under the name that the provider knows

There are two names for the number of a chat's output tokens. OpenAI refuses the older with its newer
models, and refuses both together; most others know only the older. So which one to write is known
only once the provider is.
"""

from typing import Final

import msgspec

from core.dialects.openai.chat import COMPLETION, EMBEDDING
from core.dialects.request import Request, encode, fields_of, read_number
from core.errors import InvalidArgument

MAX_TOKENS: Final = "max_tokens"
MAX_COMPLETION_TOKENS: Final = "max_completion_tokens"

NAMES: Final = (MAX_COMPLETION_TOKENS, MAX_TOKENS)
"""Under which OpenAI's API has it; a provider gets it under the one that it knows."""
OUTPUT_NAMES: Final = (*NAMES, "max_output_tokens", "max_new_tokens", "n_predict", "num_predict")
"""Under which a request may say how much output it wants: OpenAI's, and local servers', which let theirs win."""

# OpenAI has no number for thinking; these are other vendors'.
_REASONING: Final = (("thinking", "budget_tokens"), ("reasoning", "max_tokens"), ("thinking_budget", ""))

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode


def limited(request: Request, most_output: int, most_reasoning: int) -> Request:
    """The request under a cap on its output, and one on its thinking; 0 is none.

    Raises InvalidArgument where it asks for more.
    """
    if most_reasoning:
        for name, inner in _REASONING:
            wanted = _reasoning(request.fields, name, inner)
            if wanted > most_reasoning:
                field = f"{name}.{inner}" if inner else name
                raise InvalidArgument(f"{field}: this key allows {most_reasoning} tokens of thinking", field=field)
    if not most_output or request.operation == EMBEDDING:
        return request
    answers = _choices(request)
    for name in OUTPUT_NAMES:
        number = read_number(request.fields.get(name), name)
        # A negative one means without end where it means anything.
        if number is not None and (number < 0 or number * answers > most_output):
            raise InvalidArgument(f"{name}: this key allows {most_output} output tokens a request", field=name)
    if answers > most_output:
        raise InvalidArgument(f"n: this key allows {most_output} output tokens a request", field="n")
    named = [number for name in NAMES if (number := read_number(request.fields.get(name), name))]
    return msgspec.structs.replace(request, output_limit=max(named, default=most_output // answers))


def with_limit(request: Request, body: bytes, name: str) -> bytes:
    """The body with the request's limit in it, for a provider that knows it by that name."""
    if request.operation == EMBEDDING:
        return body
    if request.operation == COMPLETION:
        name = MAX_TOKENS
    if read_number(request.fields.get(name), name):
        return body
    if name == MAX_COMPLETION_TOKENS and read_number(request.fields.get(MAX_TOKENS), MAX_TOKENS):
        return body  # both together are refused
    if (
        name in request.fields
    ):  # as null, or as 0, which some take for null: written twice, it would be the provider's to choose one
        return encode({**fields_of(body), name: request.output_limit})
    start = body.index(b"{") + 1
    return b'%s"%s":%d,%s' % (body[:start], name.encode(), request.output_limit, body[start:])


def _choices(request: Request) -> int:
    """How many answers the request makes the provider write."""
    numbers = [read_number(request.fields.get(name), name) or 1 for name in ("n", "best_of")]
    return max(1, *numbers)


def _reasoning(fields: dict[str, msgspec.Raw], name: str, inner: str) -> int:
    """How many tokens of thinking a field asks for, 0 where it says nothing of that."""
    if not inner:
        return read_number(fields.get(name), name) or 0
    raw = fields.get(name)
    try:
        found = _decode_object(raw) if raw is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0  # to judge it is the provider's business
    return read_number(found.get(inner), inner) or 0 if found else 0
