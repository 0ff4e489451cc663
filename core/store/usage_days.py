"""Between which numbers the records of a day are.

Records are numbered as they are stored, which is nearly in the order of their times. So a question about a
time is one about a range of numbers too, and the newest records in it are found without looking at all that
came later. A record that is stored late makes its day's range longer, and nothing wrong.
"""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import micros
from core.store import usage_marks
from core.store.database import Database
from core.store.tables import usage_days, usage_records
from core.store.usage import Selection

DAY = 86_400_000_000  # microseconds

_RANGES = f"""
    INSERT INTO usage_days (day, first_id, last_id)
    SELECT created_at - created_at % {DAY}, min(id), max(id) FROM usage_records
    WHERE id > :after AND id <= :last AND created_at >= :since GROUP BY 1"""  # noqa: S608 - our own names


async def add(connection: AsyncConnection, database: Database, *, after: int, last: int) -> None:
    """Takes in the records with a number above `after` and up to `last`; later ones have higher numbers."""
    lower, higher = ("min", "max") if database.is_sqlite else ("least", "greatest")
    statement = (
        f"{_RANGES} ON CONFLICT (day) DO UPDATE SET first_id = {lower}(usage_days.first_id, excluded.first_id),"
        f" last_id = {higher}(usage_days.last_id, excluded.last_id)"
    )
    await connection.execute(sa.text(statement), {"after": after, "last": last, "since": -(2**63)})


async def rebuild(connection: AsyncConnection, *, since: int, last: int) -> None:
    """Makes the ranges of the days from `since` on anew, from the records up to `last`."""
    await connection.execute(sa.text("DELETE FROM usage_days WHERE day >= :since"), {"since": since})
    await connection.execute(sa.text(_RANGES), {"after": 0, "last": last, "since": since})


async def narrowed(connection: AsyncConnection, selection: Selection) -> Selection | None:
    """The selection with the range of numbers that its time is in; None where there are no such records.

    The connection is a snapshot: records that are not in any day's range yet are looked at one by one.
    """
    if selection.start is None and selection.end is None:
        return selection
    days, late = usage_days.c, usage_records.c
    query = sa.select(sa.func.min(days.first_id), sa.func.max(days.last_id))
    tail = sa.select(sa.func.min(late.id), sa.func.max(late.id)).where(
        late.id > (await usage_marks.read(connection)).summed_to
    )
    if selection.start is not None:
        start = _micros(selection.start)
        query, tail = query.where(days.day > start - DAY), tail.where(late.created_at >= start)
    if selection.end is not None:
        end = _micros(selection.end)
        query, tail = query.where(days.day < end), tail.where(late.created_at < end)
    found = [*(await connection.execute(query)).one(), *(await connection.execute(tail)).one()]
    ids = [number for number in found if number is not None]
    if not ids:
        return None
    after, before = selection.after_id, selection.before_id
    return replace(
        selection,
        after_id=min(ids) - 1 if after is None else max(after, min(ids) - 1),
        before_id=max(ids) + 1 if before is None else min(before, max(ids) + 1),
    )


def _micros(moment: datetime | int) -> int:
    return micros(moment) if isinstance(moment, datetime) else moment
