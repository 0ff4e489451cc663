"""What the router reads of a request: its model, and the few fields that it must understand.

    JSON ─► read_request ─┐
                          ├─► Request ─► upstream_body    to the byte as it came, but for the model's name
    form ─► read_form ────┘

A form's text fields are put into `Request.fields` as JSON strings, so that all who look there find them.
"""

from typing import Any, Final

import msgspec

from core.dialects.counting import count_text
from core.dialects.passthrough.endpoints import IMAGE, IMAGE_EDIT, MODERATION, SPEECH, TRANSCRIPTION
from core.dialects.passthrough.form import Field, fields_of_form
from core.dialects.request import NOT_UTF8, Request, encode, fields_of, hashed, read_flag, read_model, with_model
from core.errors import InvalidArgument, ModelRequired

DEFAULT_MODERATION: Final = "omni-moderation-latest"
"""The model of a moderation that names none, as OpenAI's API has it."""

_MAX_TEXT: Final = 256 * 1024  # bytes of a form's field that is read
_STREAMING: Final = frozenset({IMAGE, IMAGE_EDIT, TRANSCRIPTION})
_PROMPTS: Final = ("prompt", "input", "instructions", "query", "documents")

_decode_text = msgspec.json.Decoder(str).decode


class FormRequest(Request, frozen=True):
    """A request whose body is a form."""

    model_at: tuple[int, int] = (0, 0)  # where in the body the model's name stands


def read_request(operation: str, body: bytes, *, never_stream: bool = False) -> Request:
    """Reads a body of JSON.

    A speech counts as streamed: what has come of it is of use. Raises InvalidArgument, ModelRequired.
    """
    fields = fields_of(body)
    try:
        model = DEFAULT_MODERATION if _moderates_unnamed(operation, fields) else read_model(fields)
        streamed = operation == SPEECH or (operation in _STREAMING and read_flag(fields, "stream"))
    except UnicodeDecodeError:
        raise InvalidArgument(NOT_UTF8) from None
    return Request(
        operation=operation,
        body=body,
        fields=fields,
        model=model,
        streamed=streamed and not never_stream,
        wants_usage=True,
        messages=1,
        prompt_hash=hashed(_prompt(fields)),
        lacks_messages=False,
    )


def read_form(operation: str, body: bytes, content_type: str) -> Request:
    """Reads a body that is a form. Raises InvalidArgument, ModelRequired."""
    parts = fields_of_form(body, content_type)
    named = [part for part in parts if part.name == "model"]
    if not named:
        raise ModelRequired(field="model")
    if len(named) > 1 or named[0].is_file:
        raise InvalidArgument("model must be one text field of the form", field="model")
    fields = {part.name: text for part in parts if (text := _text(body, part)) is not None}
    if "model" not in fields:
        raise InvalidArgument("model: must be text", field="model")
    return FormRequest(
        operation=operation,
        body=body,
        fields=fields,
        model=read_model(fields),
        streamed=operation in _STREAMING and _is_true(fields.get("stream")),
        wants_usage=True,
        messages=1,
        # A prompt beside a file says little of what is asked, and to hash the file would hold up everybody else.
        prompt_hash="",
        lacks_messages=False,
        model_at=(named[0].start, named[0].end),
    )


def upstream_body(request: Request, model: str, *, ask_usage: bool) -> bytes:
    """The body for a provider that calls the model so."""
    del ask_usage
    if isinstance(request, FormRequest):
        if model == request.model:
            return request.body
        start, end = request.model_at
        return b"".join((memoryview(request.body)[:start], model.encode(), memoryview(request.body)[end:]))
    if not _moderates_unnamed(request.operation, request.fields) and (body := with_model(request, model)) is not None:
        return body
    fields: dict[str, Any] = {**request.fields, "model": model}
    return encode(fields)


def limited(request: Request, most_output: int, most_reasoning: int) -> Request:
    """The request as it is: caps on a chat's output say nothing of pictures and sounds."""
    del most_output, most_reasoning
    return request


def prompt_tokens(request: Request) -> int:
    """Counts the tokens of what stands in the request as text, where the provider does not."""
    return count_text(_prompt(request.fields).decode(errors="replace"))


def characters(request: Request) -> int:
    """How many characters are to be spoken."""
    raw = request.fields.get("input")
    try:
        return 0 if raw is None else len(_decode_text(raw))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0  # to judge it is the provider's business


def _moderates_unnamed(operation: str, fields: dict[str, msgspec.Raw]) -> bool:
    return operation == MODERATION and bytes(fields.get("model", b"null")) == b"null"


def _prompt(fields: dict[str, msgspec.Raw]) -> bytes:
    return b" ".join([bytes(fields[name]) for name in _PROMPTS if name in fields])


def _text(body: bytes, part: Field) -> msgspec.Raw | None:
    """A field's text as JSON; None of a file, and of what is too long or no text."""
    if part.is_file or part.end - part.start > _MAX_TEXT:
        return None
    try:
        return msgspec.Raw(msgspec.json.encode(body[part.start : part.end].decode()))
    except UnicodeDecodeError:
        return None


def _is_true(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw).lower() in (b'"true"', b'"1"')
