"""Time, as something that tests own."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the use cases ask for the time."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def from_micros(value: int) -> datetime:
    """The aware UTC time so many microseconds after 1970."""
    return datetime.fromtimestamp(value // 1_000_000, UTC).replace(microsecond=value % 1_000_000)
