"""The periods of budgets, by the calendar in UTC: a day, a week from Monday on, a month, or all time."""

from datetime import UTC, datetime, timedelta
from typing import Final

DAY: Final = "day"
WEEK: Final = "week"
MONTH: Final = "month"
TOTAL: Final = "total"

PERIODS: Final = (DAY, WEEK, MONTH, TOTAL)

_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


def window(period: str, now: datetime) -> tuple[datetime, datetime]:
    """The period in which a time is: its start, and the start of the next."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == DAY:
        return midnight, midnight + timedelta(days=1)
    if period == WEEK:
        start = midnight - timedelta(days=midnight.weekday())
        return start, start + timedelta(days=7)
    if period == MONTH:
        start = midnight.replace(day=1)
        return start, (start + timedelta(days=32)).replace(day=1)
    return _EVER
