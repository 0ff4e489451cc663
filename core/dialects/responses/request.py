"""The Responses wire, as far as its bodies only pass. Pure functions, no I/O.

    caller's bytes ─read_request─► Request ─upstream_body (body.py)─► provider's bytes

Wire: https://platform.openai.com/docs/api-reference/responses
"""

from typing import Final

import msgspec

from core.dialects.counting import count_text
from core.dialects.folding import folded
from core.dialects.request import NOT_UTF8, Request, fields_of, hashed, read_flag, read_model
from core.errors import InvalidArgument

RESPONSES: Final = "responses"
PREVIOUS: Final = "previous_response_id"


class _Part(msgspec.Struct):
    text: str | None = None


class _Item(msgspec.Struct):
    """What of an item is its text, whatever kind it is of."""

    type: str | None = None
    role: str | None = None
    content: str | list[_Part] | None = None
    output: str | list[_Part] | None = None
    arguments: str | None = None

    def words(self) -> list[str]:
        said = self.content or self.output or self.arguments or ""
        return [self.role or self.type or "", said if isinstance(said, str) else " ".join([p.text or "" for p in said])]


_decode_input = msgspec.json.Decoder(str | list[_Item] | None).decode
_decode_text = msgspec.json.Decoder(str | None).decode


def read_request(operation: str, body: bytes, *, never_stream: bool = False) -> Request:
    """Reads what the router needs of a request body.

    never_stream: the caller's endpoint has no streaming, so a `stream` field counts for nothing.
    Raises InvalidArgument for what is not a JSON object, for a field of the wrong type that the router must
    understand, and for what would escape its accounts; and ModelRequired.
    """
    fields = fields_of(body)
    try:
        model = read_model(fields)
        streamed = not never_stream and read_flag(fields, "stream")
        if read_flag(fields, "background"):
            raise InvalidArgument("background responses are not supported: leave it out, or stream", field="background")
        if bytes(fields.get("conversation", b"null")) != b"null":
            raise InvalidArgument(f"conversations are not supported: use {PREVIOUS}", field="conversation")
        text, messages = _normalised(fields)
    except UnicodeDecodeError:
        raise InvalidArgument(NOT_UTF8) from None
    return Request(
        operation=operation,
        body=body,
        fields=fields,
        model=model,
        streamed=streamed,
        wants_usage=streamed,  # every stream of this wire reports what it used
        messages=messages,
        prompt_hash=hashed(text),
        lacks_messages=False,  # a prompt may be in the provider's store
    )


def prompt_tokens(request: Request) -> int:
    """Counts the tokens of the prompt, where the provider does not."""
    text, messages = _normalised(request.fields)
    return count_text(text.decode(errors="replace")) + 4 * messages


def _normalised(fields: dict[str, msgspec.Raw]) -> tuple[bytes, int]:
    """The prompt for its hash (roles and texts joined, white space folded, case kept), and its messages.

    An input that is not what the document says is hashed as it stands.
    """
    instructions, raw = bytes(fields.get("instructions", b"null")), bytes(fields.get("input", b"null"))
    try:
        told = _decode_text(instructions) or ""
    except (msgspec.DecodeError, RecursionError):
        told = instructions.decode(errors="replace")
    pieces = ["system", told] if told else []
    try:
        items = _decode_input(raw)
    except (msgspec.DecodeError, RecursionError):
        return folded(" ".join(pieces)) + b" " + raw, max(1, raw.count(b'"role"'))
    if isinstance(items, str):
        return folded(" ".join([*pieces, "user", items])), 1
    for item in items or ():
        pieces += item.words()
    return folded(" ".join(pieces)), len(items or ())
