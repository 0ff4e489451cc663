"""A whole answer that only passes: what it reports of itself, on wires where that is an object's field."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

_T = TypeVar("_T")


def outline(decode: Callable[[bytes], _T], body: bytes) -> _T | None:
    """What is read of an answer; None where it is an object whose fields are not what the document says.

    Raises ValueError where the body is not a JSON object, and so no answer at all.
    """
    try:
        return decode(body)
    except (msgspec.ValidationError, RecursionError):
        if not body.lstrip().startswith(b"{"):
            raise ValueError("not a JSON object") from None
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("not JSON") from None
