"""Messages that can't be read: gRPC would answer them itself, outside the gate and with the words of its insides."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError

from core.errors import InvalidArgument


class _Corrupt:
    """Stands where a message should be."""


_CORRUPT = _Corrupt()


def lenient(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A deserializer that leaves it to the gate to refuse what can't be read."""

    def deserialize(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError:
            return _CORRUPT

    return deserialize


def refuse_corrupt(message: Any) -> None:
    """Raises InvalidArgument for a message that could not be read."""
    if message is _CORRUPT:
        raise InvalidArgument("the request is not a valid protobuf message")
