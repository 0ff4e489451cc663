"""The `usage` object of the Anthropic wire.

Its `input_tokens` are what is left beside the cache, so that the prompt is the sum of three counts.
Writing to the cache has two prices, by how long it is kept: five minutes or an hour.
"""

from typing import Any

import msgspec

from core.dialects.tokens import COUNTED, PROVIDER, Tokens, reported, says

TIERS_READ = {"standard": "default"}
"""Service tier of an answer → our word for it, where that is another."""
TIERS_WRITTEN = {ours: theirs for theirs, ours in TIERS_READ.items()}


class _Writes(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _ToolUse(msgspec.Struct):
    web_search_requests: int | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class Usage(msgspec.Struct):
    """What an answer or an event of a stream reports; None for what it does not mention."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation: _Writes | None = None
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ToolUse | None = None
    service_tier: str | None = None

    @property
    def tier(self) -> str:
        """The service tier in our words, "" where it is not said."""
        tier = self.service_tier or ""
        return TIERS_READ.get(tier, tier)

    @property
    def is_known(self) -> bool:
        """Whether it says what was used."""
        return says(
            self.input_tokens, self.output_tokens, self.cache_read_input_tokens, self.cache_creation_input_tokens
        )

    def followed_by(self, later: "Usage") -> "Usage":
        """What is known after a later report of the same stream: counts add up there and never shrink."""
        return Usage(
            input_tokens=_larger(self.input_tokens, later.input_tokens),
            cache_creation_input_tokens=_larger(self.cache_creation_input_tokens, later.cache_creation_input_tokens),
            cache_read_input_tokens=_larger(self.cache_read_input_tokens, later.cache_read_input_tokens),
            output_tokens=_larger(self.output_tokens, later.output_tokens),
            cache_creation=later.cache_creation or self.cache_creation,
            output_tokens_details=later.output_tokens_details or self.output_tokens_details,
            server_tool_use=later.server_tool_use or self.server_tool_use,
            service_tier=later.service_tier or self.service_tier,
        )

    def tokens(self, counted_output: int | None = None) -> Tokens:
        """The same in the terms that all dialects share; counted_output: in place of what is not reported yet."""
        cached = reported(self.cache_read_input_tokens)
        written = reported(self.cache_creation_input_tokens)
        for_an_hour = self.cache_creation.ephemeral_1h_input_tokens if self.cache_creation else 0
        output = reported(self.output_tokens)
        return Tokens(
            input=reported(self.input_tokens) + cached + written,
            output=output if counted_output is None else max(output, counted_output),
            cached_input=cached,
            cache_write=written,
            cache_write_1h=min(written, reported(for_an_hour)),
            reasoning=reported(self.output_tokens_details.thinking_tokens if self.output_tokens_details else 0),
            web_searches=reported(self.server_tool_use.web_search_requests if self.server_tool_use else 0),
            source=PROVIDER if counted_output is None else COUNTED,
        )


def usage_of(tokens: Tokens, service_tier: str = "") -> dict[str, Any]:
    """The object as an answer has it."""
    cached, written = tokens.cached_input, tokens.cache_write
    usage: dict[str, Any] = {
        "input_tokens": max(0, tokens.input - cached - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": tokens.output,
    }
    if written:
        for_an_hour = min(written, tokens.cache_write_1h)
        usage["cache_creation"] = {
            "ephemeral_5m_input_tokens": written - for_an_hour,
            "ephemeral_1h_input_tokens": for_an_hour,
        }
    if tokens.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": tokens.reasoning}
    if tokens.web_searches:
        usage["server_tool_use"] = {"web_search_requests": tokens.web_searches}
    if service_tier:
        usage["service_tier"] = TIERS_WRITTEN.get(service_tier, service_tier)
    return usage


def _larger(before: int | None, after: int | None) -> int | None:
    return after if before is None else before if after is None else max(before, after)
