"""Values of protobuf messages as JSON has them."""

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from facade.payload import invalid


def moment(message: Message, name: str) -> str | None:
    """A time as ISO 8601 in UTC ("2026-01-02T03:04:05.123456Z"); None where the field is not set."""
    if not message.HasField(name):
        return None
    timestamp: Timestamp = getattr(message, name)
    return timestamp.ToJsonString()


def timestamp(text: str, name: str) -> Timestamp:
    """The time that is meant by an ISO 8601 text with its zone. Raises Problem; name: the field at fault."""
    time = Timestamp()
    try:
        time.FromJsonString(text)
    except (ValueError, OverflowError):
        raise invalid("must be a time such as 2026-01-02T03:04:05Z", name) from None
    return time
