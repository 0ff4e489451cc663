"""Pages of lists: the token that names where one ended, and how many objects one holds.

A token is opaque to callers; in it are the numbers by which the list is ordered, of the last object
of the page. It is no secret: what a caller may see is asked for every page anew.
"""

import base64
import struct
from collections.abc import Sequence
from typing import TypeVar

from core.errors import InvalidArgument

_T = TypeVar("_T")

_FOREIGN = "not a page token of this list"


def page_size(requested: int, *, default: int, most: int) -> int:
    """How many objects to answer with. More than the most means the most. Raises InvalidArgument."""
    if requested < 0:
        raise InvalidArgument("a page can't have less than no objects", field="page_size")
    return min(requested or default, most)


def encode(*position: int) -> str:
    """A token of a position: numbers of 64 bits."""
    return base64.urlsafe_b64encode(struct.pack(f">{len(position)}q", *position)).decode().rstrip("=")


def decode(token: str, *start: int) -> tuple[int, ...]:
    """The position that a token names, with as many numbers as `start`, which "" stands for.

    Raises InvalidArgument where the token is not one of this kind of list's.
    """
    if not token:
        return start
    try:
        return struct.unpack(f">{len(start)}q", _unpacked(token))
    except (ValueError, struct.error):
        raise InvalidArgument(_FOREIGN, field="page_token") from None


def cut(found: Sequence[_T], size: int) -> tuple[Sequence[_T], bool]:
    """The page of what was found when one more than `size` was asked for, and whether there are more."""
    return found[:size], len(found) > size


def encode_named(number: int, name: str) -> str:
    """A token of a position in a list that is ordered by a number of 64 bits and then by an id that is text."""
    return base64.urlsafe_b64encode(struct.pack(">q", number) + name.encode("ascii")).decode().rstrip("=")


def decode_named(token: str) -> tuple[int, str] | None:
    """The position that such a token names; None where it is "". Raises InvalidArgument like `decode`."""
    if not token:
        return None
    try:
        packed = _unpacked(token)
        (number,), name = struct.unpack(">q", packed[:8]), packed[8:].decode("ascii")
    except (ValueError, struct.error):
        raise InvalidArgument(_FOREIGN, field="page_token") from None
    if not name.isprintable():
        raise InvalidArgument(_FOREIGN, field="page_token")
    return number, name


def _unpacked(token: str) -> bytes:
    return base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
