"""A request as the router reads it, whatever wire it came on: a JSON object whose values stay as they came.

What all wires share is here: taking the body apart, its model and flags, and putting another model in.
"""

import hashlib
import re
from typing import Any, Final

import msgspec

from core.errors import InvalidArgument, ModelRequired

NOT_UTF8: Final = "invalid payload: the body is not valid UTF-8"
"""What is said of a body with a text that is no text."""

_MAX_MODEL: Final = 300

_MODEL_VALUE = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_number = msgspec.json.Decoder(int | float | None).decode
_encode = msgspec.json.Encoder().encode


class Request(msgspec.Struct, frozen=True):
    """What the router reads of a request."""

    operation: str
    body: bytes
    fields: dict[str, msgspec.Raw]
    model: str
    streamed: bool
    wants_usage: bool  # the caller shall have what the stream reports of its usage
    messages: int
    prompt_hash: str
    lacks_messages: bool  # a chat without a list of messages: refused, but not before its model is known
    output_limit: int = 0  # output tokens that each answer may have, where the body does not say; 0 for no limit
    restored: bool = False  # its body has what was kept of earlier ones
    answer_id: str = ""  # that the answer shall have, where the router keeps it; "" for the provider's


def fields_of(body: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """A body's fields. Raises InvalidArgument for what is no JSON object, or no text."""
    text = bytes(body)
    if not text.isascii():  # fields that are not read go on to a provider as they are
        try:
            text.decode()
        except UnicodeDecodeError:
            raise InvalidArgument(NOT_UTF8) from None
    try:
        return _decode_fields(body)
    except msgspec.ValidationError:
        raise InvalidArgument("invalid payload: the body must be a JSON object") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidArgument("invalid payload: the body is not valid JSON") from None
    except RecursionError:
        raise InvalidArgument("invalid payload: the body is nested too deeply") from None


def read_model(fields: dict[str, msgspec.Raw]) -> str:
    """The model that a request names. Raises ModelRequired, InvalidArgument."""
    raw = fields.get("model")
    if raw is None:
        raise ModelRequired(field="model")
    try:
        model = _decode_text(raw)
    except msgspec.DecodeError:
        raise ModelRequired(field="model") from None
    if not model:
        raise ModelRequired(field="model")
    if len(model) > _MAX_MODEL:
        raise InvalidArgument(f"model: at most {_MAX_MODEL} characters", field="model")
    return model


def read_flag(fields: dict[str, msgspec.Raw], name: str) -> bool:
    """A boolean, false where there is none. Raises InvalidArgument where it is something else."""
    raw = fields.get(name)
    if raw is None:
        return False
    value = bytes(raw)
    if value == b"true":
        return True
    if value in (b"false", b"null"):
        return False
    raise InvalidArgument(f"{name} must be true or false", field=name)


def read_number(raw: msgspec.Raw | None, name: str) -> int | None:
    """A field's value that is a whole number; None where there is none. Raises InvalidArgument for anything else."""
    try:
        value = None if raw is None else _decode_number(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = 0.5
    if isinstance(value, float):
        if not value.is_integer():
            raise InvalidArgument(f"{name} must be a whole number", field=name)
        return int(value)
    return value


def hashed(text: bytes) -> str:
    """The hash of a normalised prompt."""
    return hashlib.sha256(text).hexdigest()


def model_of(body: bytes) -> str:
    """The model that a body names, "" where it names none: for the record of a body that can't be used."""
    try:
        return read_model(_decode_fields(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ModelRequired, InvalidArgument):
        return ""


def with_model(request: Request, model: str) -> bytes | None:
    """The body with no byte changed but for the model; None where its place can't be told."""
    body = request.body
    if model == request.model:
        return body
    places = [place.span(1) for place in _MODEL_VALUE.finditer(body)]
    if len(places) != 1:
        return None
    start, end = places[0]
    body = body[:start] + _encode(model) + body[end:]
    # The name of the field may have been written with escapes, and what was found be another.
    return body if read_model(_decode_fields(body)) == model else None


def encode(fields: dict[str, Any]) -> bytes:
    """The fields put together anew, each raw value as it came."""
    return _encode(fields)
