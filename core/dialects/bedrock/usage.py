"""Usage as Bedrock reports it.

`inputTokens` is what was neither read from the prompt cache nor written to it; those stand beside it, and the
input is the sum of the three: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
`outputTokens` includes the reasoning, which is not told apart.
"""

import msgspec

from core.dialects.tokens import PROVIDER, Tokens, reported, says


class _CacheDetail(msgspec.Struct):
    ttl: str | None = None
    input_tokens: int | float | None = msgspec.field(default=None, name="inputTokens")


class Usage(msgspec.Struct, rename="camel"):
    """TokenUsage."""

    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    cache_read_input_tokens: int | float | None = None
    cache_write_input_tokens: int | float | None = None
    cache_details: list[_CacheDetail] | None = None


def _count(tokens: int | float | None) -> int:
    """A reported count, which some JSON libraries write as 3.0."""
    return reported(None if tokens is None else int(tokens))


def tokens_of(usage: Usage | None) -> Tokens | None:
    """What a request used; None where nothing is reported."""
    if usage is None or not says(usage.input_tokens, usage.output_tokens):
        return None
    read = _count(usage.cache_read_input_tokens)
    written = _count(usage.cache_write_input_tokens)
    details = usage.cache_details or ()
    return Tokens(
        input=_count(usage.input_tokens) + read + written,
        output=_count(usage.output_tokens),
        cached_input=read,
        cache_write=written,
        cache_write_1h=min(written, sum(_count(detail.input_tokens) for detail in details if detail.ttl == "1h")),
        source=PROVIDER,
    )
