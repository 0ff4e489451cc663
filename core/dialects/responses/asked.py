"""A chat as it was asked for on this wire: with what its answers repeat, and what their writers must know."""

import msgspec

from core.dialects.canonical import Chat

INPUT = "input"
"""The one argument of a custom tool, where it is put as a function."""


class Asked(Chat):
    """A request of the Responses wire. `echo` has the fields that a response repeats, as they came."""

    answer_id: str = ""  # that its response shall have; "" for one made of the provider's
    store: bool = True
    echo: dict[str, msgspec.Raw] = msgspec.field(default_factory=dict[str, msgspec.Raw])
    custom: frozenset[str] = frozenset()  # tools whose input is a text, and no JSON
