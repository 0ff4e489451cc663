"""What the families of Claude can do, as far as a request must be put differently for them.

A name is read by its family and version, whatever stands around them (`us.anthropic.claude-sonnet-4-5-20250929-v1:0`,
`anthropic/claude-sonnet-4.5`, `claude-3-5-haiku-20241022`), so that the next model of a generation is known on its
first day. A model that is no Claude, or has no version, gets what every server of this wire can do.

Sources: https://platform.claude.com/docs/en/build-with-claude/ — thinking, effort, structured-outputs,
mid-conversation-system-messages — and the migration guides of 4.6, 4.7, 5 and 5.5.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from core.dialects.canonical import Effort

_FAMILY = r"(opus|sonnet|haiku|fable|mythos)"
_VERSION = r"(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)"
_NAME = re.compile(rf"claude-{_FAMILY}-{_VERSION}|claude-{_VERSION}-{_FAMILY}")

_TO_HIGH: Final[tuple[Effort, ...]] = ("low", "medium", "high")
_TO_MAX: Final[tuple[Effort, ...]] = (*_TO_HIGH, "max")
_ALL: Final[tuple[Effort, ...]] = (*_TO_HIGH, "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What one model takes."""

    thinks: Literal["never", "by budget", "either way", "by effort"] = "by budget"
    unasked: bool = False  # it thinks where a request says nothing of it
    off: Literal["disabled", "between_tools", ""] = "disabled"  # how it is kept from thinking; "": not at all
    efforts: tuple[Effort, ...] = ()  # of output_config, in their order
    samples: bool = True  # temperature, top_p and top_k
    samples_doubly: bool = True  # temperature and top_p in one request
    forced: bool = True  # a choice of tools other than auto and none
    formats: bool = False  # output_config.format, and strict tools
    system_turns: bool = False  # messages of the system's between the others


_UNKNOWN = Abilities()
_OLD = Abilities(thinks="never")
_PREVIEW = Abilities(thinks="by effort", unasked=True, off="", efforts=_TO_MAX, samples=False, formats=True)


@lru_cache(maxsize=4096)
def abilities(model: str) -> Abilities:
    """What a model of this name takes."""
    name = model.lower()
    found = _NAME.search(name)
    if found is None:
        return _PREVIEW if "claude-mythos-preview" in name else _UNKNOWN
    family = found[1] or found[6]
    return _of(family, (int(found[2] or found[4]), int(found[3] or found[5] or 0)))


def _of(family: str, version: tuple[int, int]) -> Abilities:
    if version < (3, 7):
        return _OLD
    can = Abilities(samples_doubly=version < (4, 1))
    if version >= (4, 5):
        can = replace(can, formats=True, efforts=_TO_HIGH if family == "opus" else ())
    if version >= (4, 6):
        can = replace(can, thinks="either way", efforts=_TO_MAX)
    if version >= (4, 7):
        can = replace(can, thinks="by effort", efforts=_ALL, samples=False)
    if version >= (4, 8):
        can = replace(can, system_turns=True)
    if version >= (5, 0):
        can = replace(can, unasked=True, off="" if family in ("fable", "mythos") else "disabled")
    if version >= (5, 1):
        can = replace(can, forced=False)
    if version >= (5, 5):
        can = replace(can, off={"opus": "", "sonnet": "between_tools"}.get(family, can.off))
    return can
