"""The tokens of a request, in the terms that all dialects share."""

from typing import Final

import msgspec

PROVIDER: Final = "provider"
COUNTED: Final = "counted"
ESTIMATED: Final = "estimated"


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


NO_TOKENS: Final = Tokens()
