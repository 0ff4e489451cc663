"""The OpenAI wire: chat completions, completions and embeddings. Pure functions, no I/O.

    caller's bytes ─read_request─► Request ─upstream_body─► provider's bytes
    provider's bytes ─answer_tokens─► Tokens      (a stream: core/dialects/openai/stream.py)

Bodies pass through to the letter, unknown fields included, but for other makers' thoughts (foreign.py).
Where one field must change, it changes in its place; where its place can't be told, the object is taken
apart into names and raw values and put together again. No value is decoded and encoded anew (1.0 stays 1.0,
a large integer stays whole).

Wire: https://platform.openai.com/docs/api-reference/chat
"""

import re
from typing import Any, Final

import msgspec

from core.dialects.counting import count_text
from core.dialects.folding import folded
from core.dialects.request import NOT_UTF8, Request, encode, fields_of, hashed, read_flag, read_model, with_model
from core.dialects.tokens import COUNTED, PROVIDER, Tokens, reported, says
from core.dialects.whole_answer import outline
from core.errors import InvalidArgument

CHAT: Final = "chat_completion"
COMPLETION: Final = "completion"
EMBEDDING: Final = "embedding"

# As some vendors write a count: 12, 12.0, "12".
_COUNT = re.compile(rb'"?(\d{1,19})(\.\d{1,19})?"?')

_ASK_USAGE = b'"stream_options":{"include_usage":true},'


class _Part(msgspec.Struct):
    type: str = ""
    text: str = ""


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Part] | None = None


_decode_messages = msgspec.json.Decoder(list[_Message]).decode
_decode_prompt = msgspec.json.Decoder(str | list[str]).decode


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = False


_decode_stream_options = msgspec.json.Decoder(_StreamOptions | None).decode


def read_request(operation: str, body: bytes, *, never_stream: bool = False) -> Request:
    """Reads what the router needs of a request body.

    never_stream: the caller's endpoint has no streaming, so a `stream` field counts for nothing.
    Raises InvalidArgument for what is not a JSON object or has a field of the wrong type that the
    router must understand, and ModelRequired.
    """
    fields = fields_of(body)
    try:
        model = read_model(fields)
        streamed = not never_stream and operation != EMBEDDING and read_flag(fields, "stream")
        prompt = _prompt(operation, fields)
        text, messages = _normalised(operation, prompt)
    except UnicodeDecodeError:
        raise InvalidArgument(NOT_UTF8) from None
    return Request(
        operation=operation,
        body=body,
        fields=fields,
        model=model,
        streamed=streamed,
        wants_usage=streamed and _wants_usage(fields),
        messages=messages,
        prompt_hash=hashed(text),
        lacks_messages=operation == CHAT and not prompt.startswith(b"["),
    )


def prompt_tokens(request: Request) -> int:
    """Counts the tokens of the prompt, where the provider does not."""
    return count_text(prompt_text(request.operation, request.fields)) + 4 * request.messages


def prompt_text(operation: str, fields: dict[str, msgspec.Raw]) -> str:
    """The texts of a prompt, with what surrounds them in JSON where they can't be told apart."""
    text, _ = _normalised(operation, _prompt(operation, fields))
    return text.decode(errors="replace")


def upstream_body(request: Request, model: str, *, ask_usage: bool) -> bytes:
    """The body for a provider that calls the model `model`.

    ask_usage: ask for the usage of a stream also where the caller did not. What the caller sent
    stays as it is, to the byte, wherever nothing must change; where that can't be told from what must,
    the fields are put together anew, each with its value as it came.
    """
    ask_usage = ask_usage and request.streamed and not request.wants_usage
    stop_stream = not request.streamed and bytes(request.fields.get("stream", b"false")) not in (b"false", b"null")
    if model == request.model and not ask_usage and not stop_stream:
        return request.body
    body = None if stop_stream else _spliced(request, model, ask_usage=ask_usage)
    if body is not None:
        return body
    fields: dict[str, Any] = dict(request.fields)
    fields["model"] = model
    if ask_usage:
        options = fields.get("stream_options")
        merged = fields_of(options) if options is not None and bytes(options) != b"null" else {}
        fields["stream_options"] = {**merged, "include_usage": True}
    if stop_stream:
        fields["stream"] = False
        fields.pop("stream_options", None)
    return encode(fields)


def _spliced(request: Request, model: str, *, ask_usage: bool) -> bytes | None:
    """The body with no byte changed but for the model and the wish for usage; None where that is not so simple."""
    body = with_model(request, model)
    if body is None:
        return None
    if ask_usage:
        if "stream_options" in request.fields:
            return None
        start = body.index(b"{") + 1
        body = body[:start] + _ASK_USAGE + body[start:]
    return body


def _wants_usage(fields: dict[str, msgspec.Raw]) -> bool:
    raw = fields.get("stream_options")
    if raw is None:
        return False
    try:
        options = _decode_stream_options(raw)
    except msgspec.DecodeError:
        raise InvalidArgument("stream_options must be an object", field="stream_options") from None
    return options is not None and bool(options.include_usage)


_PROMPT_FIELDS = {CHAT: "messages", COMPLETION: "prompt", EMBEDDING: "input"}


def _prompt(operation: str, fields: dict[str, msgspec.Raw]) -> bytes:
    name = _PROMPT_FIELDS[operation]
    raw = fields.get(name)
    return b"" if raw is None else bytes(raw)


def _normalised(operation: str, prompt: bytes) -> tuple[bytes, int]:
    """The prompt for its hash (roles and texts joined, white space folded, case kept), and its messages.

    A prompt whose parts are not what the document says is hashed as it stands; to judge it is the
    provider's business.
    """
    try:
        if operation == CHAT:
            messages = _decode_messages(prompt)
            pieces = [piece for message in messages for piece in (message.role, _content(message))]
            return folded(" ".join(pieces)), len(messages)
        if not prompt:
            return b"", 0
        texts = _decode_prompt(prompt)
    except (msgspec.DecodeError, RecursionError):
        return prompt, prompt.count(b'"role"') if operation == CHAT else 1
    joined = texts if isinstance(texts, str) else " ".join(texts)
    return folded(joined), 1 if isinstance(texts, str) else len(texts)


def _content(message: _Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return " ".join([part.text for part in message.content or ()])


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0
    audio_tokens: int | None = 0


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0


class Usage(msgspec.Struct):
    """The `usage` object of an answer."""

    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    total_tokens: int | None = 0
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None

    @property
    def is_known(self) -> bool:
        """Whether it says what was used."""
        return says(self.prompt_tokens, self.completion_tokens, self.total_tokens)

    def tokens(self) -> Tokens:
        """The same in the terms that all dialects share."""
        given = self.prompt_tokens_details or _NO_INPUT_DETAILS
        made = self.completion_tokens_details or _NO_OUTPUT_DETAILS
        prompt, completion = reported(self.prompt_tokens), reported(self.completion_tokens)
        thoughts = reported(made.reasoning_tokens)
        if thoughts and prompt + completion + thoughts == self.total_tokens:
            completion += thoughts  # xAI counts them beside what it says; elsewhere they are a part of it
        return Tokens(
            input=prompt,
            output=completion,
            cached_input=min(prompt, reported(given.cached_tokens)),
            cache_write=reported(given.cache_write_tokens),
            reasoning=thoughts,
            audio_input=reported(given.audio_tokens),
            audio_output=reported(made.audio_tokens),
            source=PROVIDER,
        )


_NO_INPUT_DETAILS = _InputDetails()
_NO_OUTPUT_DETAILS = _OutputDetails()


class _Answer(msgspec.Struct):
    usage: Usage | None = None


class _AnswerMessage(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _AnswerChoice(msgspec.Struct):
    text: str | None = None
    message: _AnswerMessage | None = None


class _AnswerTexts(msgspec.Struct):
    choices: list[_AnswerChoice] = []


class _PlainUsage(msgspec.Struct, frozen=True):
    prompt_tokens: msgspec.Raw = msgspec.Raw(b"0")
    completion_tokens: msgspec.Raw = msgspec.Raw(b"0")


class _PlainAnswer(msgspec.Struct):
    usage: _PlainUsage = _PlainUsage()


_decode_plain_answer = msgspec.json.Decoder(_PlainAnswer).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_texts = msgspec.json.Decoder(_AnswerTexts).decode


def answer_tokens(request: Request, body: bytes) -> Tokens:
    """What a complete answer used: as it reports, else counted.

    Raises ValueError where the body is not a JSON object, and so no answer at all.
    """
    found = outline(_decode_answer, body)
    usage = plain_usage(body) if found is None else found.usage
    if usage is not None and usage.is_known:
        return usage.tokens()
    return Tokens(input=prompt_tokens(request), output=_count_answer(request.operation, body), source=COUNTED)


def plain_usage(body: bytes) -> Usage | None:
    """The usage of an answer or chunk whose details are not what the document says; None where it has none."""
    try:
        found = _decode_plain_answer(body).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    prompt, completion = _COUNT.fullmatch(found.prompt_tokens), _COUNT.fullmatch(found.completion_tokens)
    if prompt is None or completion is None:
        return None
    return Usage(prompt_tokens=_whole(prompt), completion_tokens=_whole(completion))


def _whole(count: "re.Match[bytes]") -> int:
    """A count; a part of a token is one."""
    return int(count[1]) + bool((count[2] or b"").strip(b".0"))


def _count_answer(operation: str, body: bytes) -> int:
    if operation == EMBEDDING:
        return 0
    try:
        choices = _decode_texts(body).choices
    except (msgspec.DecodeError, RecursionError):
        return 0
    texts = [choice.text or "" for choice in choices]
    for choice in choices:
        if choice.message is not None:
            texts += [choice.message.content or "", choice.message.reasoning_content or ""]
    return sum(map(count_text, texts))
