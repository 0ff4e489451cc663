"""The Gemini wire as it passes: contents generated, counted and embedded. Pure functions, no I/O.

    caller's bytes ─read_request─► Request ─upstream_body─► provider's bytes
    provider's bytes ─answer_tokens─► Tokens      (a stream: core/dialects/gemini/stream.py)

On this wire the address says which model is meant and whether to stream. A body reaches this place with both
in front, as the fields `model` and `stream`, and leaves it without them; nothing else in it changes.

Wire: https://ai.google.dev/api/generate-content
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.dialects.counting import count_text
from core.dialects.folding import folded
from core.dialects.gemini.naming import camelled
from core.dialects.gemini.usage import Usage
from core.dialects.request import NOT_UTF8, Request, encode, fields_of, hashed, read_flag, read_model
from core.dialects.tokens import COUNTED, NO_TOKENS, Tokens
from core.dialects.whole_answer import outline
from core.errors import InvalidArgument

GENERATE: Final = "generate_content"
EMBED: Final = "embed_content"
"""Several contents at once: batchEmbedContents. It is what Google's clients call."""
EMBED_ONE: Final = "embed_one_content"
"""embedContent."""
COUNT_TOKENS: Final = "count_content_tokens"

_PREFIX: Final = "models/"
# What was put in front of the caller's own fields.
_FRONT: Final = re.compile(
    rb'\s*\{\s*"model"\s*:\s*"(?:[^"\\]|\\.)*"\s*(?:,\s*"stream"\s*:\s*(?:true|false)\s*)?(?:,\s*)?'
)
_ROLES: Final = {"model": "assistant", "": "user"}


class _Part(msgspec.Struct):
    text: str | None = None


class _Content(msgspec.Struct):
    role: str | None = None
    parts: list[_Part] | None = None

    def said(self) -> str:
        return " ".join([part.text for part in self.parts or () if part.text])


class _Embedding(msgspec.Struct):
    content: _Content | None = None


_decode_contents: Callable[[bytes | msgspec.Raw], list[_Content] | None] = msgspec.json.Decoder(
    list[_Content] | None
).decode
_decode_content = msgspec.json.Decoder(_Content | None).decode
_decode_embeddings: Callable[[bytes | msgspec.Raw], list[_Embedding] | None] = msgspec.json.Decoder(
    list[_Embedding] | None
).decode
_decode_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def read_request(operation: str, body: bytes, *, never_stream: bool = False) -> Request:
    """Reads what the router needs of a request body.

    never_stream: the caller's endpoint has no streaming, so a `stream` field counts for nothing.
    Raises InvalidArgument for what is not a JSON object or has a field of the wrong type that the
    router must understand, and ModelRequired.
    """
    fields = fields_of(camelled(body))
    try:
        model = read_model(fields).removeprefix(_PREFIX)
        streamed = not never_stream and operation == GENERATE and read_flag(fields, "stream")
        text, messages = _normalised(operation, fields)
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
        lacks_messages=False,  # who reads the request judges that, and calls it `contents`
    )


def upstream_body(request: Request, model: str, *, ask_usage: bool) -> bytes:
    """The body for a provider: without model and stream, which go into its address; the usage comes unasked.

    Requests for embeddings name the model once more in each of their parts.
    """
    del ask_usage
    if request.operation == GENERATE:
        front = _FRONT.match(request.body)
        if front is not None and request.body.count(b'"model"') == 1 and request.body.count(b'"stream"') <= 1:
            return b"{" + request.body[front.end() :]
    fields: dict[str, Any] = {name: raw for name, raw in request.fields.items() if name not in ("model", "stream")}
    if request.operation == EMBED:
        fields["requests"] = [{**each, "model": _PREFIX + model} for each in _objects(fields.get("requests"))]
    elif "generateContentRequest" in fields:
        inner = fields_of(fields["generateContentRequest"])
        fields["generateContentRequest"] = {**inner, "model": _PREFIX + model}
    return encode(fields)


def prompt_tokens(request: Request) -> int:
    """Counts the tokens of the prompt and of the tools' descriptions, where the provider does not."""
    text, messages = _normalised(request.operation, request.fields)
    tools = bytes(request.fields.get("tools", b"")).decode(errors="replace")
    return count_text(text.decode(errors="replace")) + count_text(tools) + 4 * messages


def _objects(raw: msgspec.Raw | None) -> list[dict[str, msgspec.Raw]]:
    try:
        return _decode_objects(raw) if raw is not None else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument("requests must be an array of objects", field="requests") from None


def _normalised(operation: str, fields: dict[str, msgspec.Raw]) -> tuple[bytes, int]:
    """The prompt for its hash (roles and texts joined, white space folded, case kept), and its messages.

    Roles have the names that they have on other wires, so that a prompt has one hash on all of them. One whose
    parts are not what the document says is hashed as it stands; to judge it is the provider's business.
    """
    if operation == COUNT_TOKENS and "generateContentRequest" in fields:
        fields = fields_of(fields["generateContentRequest"])
    prompt = fields.get("requests" if operation == EMBED else "content" if operation == EMBED_ONE else "contents", b"")
    if not prompt:
        return b"", 0
    try:
        if operation == EMBED:
            texts = [each.content.said() for each in _decode_embeddings(prompt) or () if each.content is not None]
            return folded(" ".join(texts)), len(texts)
        if operation == EMBED_ONE:
            content = _decode_content(prompt)
            return folded(content.said() if content is not None else ""), 1
        contents = _decode_contents(prompt) or []
        system = _decode_content(fields["systemInstruction"]) if "systemInstruction" in fields else None
    except (msgspec.DecodeError, RecursionError):
        return bytes(prompt), bytes(prompt).count(b'"parts"')
    pieces = ["system", system.said()] if system is not None else []
    for content in contents:
        role = content.role or ""
        pieces += (_ROLES.get(role, role), content.said())
    return folded(" ".join(pieces)), len(contents)


class _Answer(msgspec.Struct, rename="camel"):
    usage_metadata: Usage | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None


class _AnswerTexts(msgspec.Struct):
    candidates: list[_Candidate] | None = None


_decode_answer = msgspec.json.Decoder(_Answer, strict=False).decode
_decode_texts = msgspec.json.Decoder(_AnswerTexts).decode


def answer_tokens(request: Request, body: bytes) -> Tokens:
    """What a complete answer used: as it reports, else counted. To count a prompt uses nothing.

    Raises ValueError where the body is not a JSON object, and so no answer at all.
    """
    found = outline(_decode_answer, body)
    usage = found and found.usage_metadata
    if request.operation == COUNT_TOKENS:
        return NO_TOKENS
    if usage is not None and usage.is_known:
        return usage.tokens()
    return Tokens(input=prompt_tokens(request), output=_count_answer(body), source=COUNTED)


def _count_answer(body: bytes) -> int:
    try:
        candidates = _decode_texts(body).candidates
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    return sum(count_text(each.content.said()) for each in candidates or () if each.content is not None)
