"""Times in messages."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from core.clock import micros
from core.errors import InvalidArgument

# What both sides can name: the years 1 to 9999.
_FIRST = -62_135_596_800
_LAST = 253_402_300_799


def to_timestamp(moment: datetime) -> Timestamp:
    """An aware time as a message."""
    seconds, rest = divmod(micros(moment), 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def from_timestamp(message: Timestamp, field: str) -> datetime:
    """The aware UTC time in a message, to the microsecond. Raises InvalidArgument naming the field."""
    if not _FIRST <= message.seconds <= _LAST or not 0 <= message.nanos < 1_000_000_000:
        raise InvalidArgument("not a time", field=field)
    return message.ToDatetime(UTC)
