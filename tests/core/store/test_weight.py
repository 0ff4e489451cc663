"""How many rows with long texts come in one page."""

import pytest
import sqlalchemy as sa

from core.store import weight
from core.store.database import Database

_notes = sa.Table("notes", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))

THIRD = weight.MOST // 3


@pytest.mark.parametrize(
    ("lengths", "limit", "come", "more"),
    [
        ([], 10, 0, False),
        ([1, 1], 2, 2, False),
        ([1, 1, 1], 2, 2, True),
        ([THIRD, THIRD, THIRD], 10, 3, False),
        ([THIRD, THIRD, THIRD, THIRD], 10, 3, True),
        ([weight.MOST, 0], 10, 2, False),
        ([weight.MOST, 1], 10, 1, True),
        ([weight.MOST * 2], 10, 1, False),
        ([weight.MOST * 2, 1], 10, 1, True),
        ([1, weight.MOST * 2], 10, 1, True),
        ([weight.MOST * 2, 1], 1, 1, True),
    ],
)
async def test_a_page_holds_what_fits(database: Database, lengths: list[int], limit: int, come: int, more: bool):
    query = sa.select(_notes.c.id, _notes.c.text).order_by(_notes.c.id)
    async with database.write() as connection:
        await connection.run_sync(_notes.create)
        for number, length in enumerate(lengths):
            await connection.execute(sa.insert(_notes).values(id=number, text="ü" * length))
        rows, others = await weight.weighed(connection, query, key=_notes.c.id, text=_notes.c.text, limit=limit)
        await connection.rollback()
    assert [(row.id, len(row.text)) for row in rows] == list(enumerate(lengths[:come]))
    assert others is more
