"""Values of protobuf messages as JSON has them."""

from typing import TYPE_CHECKING

from google.protobuf.message import Message

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


def moment(message: Message, name: str) -> str | None:
    """A time as ISO 8601 in UTC ("2026-01-02T03:04:05.123456Z"); None where the field is not set."""
    if not message.HasField(name):
        return None
    timestamp: Timestamp = getattr(message, name)
    return timestamp.ToJsonString()
