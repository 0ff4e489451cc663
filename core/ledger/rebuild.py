"""Makes the sums over usage anew from the records, and tells whether they had been right.

    mark (nobody sums up meanwhile) ─► compare ─► sum up all records again ─► compare ─► move the mark

Sums over days whose records are deleted stay as they are. Recording goes on meanwhile on PostgreSQL; on SQLite
everything that writes waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import from_micros, micros
from core.ledger import period
from core.store import repeats, rollups, usage_marks
from core.store.database import Database

_REPEATS = ("usage_repeats", "usage_waste")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many rows of each table were wrong, and still are, which must be none; the records that are in now."""

    wrong: Mapping[str, int]
    left: Mapping[str, int]
    records: int
    cost_nanousd: int


async def rebuild(connection: AsyncConnection, database: Database) -> Rebuilt:
    """Makes the sums anew in the transaction of `connection`; to look only, take it back.

    The connection should be one that waits: with millions of records this takes minutes. Raises DatabaseError.
    """
    marks = await usage_marks.wait(connection, database)
    since, months = marks.kept_from, _first_whole_month(marks.kept_from)
    wrong = dict(await rollups.differences(connection, database, since=since, last=marks.summed_to))
    for table in _REPEATS:
        kept = f"CREATE TEMPORARY TABLE old_{table} AS SELECT * FROM {table} WHERE month >= {months:d}"  # noqa: S608
        await connection.execute(sa.text(kept))
    await repeats.rebuild(connection, database, since=months, last=marks.summed_to)
    for table in _REPEATS:
        wrong[table] = await _differing(connection, table, months)
        await connection.execute(sa.text(f"DROP TABLE old_{table}"))
    last = await usage_marks.last_record(connection)
    await rollups.rebuild(connection, database, since=since, last=last)
    await repeats.add(connection, database, after=marks.summed_to, last=last)
    await usage_marks.summed(connection, last)
    left = await rollups.differences(connection, database, since=since, last=last)
    totals = sa.text("SELECT count(*), coalesce(sum(cost_nanousd), 0) FROM usage_records WHERE id <= :last")
    count, cost = (await connection.execute(totals, {"last": last})).one()
    return Rebuilt(wrong, left, count, int(cost))


def _first_whole_month(kept_from: int) -> int:
    """The beginning of the first month of which all records are there."""
    moment = from_micros(kept_from)
    begin, following = period.window(period.MONTH, moment)
    return micros(begin if begin == moment else following)


async def _differing(connection: AsyncConnection, table: str, months: int) -> int:
    """How many rows of a table are others than those that were kept."""
    now = f"SELECT * FROM {table} WHERE month >= {months:d}"  # noqa: S608 - our own names
    old = f"SELECT * FROM old_{table}"  # noqa: S608
    either = f"SELECT * FROM ({now} EXCEPT {old}) AS a UNION ALL SELECT * FROM ({old} EXCEPT {now}) AS b"  # noqa: S608
    keys = "viewer_id, month" if table == "usage_waste" else "viewer_id, month, prompt_hash, model"
    query = f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM ({either}) AS either_way) AS both_ways"  # noqa: S608
    return (await connection.execute(sa.text(query))).scalar_one()
