"""What of a request and its response is kept, and how a kept conversation goes before a new request.

    request ─own_items─► items       a text is an item of the user's
    items + request ─with_items─► request     its input is the whole conversation, and refers to nothing
    response ─output_of─► items
    items ─for_provider─► items      without what only the router understands

Pure functions: core/routing/responses.py looks things up and keeps them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from core.dialects.request import Request, encode, fields_of
from core.dialects.responses.request import PREVIOUS, read_request
from core.dialects.responses.thoughts import is_sealed
from core.errors import InvalidArgument

ENDS: Final = ("response.completed", "response.incomplete")

Items = Sequence[msgspec.Raw]


class Named(msgspec.Struct):
    """What an item is, and which."""

    id: str | None = None
    type: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    output: list[msgspec.Raw] = []


class _Event(msgspec.Struct):
    type: str | None = None
    response: msgspec.Raw = msgspec.Raw(b"null")


class _Thought(msgspec.Struct):
    encrypted_content: str | None = None


_decode_text = msgspec.json.Decoder(str | None).decode
_items: "msgspec.json.Decoder[list[msgspec.Raw] | None]" = msgspec.json.Decoder(list[msgspec.Raw] | None)
_decode_named = msgspec.json.Decoder(Named).decode
_decode_response = msgspec.json.Decoder(_Response).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_thought = msgspec.json.Decoder(_Thought).decode
_decode_item = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode

_REFERENCE: Final = b'"item_reference"'
_SEALED: Final = b'"llmrouter.'
# Of what was said before a provider needs no ids, and refuses those that it does not know.
_OWN: Final = ("id", "status")
_SAID: Final = frozenset({"message", "function_call", "function_call_output", "custom_tool_call"})


def previous_of(fields: Mapping[str, msgspec.Raw]) -> str:
    """The response that a request goes on from, "" for none. Raises InvalidArgument."""
    raw = fields.get(PREVIOUS)
    try:
        return "" if raw is None else _decode_text(raw) or ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidArgument(f"{PREVIOUS} must be a string", field=PREVIOUS) from None


def has_references(request: Request) -> bool:
    """Whether a request refers to items that were stored."""
    return _REFERENCE in bytes(request.fields.get("input", b""))


def own_items(request: Request) -> list[msgspec.Raw]:
    """The items that a request itself has. Raises InvalidArgument."""
    raw = request.fields.get("input")
    try:
        if raw is not None and bytes(raw)[:1] == b'"':
            said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": _decode_text(raw)}]}
            return [msgspec.Raw(_encode(said))]
        return [] if raw is None else _items.decode(raw) or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument("input must be a string or a list of items", field="input") from None


def named(item: msgspec.Raw) -> Named:
    """What an item is, and which; nothing for what is no item."""
    try:
        return _decode_named(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Named()


def with_items(request: Request, items: Items) -> Request:
    """The request with these as its input, referring to nothing."""
    fields: dict[str, Any] = {**fields_of(request.body), "input": items}
    previous = fields.pop(PREVIOUS, None)
    made = read_request(request.operation, encode(fields), never_stream=not request.streamed)
    if previous is not None:  # the response repeats it; the body, which a provider gets, has it no more
        made.fields[PREVIOUS] = previous
    return msgspec.structs.replace(made, restored=True, answer_id=request.answer_id)


def output_of(response: str | bytes | msgspec.Raw) -> tuple[str, list[msgspec.Raw]]:
    """A response's id, and the items of its output; "" where it has none. Raises msgspec.DecodeError."""
    found = _decode_response(response)
    return found.id or "", found.output


def end_of(payload: bytes) -> msgspec.Raw | None:
    """The response with which a stream ends, None for any other event."""
    try:
        event = _decode_event(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return event.response if event.type in ENDS else None


def listed(items: Items, response_id: str) -> list[msgspec.Raw]:
    """The items of a request as they are listed: each with an id and a type, messages in parts."""
    short = response_id.removeprefix("resp_")
    return [_listed(item, f"item_{short}_{number}") for number, item in enumerate(items)]


def _listed(item: msgspec.Raw, name: str) -> msgspec.Raw:
    try:
        fields = _decode_item(item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return item
    changes: dict[str, Any] = {} if _is_there(fields, "id") else {"id": name}
    if not _is_there(fields, "type") and _is_there(fields, "role"):
        changes["type"] = "message"
    content = bytes(fields.get("content", b""))
    if content.startswith(b'"'):
        kind = "output_text" if bytes(fields.get("role", b"")) == b'"assistant"' else "input_text"
        changes["content"] = [{"type": kind, "text": fields["content"]}]
    return msgspec.Raw(_encode({**fields, **changes})) if changes else item


def _is_there(fields: dict[str, msgspec.Raw], name: str) -> bool:
    return name in fields and bytes(fields[name]) != b"null"


def needs_cleaning(request: Request) -> bool:
    """Whether a request's input has what only the router understands."""
    return request.restored or _SEALED in request.body


def for_provider(items: Items, *, restored: bool) -> list[msgspec.Raw]:
    """The items for a provider that speaks this wire: without thoughts that are not its maker's to read.

    restored: some are from the router's store, whose ids the provider does not know.
    """
    cleaned: list[msgspec.Raw] = []
    for item in items:
        kind = named(item).type
        if kind == "reasoning":
            try:
                content = _decode_thought(item).encrypted_content or ""
            except (msgspec.DecodeError, UnicodeDecodeError):
                content = ""
            if is_sealed(content) or (restored and not content):
                continue
        elif restored and kind in _SAID:
            item = msgspec.Raw(_without(item, _OWN))
        cleaned.append(item)
    return cleaned


def _without(item: msgspec.Raw, names: Sequence[str]) -> bytes:
    return _encode({name: value for name, value in _decode_item(item).items() if name not in names})
