"""The `usage` object of the Anthropic wire.

Its `input_tokens` are what is left beside the cache, so that the prompt is the sum of three counts.
Writing to the cache has two prices, by how long it is kept: five minutes or an hour.
"""

import msgspec

from core.dialects.tokens import COUNTED, PROVIDER, Tokens, reported


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

    @property
    def is_known(self) -> bool:
        """Whether it says anything: some vendors send zeros before they know, or always."""
        return bool(
            self.input_tokens or self.output_tokens or self.cache_read_input_tokens or self.cache_creation_input_tokens
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


def _larger(before: int | None, after: int | None) -> int | None:
    return after if before is None else before if after is None else max(before, after)
