"""The `usage` of answers: read as vendors report it, written as OpenAI documents it."""

from typing import Any

import msgspec

from core.dialects.openai.chat import Usage, plain_usage
from core.dialects.tokens import Tokens

_decode = msgspec.json.Decoder(Usage | None).decode


def read_usage(raw: msgspec.Raw) -> Tokens | None:
    """What an answer or a chunk reports; None where it says nothing, as zeros do."""
    data = bytes(raw)
    if not data or data == b"null":
        return None
    try:
        usage = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        usage = plain_usage(b'{"usage":' + data + b"}")
    return usage.tokens() if usage is not None and usage.is_known else None


def write_usage(tokens: Tokens) -> dict[str, Any]:
    """The object of an answer. Reads and writes of the cache are parts of the prompt, as here."""
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached_input,
            "cache_write_tokens": tokens.cache_write,
            "audio_tokens": tokens.audio_input,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": tokens.audio_output,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
