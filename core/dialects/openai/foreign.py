"""Takes the thoughts of other makers out of a chat that passes to a provider of this wire as it is.

A conversation that a router's route, or its user, moved from another model has them in it with their proofs
(reasoning_details.py), which are for their maker alone. Vendors that hand them on to whose they are (manners.py) get
them; what a vendor has under a format of its own stays where it is.
"""

from typing import Final

import msgspec

from core.dialects.openai import manners
from core.dialects.openai.reasoning_details import FORMATS
from core.dialects.request import Request, encode
from core.dialects.sides import Manner

DETAILS_BYTES: Final = b'"reasoning_details"'
_FIELD: Final = "reasoning_details"
_OURS: Final = frozenset(FORMATS.values())

_Object = dict[str, msgspec.Raw]


class _Detail(msgspec.Struct):
    format: str | None = None


_decode_messages = msgspec.json.Decoder(list[_Object]).decode
_decode_details = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_detail = msgspec.json.Decoder(_Detail).decode
_encode = msgspec.json.Encoder().encode


def without_foreign(request: Request, vendor: str) -> Request:
    """The request without them; the same one where there are none, or where it can't be read."""
    if DETAILS_BYTES not in request.body or manners.takes_proofs(Manner(vendor=vendor)):
        return request
    try:
        messages = _decode_messages(request.fields.get("messages", b""))
        kept = [_cleaned(message) if _FIELD in message else message for message in messages]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return request
    if all(one is other for one, other in zip(kept, messages, strict=True)):
        return request
    fields = {**request.fields, "messages": msgspec.Raw(_encode(kept))}
    return msgspec.structs.replace(request, body=encode(fields), fields=fields)


def _cleaned(message: _Object) -> _Object:
    """A message without such thoughts."""
    if not bytes(message[_FIELD]).startswith(b"["):
        return message
    details = _decode_details(message[_FIELD])
    own = [detail for detail in details if _decode_detail(detail).format not in _OURS]
    if len(own) == len(details):
        return message
    others = {name: raw for name, raw in message.items() if name != _FIELD}
    return {**others, _FIELD: msgspec.Raw(_encode(own))} if own else others
