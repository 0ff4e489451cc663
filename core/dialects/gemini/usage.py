"""The `usageMetadata` object of the Gemini wire.

`promptTokenCount` includes what came from the cache, but not the results of the provider's own tools that go
back into the prompt. `candidatesTokenCount` does not include the thoughts. In a stream every chunk has the
counts so far, so the last ones count.

Source: https://ai.google.dev/api/generate-content#UsageMetadata
"""

import msgspec

from core.dialects.tokens import PROVIDER, Tokens, reported, says

_AUDIO = "AUDIO"


class Modality(msgspec.Struct, rename="camel", omit_defaults=True):
    """How many tokens are of one kind."""

    modality: str | None = None
    token_count: int | None = None


class Usage(msgspec.Struct, rename="camel", omit_defaults=True):
    """What an answer or a chunk reports; None for what it does not mention."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: list[Modality] | None = None
    candidates_tokens_details: list[Modality] | None = None

    @property
    def is_known(self) -> bool:
        """Whether it says what was used."""
        return says(self.prompt_token_count, self.candidates_token_count, self.thoughts_token_count)

    def tokens(self) -> Tokens:
        """The same in the terms that all dialects share."""
        given = reported(self.prompt_token_count) + reported(self.tool_use_prompt_token_count)
        thoughts = reported(self.thoughts_token_count)
        return Tokens(
            input=given,
            output=reported(self.candidates_token_count) + thoughts,
            cached_input=min(given, reported(self.cached_content_token_count)),
            reasoning=thoughts,
            audio_input=_audio(self.prompt_tokens_details),
            audio_output=_audio(self.candidates_tokens_details),
            source=PROVIDER,
        )


def usage_of(tokens: Tokens) -> Usage:
    """What is reported to a caller."""
    return Usage(
        prompt_token_count=tokens.input,
        cached_content_token_count=tokens.cached_input or None,
        candidates_token_count=max(0, tokens.output - tokens.reasoning),
        thoughts_token_count=tokens.reasoning or None,
        total_token_count=tokens.input + tokens.output,
        prompt_tokens_details=_details(tokens.input, tokens.audio_input),
        candidates_tokens_details=_details(tokens.output - tokens.reasoning, tokens.audio_output),
    )


def _audio(details: list[Modality] | None) -> int:
    return sum(reported(each.token_count) for each in details if each.modality == _AUDIO) if details else 0


def _details(tokens: int, audio: int) -> list[Modality] | None:
    if not audio:
        return None
    return [Modality("TEXT", max(0, tokens - audio)), Modality(_AUDIO, audio)]
