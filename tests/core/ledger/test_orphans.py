"""Journals that nobody writes any more."""

from pathlib import Path

import sqlalchemy as sa

from core.ledger import journal as journals
from core.ledger.orphans import Orphans
from core.ledger.prices import Prices
from core.store.database import Database
from core.store.tables import usage_records
from tests.support.clock import FakeClock
from tests.support.database import FlakyDatabase, on_sqlite
from tests.support.ledger import NO_LIMIT, opening, record

CLOCK = FakeClock()


def orphans(database: Database, root: Path) -> Orphans:
    return Orphans(root, root / "000", database, Prices(CLOCK), CLOCK)


async def outcomes(database: Database) -> dict[str, str]:
    async with database.read() as connection:
        rows = await connection.execute(sa.select(usage_records.c.request_id, usage_records.c.outcome))
        return {str(name): str(outcome) for name, outcome in rows}


async def test_what_a_worker_that_does_not_come_back_left_is_shipped(database: Database, tmp_path: Path):
    own = journals.take(tmp_path, 0, limit=NO_LIMIT)
    gone = journals.take(tmp_path, 1, limit=NO_LIMIT)
    gone.open(opening("done"))
    gone.close(record("done"))
    gone.open(opening("cut off"))
    gone.release()
    own.open(opening("running"))
    assert await orphans(database, tmp_path).adopt() == 1
    assert await outcomes(database) == {"done": "answered", "cut off": "lost"}
    assert not gone.segments()
    assert await orphans(database, tmp_path).adopt() == 0
    own.release()


@on_sqlite
async def test_a_worker_that_comes_back_goes_on_in_its_journal(database: Database, tmp_path: Path):
    first = journals.take(tmp_path, 1, limit=NO_LIMIT)
    first.close(record("before"))
    first.release()
    await orphans(database, tmp_path).adopt()
    again = journals.take(tmp_path, 1, limit=NO_LIMIT)
    assert (again.folder, again.id) == (first.folder, first.id)
    again.close(record("after"))
    again.release()
    await orphans(database, tmp_path).adopt()
    assert set(await outcomes(database)) == {"before", "after"}


@on_sqlite
async def test_a_journal_that_somebody_writes_is_left_alone(database: Database, tmp_path: Path):
    running = journals.take(tmp_path, 1, limit=NO_LIMIT)
    running.open(opening("running"))
    assert await orphans(database, tmp_path).adopt() == 0
    assert await outcomes(database) == {}
    running.close(record("running"))
    running.release()


@on_sqlite
async def test_what_can_not_be_shipped_waits(flaky_database: FlakyDatabase, tmp_path: Path):
    gone = journals.take(tmp_path, 1, limit=NO_LIMIT)
    gone.close(record("done"))
    gone.release()
    flaky_database.down = True
    assert await orphans(flaky_database, tmp_path).adopt() == 0
    assert len(gone.segments()) == 1
    flaky_database.down = False
    assert await orphans(flaky_database, tmp_path).adopt() == 1
    assert set(await outcomes(flaky_database)) == {"done"}
