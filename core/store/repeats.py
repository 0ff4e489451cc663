"""Prompts that were answered before: what asking them again cost, by UTC month.

    records that came ─► usage_prompts   answered once in this month, by whom
                     └─► usage_repeats   each prompt that came again, for everybody (viewer 0) and for its user
                         usage_waste     their sums

A repeat is a request that was answered or cost something, after a request with the same normalised
prompt had been answered by the same model. What a user sees of it is made of the user's requests alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.store.database import Database
from core.store.rollups import BEGINNING, month_of
from core.store.tables import usage_prompts, usage_repeats, usage_waste

EVERYBODY = 0
"""The viewer who sees all prompts together."""

_CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Repeated:
    """A prompt that came again. repeats: beyond the first; waste: nano-dollars that they cost."""

    prompt_hash: str
    repeats: int
    waste: int


async def add(
    connection: AsyncConnection, database: Database, *, after: int, last: int, since: int = BEGINNING
) -> None:
    """Takes in the records with a number above `after` and up to `last`, in the order of their numbers.

    since: only those from this time on, in microseconds. The caller has the marks (usage_marks.py).
    """
    finding, noting = _statements(on_sqlite=database.is_sqlite)
    values = {"after": after, "last": last, "since": since}
    found = (await connection.execute(finding, values)).all()
    await connection.execute(noting, values)
    prompts: defaultdict[tuple[int, int, str, str], list[int]] = defaultdict(lambda: [0, 0])
    sums: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for month, user_id, prompt_hash, model, repeats, waste, own_repeats, own_waste in found:
        for viewer, count, cost in ((EVERYBODY, repeats, waste), (user_id, own_repeats, own_waste)):
            if count:
                for total in (prompts[viewer, month, prompt_hash, model], sums[viewer, month]):
                    total[0] += int(count)
                    total[1] += int(cost)
    await _add_up(connection, database, usage_repeats, [(*key, *total) for key, total in prompts.items()])
    await _add_up(connection, database, usage_waste, [(*key, *total) for key, total in sums.items()])


async def rebuild(connection: AsyncConnection, database: Database, *, since: int, last: int) -> None:
    """Makes all of it anew from the records up to `last` of the months from `since` on, the beginning of one."""
    for table in (usage_prompts, usage_repeats, usage_waste):
        await connection.execute(sa.text(f"DELETE FROM {table.name} WHERE month >= :since"), {"since": since})  # noqa: S608
    first = (await connection.execute(sa.text("SELECT coalesce(min(id), 1) FROM usage_records"))).scalar_one()
    for after in range(first - 1, last, _CHUNK):
        await add(connection, database, after=after, last=min(after + _CHUNK, last), since=since)


async def waste(connection: AsyncConnection, viewer_id: int, month: int) -> tuple[int, int]:
    """How many repeats there were in a month, and what they cost."""
    query = sa.select(usage_waste.c.repeats, usage_waste.c.waste_nanousd).where(
        usage_waste.c.viewer_id == viewer_id, usage_waste.c.month == month
    )
    row = (await connection.execute(query)).first()
    return (0, 0) if row is None else (row[0], row[1])


async def dearest(connection: AsyncConnection, viewer_id: int, month: int, limit: int) -> Sequence[Repeated]:
    """The prompts whose repeats cost most in a month, the dearest first."""
    columns = usage_repeats.c
    query = (
        sa.select(columns.prompt_hash, columns.repeats, columns.waste_nanousd)
        .where(columns.viewer_id == viewer_id, columns.month == month)
        .order_by(columns.waste_nanousd.desc(), columns.repeats.desc(), columns.prompt_hash)
        .limit(limit)
    )
    return [Repeated(*row) for row in await connection.execute(query)]


async def forget_prompts(connection: AsyncConnection, before: int) -> None:
    """Forgets which prompts were answered in the months before one; nothing more will come of them."""
    await connection.execute(sa.delete(usage_prompts).where(usage_prompts.c.month < before))


async def _add_up(
    connection: AsyncConnection, database: Database, table: sa.Table, rows: Sequence[tuple[int | str, ...]]
) -> None:
    if not rows:
        return
    names = [column.name for column in table.c]
    keys = [column.name for column in table.primary_key]
    statement = sa.text(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"  # noqa: S608
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET repeats = {table.name}.repeats + excluded.repeats,"
        f" waste_nanousd = {table.name}.waste_nanousd + excluded.waste_nanousd"
    )
    await connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


@cache
def _statements(*, on_sqlite: bool) -> tuple[sa.TextClause, sa.TextClause]:
    """What finds the repeats among some records, and what notes the prompts that they answered.

    A prompt is looked up by a subquery with a LIMIT, for PostgreSQL could else decide to read all prompts instead.
    """
    counted = f"""
        SELECT id, {month_of("created_at", on_sqlite=on_sqlite)} AS month, user_id, model, prompt_hash,
            coalesce(cost_nanousd, 0) AS cost, CASE WHEN outcome = 'answered' THEN id END AS answered
        FROM usage_records
        WHERE id > :after AND id <= :last AND created_at >= :since
            AND prompt_hash <> '' AND model <> '' AND (outcome = 'answered' OR cost_nanousd > 0)"""  # noqa: S608
    earlier = """
        SELECT 1 FROM usage_prompts AS known
        WHERE known.month = ranked.month AND known.prompt_start = substr(ranked.prompt_hash, 1, 32)
            AND known.model = ranked.model"""
    finding = f"""
        WITH ranked AS (
            SELECT counted.*,
                min(answered) OVER (PARTITION BY month, prompt_hash, model) AS earliest,
                min(answered) OVER (PARTITION BY month, prompt_hash, model, user_id) AS own_earliest
            FROM ({counted}) AS counted
        ), judged AS (
            SELECT ranked.*,
                CASE WHEN id > earliest OR ({earlier} LIMIT 1) IS NOT NULL THEN 1 ELSE 0 END AS again,
                CASE WHEN user_id <> 0 AND (id > own_earliest
                    OR ({earlier} AND known.user_id = ranked.user_id LIMIT 1) IS NOT NULL) THEN 1 ELSE 0 END AS own
            FROM ranked
        )
        SELECT month, user_id, prompt_hash, model, sum(again), sum(again * cost), sum(own), sum(own * cost)
        FROM judged WHERE again = 1 GROUP BY month, user_id, prompt_hash, model"""  # noqa: S608
    noting = f"""
        INSERT INTO usage_prompts (month, prompt_start, model, user_id)
        SELECT DISTINCT month, substr(prompt_hash, 1, 32), model, user_id
        FROM ({counted}) AS counted WHERE answered IS NOT NULL
        ON CONFLICT (month, prompt_start, model, user_id) DO NOTHING"""  # noqa: S608
    return sa.text(finding), sa.text(noting)
