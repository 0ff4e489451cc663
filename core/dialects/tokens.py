"""The tokens of a request, in the terms that all dialects share."""

from typing import Final

import msgspec

PROVIDER: Final = "provider"
COUNTED: Final = "counted"
ESTIMATED: Final = "estimated"

_MOST_TOKENS: Final = 10**9
_MOST_CREDIBLE: Final = 10**8


class Tokens(msgspec.Struct, frozen=True):
    """`input` includes the cached tokens, `output` the reasoning."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    source: str = ""  # PROVIDER, COUNTED, ESTIMATED, or "" where nothing was used
    cache_write_1h: int = 0  # those of `cache_write` that are kept for an hour, which costs more
    web_searches: int = 0  # no tokens, but the provider's own tool, which is billed by the piece
    image_input: int = 0  # of `input`
    image_output: int = 0  # of `output`
    audio_ms: int = 0  # milliseconds of a sound that was listened to, where that is what is billed
    characters: int = 0  # of a text that was spoken, likewise
    partial: bool = False  # more was used than is known, so that nobody knows what it cost


NO_TOKENS: Final = Tokens()


def says(*counts: float | None) -> bool:
    """Whether reported counts say what was used: not where all are nothing, which some vendors send before they know
    or always, nor where one is more than any model takes or makes. Then it is counted instead."""
    return any(count is not None and count > 0 for count in counts) and not any(
        count is not None and count > _MOST_CREDIBLE for count in counts
    )


def reported(tokens: int | None) -> int:
    """A reported count within reason: what no request can have used would upset the sums of all others."""
    return min(max(0, tokens or 0), _MOST_TOKENS)
