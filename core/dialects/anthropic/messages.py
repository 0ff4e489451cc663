"""The Anthropic wire: messages, and the counting of their tokens. Pure functions, no I/O.

    caller's bytes ─read_request─► Request ─upstream_body─► provider's bytes
    provider's bytes ─answer_tokens─► Tokens      (a stream: core/dialects/anthropic/stream.py)

Bodies pass through to the letter but for the model's name, unknown fields included; thoughts of models of other
makers, to which a conversation may have gone before, are taken out of them.

Wire: https://platform.claude.com/docs/en/api/messages
"""

from typing import Any, Final

import msgspec

from core.dialects.anthropic.foreign import SEAL_BYTES, without_foreign
from core.dialects.anthropic.usage import Usage
from core.dialects.counting import count_text
from core.dialects.folding import folded
from core.dialects.request import NOT_UTF8, Request, encode, fields_of, hashed, read_flag, read_model, with_model
from core.dialects.tokens import COUNTED, NO_TOKENS, Tokens
from core.dialects.whole_answer import outline
from core.errors import InvalidArgument

MESSAGES: Final = "messages"
COUNT_TOKENS: Final = "count_tokens"


class _Block(msgspec.Struct):
    """A block of content, or a tool's result with blocks in it."""

    text: str | None = None
    thinking: str | None = None
    content: "str | list[_Block] | None" = None

    def said(self) -> str:
        inner = self.content if isinstance(self.content, str) else " ".join([b.said() for b in self.content or ()])
        return self.text or self.thinking or inner


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Block] | None = None


_decode_messages = msgspec.json.Decoder(list[_Message]).decode
_decode_system = msgspec.json.Decoder(str | list[_Block] | None).decode


def read_request(operation: str, body: bytes, *, never_stream: bool = False) -> Request:
    """Reads what the router needs of a request body.

    never_stream: the caller's endpoint has no streaming, so a `stream` field counts for nothing.
    Raises InvalidArgument for what is not a JSON object or has a field of the wrong type that the
    router must understand, and ModelRequired.
    """
    fields = fields_of(body)
    try:
        model = read_model(fields)
        streamed = not never_stream and operation == MESSAGES and read_flag(fields, "stream")
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
        lacks_messages=not bytes(fields.get("messages", b"")).startswith(b"["),
    )


def upstream_body(request: Request, model: str, *, ask_usage: bool) -> bytes:
    """The body for a provider that calls the model `model`; the usage comes unasked."""
    del ask_usage
    if SEAL_BYTES in request.body:
        request = without_foreign(request)
    stop_stream = (
        request.operation == MESSAGES
        and not request.streamed
        and bytes(request.fields.get("stream", b"false")) not in (b"false", b"null")
    )
    body = None if stop_stream else with_model(request, model)
    if body is not None:
        return body
    fields: dict[str, Any] = {**request.fields, "model": model}
    return encode({**fields, "stream": False} if stop_stream else fields)


def prompt_tokens(request: Request) -> int:
    """Counts the tokens of the prompt and of the tools' descriptions, where the provider does not."""
    text, messages = _normalised(request.fields)
    tools = bytes(request.fields.get("tools", b"")).decode(errors="replace")
    return count_text(text.decode(errors="replace")) + count_text(tools) + 4 * messages


def _normalised(fields: dict[str, msgspec.Raw]) -> tuple[bytes, int]:
    """The prompt for its hash (roles and texts joined, white space folded, case kept), and its messages.

    The instructions count as a message of the role `system`, so that a prompt has one hash on every
    wire. One whose parts are not what the document says is hashed as it stands; to judge it is the
    provider's business.
    """
    system, prompt = fields.get("system", b"null"), fields.get("messages", b"")
    try:
        instructions, messages = _decode_system(system), _decode_messages(prompt)
    except (msgspec.DecodeError, RecursionError):
        return bytes(system) + bytes(prompt), bytes(prompt).count(b'"role"')
    pieces = ["system", _said(instructions)] if instructions else []
    pieces += [piece for message in messages for piece in (message.role, _said(message.content))]
    return folded(" ".join(pieces)), len(messages)


def _said(content: str | list[_Block] | None) -> str:
    return content if isinstance(content, str) else " ".join([block.said() for block in content or ()])


class _Answer(msgspec.Struct):
    usage: Usage | None = None


class _AnswerBlock(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"")


class _AnswerTexts(msgspec.Struct):
    content: list[_AnswerBlock] = []


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_texts = msgspec.json.Decoder(_AnswerTexts).decode


def answer_tokens(request: Request, body: bytes) -> Tokens:
    """What a complete answer used: as it reports, else counted. To count a prompt uses nothing.

    Raises ValueError where the body is not a JSON object, and so no answer at all.
    """
    found = outline(_decode_answer, body)
    usage = found and found.usage
    if request.operation == COUNT_TOKENS:
        return NO_TOKENS
    if usage is not None and usage.is_known:
        return usage.tokens()
    return Tokens(input=prompt_tokens(request), output=_count_answer(body), source=COUNTED)


def _count_answer(body: bytes) -> int:
    try:
        blocks = _decode_texts(body).content
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    return sum(
        count_text(block.text or block.thinking or bytes(block.input).decode(errors="replace")) for block in blocks
    )
