"""Counts the tokens of a prompt where its provider has no endpoint for it: countTokens answered here."""

import msgspec

from core.dialects.gemini.generate import prompt_tokens
from core.dialects.request import Request

_encode = msgspec.json.Encoder().encode


def write_count(request: Request) -> bytes:
    """The answer to a request for a count, of its texts and tools alone, approximately."""
    return _encode({"totalTokens": max(1, prompt_tokens(request))})
