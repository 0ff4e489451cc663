"""What an answer of these endpoints says it used, in the terms that all share.

    pictures        {"input_tokens", "output_tokens", "input_tokens_details": {"text_tokens", "image_tokens"}, …}
    transcripts     {"type": "tokens", "input_tokens", "output_tokens", "input_token_details": {"audio_tokens"}}
                    {"type": "duration", "seconds"}    Mistral: {"prompt_tokens", …, "prompt_audio_seconds"}
    moderation      {"prompt_tokens", …}, or nothing
    rerank          {"total_tokens"}, or "meta": {"billed_units": {"search_units"}, "tokens": {"input_tokens"}}

Where nothing is said, or something in a unit that nobody here counts, the tokens are `partial`: the record says
what is known, and not what it cost.
"""

from typing import Any, Final

import msgspec

from core.dialects.passthrough.endpoints import IMAGE, IMAGE_EDIT, MODERATION, TRANSCRIPTION, TRANSLATION
from core.dialects.passthrough.request import prompt_tokens
from core.dialects.request import Request
from core.dialects.tokens import COUNTED, PROVIDER, Tokens, reported

UNKNOWN: Final = Tokens(partial=True)
"""Of an answer of which nothing is known."""

_PICTURES: Final = (IMAGE, IMAGE_EDIT)
_NOTHING: Final = msgspec.Raw(b"null")
_Number = int | float | None
_MAX_SECONDS: Final = 10**6


class _Details(msgspec.Struct):
    image_tokens: _Number = None
    audio_tokens: _Number = None
    cached_tokens: _Number = None


class _Usage(msgspec.Struct):
    input_tokens: _Number = None
    output_tokens: _Number = None
    prompt_tokens: _Number = None
    completion_tokens: _Number = None
    total_tokens: _Number = None
    seconds: _Number = None
    prompt_audio_seconds: _Number = None
    input_tokens_details: _Details | None = None
    input_token_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _Billed(msgspec.Struct):
    search_units: _Number = None
    total_tokens: _Number = None


class _Read(msgspec.Struct):
    input_tokens: _Number = None


class _Meta(msgspec.Struct):
    billed_units: _Billed | None = None
    tokens: _Read | None = None


class _Answer(msgspec.Struct):
    usage: msgspec.Raw = _NOTHING
    svg_usage: Any = None
    meta: msgspec.Raw = _NOTHING
    duration: Any = None  # of a verbose transcript, in seconds, by some vendors as a string


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_usage = msgspec.json.Decoder(_Usage | None).decode
_decode_meta = msgspec.json.Decoder(_Meta | None).decode


def answer_tokens(request: Request, body: bytes) -> Tokens:
    """What a complete answer used.

    Raises ValueError for what is none: only a transcript can be anything but a JSON object.
    """
    heard = request.operation in (TRANSCRIPTION, TRANSLATION)
    if heard and body.lstrip()[:1] != b"{":
        return UNKNOWN  # plain text, or subtitles
    try:
        answer = _decode_answer(body)
    except RecursionError:
        return UNKNOWN
    except (msgspec.DecodeError, UnicodeDecodeError):
        if heard:
            return UNKNOWN
        raise ValueError("not a JSON object") from None
    tokens = usage_tokens(answer.usage, pictures=request.operation in _PICTURES)
    if answer.svg_usage is not None:  # another model worked too, at a price of its own
        return msgspec.structs.replace(tokens or UNKNOWN, partial=True)
    if tokens is not None:
        return tokens
    if (tokens := _rerank_tokens(answer.meta)) is not None:
        return tokens
    if heard and (length := _milliseconds(answer.duration)):
        return Tokens(audio_ms=length, source=PROVIDER)
    if request.operation == MODERATION:
        return Tokens(input=prompt_tokens(request), source=COUNTED)
    return UNKNOWN


def usage_tokens(raw: bytes | msgspec.Raw, *, pictures: bool = False, spoken: bool = False) -> Tokens | None:
    """What a usage object says, None where that is nothing; pictures, spoken: what the output is made of."""
    try:
        usage = _decode_usage(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if usage is None:
        return None
    made = _count(usage.output_tokens if usage.output_tokens is not None else usage.completion_tokens)
    read = _count(usage.input_tokens if usage.input_tokens is not None else usage.prompt_tokens)
    if not read and not made:
        read = _count(usage.total_tokens)
    seconds = usage.seconds if usage.seconds is not None else usage.prompt_audio_seconds
    length = _milliseconds(seconds)
    if not (read or made or length):
        return None
    inward = usage.input_tokens_details or usage.input_token_details or _NO_DETAILS
    outward = usage.output_tokens_details
    drawn = made if pictures and outward is None else _count(outward.image_tokens) if outward is not None else 0
    return Tokens(
        input=read,
        output=made,
        cached_input=min(read, _count(inward.cached_tokens)),
        audio_input=min(read, _count(inward.audio_tokens)),
        audio_output=made if spoken else 0,
        image_input=min(read, _count(inward.image_tokens)),
        image_output=min(made, drawn),
        audio_ms=length,
        source=PROVIDER,
    )


_NO_DETAILS: Final = _Details()


def _rerank_tokens(raw: msgspec.Raw) -> Tokens | None:
    """What Cohere's word for it says, None where it says nothing."""
    try:
        meta = _decode_meta(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if meta is None:
        return None
    billed, read = meta.billed_units or _Billed(), meta.tokens or _Read()
    tokens = _count(billed.total_tokens) or _count(read.input_tokens)
    by_search = bool(billed.search_units)  # which has no price that anybody publishes in a list
    return Tokens(input=tokens, source=PROVIDER if tokens else "", partial=by_search or not tokens)


def _count(number: _Number) -> int:
    return 0 if number is None or number != number else reported(int(min(number, 10**12)))


def _milliseconds(value: Any) -> int:
    """A length in seconds, whatever its type; 0 for what is none."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return round(seconds * 1000) if 0 < seconds <= _MAX_SECONDS else 0
