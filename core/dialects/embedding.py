"""The one form between wires that make embeddings: what is asked for, and the vectors.

    caller's request ─read_embed─► Embed ─write_embed─► provider's request
    provider's answer ─read_embedded─► Embedded ─write_embedded─► caller's answer

As core/dialects/canonical.py is for chats. Texts given as numbers of tokens are not in it: each model has its own.
"""

from collections.abc import Sequence

import msgspec

from core.dialects.tokens import Tokens


class Embed(msgspec.Struct):
    """A request. None, "" and [] mean that the request does not say."""

    model: str
    texts: list[str]
    dimensions: int | None = None
    as_base64: bool = False  # the caller wants its vectors so: little-endian floats of 32 bits
    user: str = ""
    others: dict[str, msgspec.Raw] = {}
    """What this form can't say, by its name on the caller's wire."""


class Embedded(msgspec.Struct):
    """A whole answer, one vector for each text."""

    vectors: Sequence[Sequence[float]]
    model: str = ""
    tokens: Tokens | None = None  # None where the provider reports none
