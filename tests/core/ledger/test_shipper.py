"""From the journal to the database: each record once, in order, whatever happens on the way."""

import asyncio
import logging
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import SystemClock
from core.errors import DatabaseError
from core.ledger import shipper as shippers
from core.ledger.journal import Journal
from core.ledger.shipper import Shipper
from core.store import journals, usage
from core.store.database import Database
from core.store.tables import journals as journal_table
from core.store.tables import usage_records
from tests.support.clock import FakeClock
from tests.support.database import FlakyDatabase, on_postgres, on_sqlite
from tests.support.ledger import NO_LIMIT, opening, record

PATIENCE = 10.0


def take(tmp_path: Path, segment_bytes: int = 2000) -> Journal:
    return Journal(tmp_path / "000", limit=NO_LIMIT, segment_bytes=segment_bytes)


def fill(journal: Journal, first: int, count: int) -> list[str]:
    """Requests that came and went; their ids."""
    names = [f"req_{number:06d}" for number in range(first, first + count)]
    for name in names:
        journal.open(opening(name))
        journal.close(record(name))
    return names


async def ship_all(shipper: Shipper) -> None:
    while await shipper.ship():
        pass


async def stored(database: Database) -> list[str]:
    """The ids in the database, in the order in which they came."""
    async with database.read() as connection:
        rows = await connection.execute(sa.select(usage_records.c.request_id).order_by(usage_records.c.id))
        return list(rows.scalars())


async def test_records_arrive_whole_and_in_order(database: Database, tmp_path: Path):
    journal = take(tmp_path)
    names = fill(journal, 0, 40)
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == names
    async with database.read() as connection:
        (last,) = await usage.page(connection, usage.Selection(), before_id=None, limit=1)
    assert (last.request_id, last.output_tokens, last.user_id) == (names[-1], 0, 0)
    journal.release()


async def test_what_is_shipped_is_not_kept(database: Database, tmp_path: Path):
    journal = take(tmp_path)
    fill(journal, 0, 40)
    assert len(journal.segments()) > 2
    await ship_all(Shipper(journal, database, FakeClock()))
    assert list(journal.segments()) == [journal.segment]
    assert journal.backlog == 0
    journal.release()


@on_sqlite
async def test_a_line_that_is_being_written_waits_for_its_end(database: Database, tmp_path: Path):
    journal = take(tmp_path)
    shipper = Shipper(journal, database, FakeClock())
    fill(journal, 0, 1)
    path = journal.path(journal.segment)
    with path.open("ab") as file:
        file.write(b'C["torn')
    await ship_all(shipper)
    with path.open("ab") as file:
        file.write(b" line\n")
    fill(journal, 1, 1)
    await ship_all(shipper)
    assert await stored(database) == ["req_000000", "req_000001"]
    journal.release()


class Crash(BaseException):
    """The process dies here."""


class Dying:
    """Lets a shipper die at one of its steps: before or after its INSERT, before its commit, or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
        self.steps_left = -1  # never
        insert, advance, write = usage.insert_records, journals.advance, database.write

        async def dying_insert(*arguments: Any) -> None:
            self.step()
            await insert(*arguments)
            self.step()

        async def dying_advance(*arguments: Any) -> None:
            await advance(*arguments)
            self.step()

        @asynccontextmanager
        async def dying_write() -> AsyncGenerator[AsyncConnection]:
            async with write() as connection:
                yield connection
            self.step()

        monkeypatch.setattr(usage, "insert_records", dying_insert)
        monkeypatch.setattr(journals, "advance", dying_advance)
        monkeypatch.setattr(database, "write", dying_write)

    def step(self) -> None:
        if self.steps_left == 0:
            raise Crash
        self.steps_left -= 1


async def test_each_record_is_shipped_once_wherever_the_process_dies(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shippers, "_READ_BYTES", 1000)  # several batches, and several in a segment
    dying = Dying(monkeypatch, database)
    names: list[str] = []
    for steps in range(16):
        journal = take(tmp_path, 1500)
        names += fill(journal, len(names), 12)
        dying.steps_left = steps
        with pytest.raises(Crash):
            await ship_all(Shipper(journal, database, FakeClock()))
        journal.release()
    journal = take(tmp_path)
    dying.steps_left = -1
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == names
    assert list(journal.segments()) == [journal.segment]
    assert journal.backlog == 0
    journal.release()


async def test_an_outage_of_the_database_costs_no_record_and_no_order(flaky_database: FlakyDatabase, tmp_path: Path):
    journal = take(tmp_path)
    shipper = Shipper(journal, flaky_database, SystemClock())
    names = fill(journal, 0, 10)
    await ship_all(shipper)
    flaky_database.down = True
    names += fill(journal, 10, 100)
    for _ in range(3):
        with pytest.raises(DatabaseError):
            await shipper.ship()
    flaky_database.down = False
    names += fill(journal, 110, 10)
    await ship_all(shipper)
    assert await stored(flaky_database) == names
    journal.release()


@on_sqlite
async def test_memory_stays_flat_however_much_waits(flaky_database: FlakyDatabase, tmp_path: Path):
    journal = take(tmp_path, 1 << 20)
    shipper = Shipper(journal, flaky_database, FakeClock())
    fill(journal, 0, 10)
    await ship_all(shipper)
    flaky_database.down = True
    tracemalloc.start()
    try:
        fill(journal, 10, 20_000)
        with pytest.raises(DatabaseError):
            await shipper.ship()
        kept, _ = tracemalloc.get_traced_memory()
        flaky_database.down = False
        tracemalloc.reset_peak()
        while journal.backlog > 4 << 20:
            await shipper.ship()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1 << 20
    assert peak < 24 << 20  # of a batch, its records and its rows
    journal.release()


async def test_a_running_shipper_says_how_it_is_and_ships_within_a_second(
    flaky_database: FlakyDatabase, tmp_path: Path
):
    journal = take(tmp_path)
    shipper = Shipper(journal, flaky_database, SystemClock())
    flaky_database.down = True
    names = fill(journal, 0, 3)
    running = asyncio.create_task(shipper.run())
    await until(lambda: not shipper.healthy)
    flaky_database.down = False
    await until(lambda: shipper.healthy)
    names += fill(journal, 3, 3)
    async with asyncio.timeout(PATIENCE):
        while await stored(flaky_database) != names:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    journal.release()


async def test_an_outage_is_told_in_one_line_when_it_begins_and_when_it_ends(
    flaky_database: FlakyDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    journal = take(tmp_path)
    shipper = Shipper(journal, flaky_database, SystemClock())
    flaky_database.down = True
    fill(journal, 0, 3)
    with caplog.at_level(logging.INFO):
        assert not await shipper.finish(0.5)
        flaky_database.down = False
        assert await shipper.finish(PATIENCE)
    told = [record for record in caplog.records if record.name == shippers.__name__]
    assert [record.message for record in told] == [
        "the database does not take usage; it waits in the journal",
        "the database takes usage again",
    ]
    assert all(record.exc_info is None for record in told)
    journal.release()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.01)


@on_sqlite
async def test_a_fault_does_not_end_the_shipping(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = take(tmp_path)
    shipper = Shipper(journal, database, SystemClock())
    names = fill(journal, 0, 3)

    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    with monkeypatch.context() as faulty:
        faulty.setattr(shippers, "_lines_at", fail)
        assert not await shipper.finish(0.3)
    assert await shipper.finish(PATIENCE)
    assert await stored(database) == names
    journal.release()


@on_sqlite
async def test_at_the_end_what_the_database_does_not_take_waits(flaky_database: FlakyDatabase, tmp_path: Path):
    journal = take(tmp_path)
    names = fill(journal, 0, 3)
    flaky_database.down = True
    assert not await Shipper(journal, flaky_database, FakeClock()).finish(0.01)
    journal.release()
    flaky_database.down = False
    later = take(tmp_path)
    assert await Shipper(later, flaky_database, FakeClock()).finish(PATIENCE)
    assert await stored(flaky_database) == names
    later.release()


async def test_a_database_that_forgot_how_far_the_shipping_was_gets_nothing_twice(database: Database, tmp_path: Path):
    journal = take(tmp_path, 1 << 20)
    names = fill(journal, 0, 10)
    await ship_all(Shipper(journal, database, FakeClock()))
    async with database.write() as connection:
        await connection.execute(sa.delete(journal_table))
    names += fill(journal, 10, 10)
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == names
    journal.release()


async def test_a_database_out_of_a_backup_gets_again_what_is_still_here(database: Database, tmp_path: Path):
    journal = take(tmp_path, 1 << 20)
    names = fill(journal, 0, 5)
    await ship_all(Shipper(journal, database, FakeClock()))
    async with database.read() as connection:
        then = await journals.position(connection, journal.id)
    assert then is not None
    names += fill(journal, 5, 10)
    await ship_all(Shipper(journal, database, FakeClock()))
    async with database.write() as connection:  # as it was then
        await connection.execute(sa.delete(usage_records).where(usage_records.c.request_id >= "req_000005"))
        await journals.advance(connection, database, journal.id, *then, FakeClock().now())
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == names
    journal.release()


@on_sqlite
@pytest.mark.parametrize("ahead", ["of every segment", "in this segment"])
async def test_a_position_that_can_not_be_is_not_believed(database: Database, tmp_path: Path, ahead: str):
    journal = take(tmp_path, 1 << 20)
    names = fill(journal, 0, 5)
    segment = journal.segment + (10**9 if ahead == "of every segment" else 0)
    async with database.write() as connection:
        await journals.advance(connection, database, journal.id, segment, 10**9, FakeClock().now())
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == names
    assert list(journal.segments()) == [journal.segment]
    names += fill(journal, 5, 5)
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == names
    journal.release()


@on_sqlite
async def test_files_out_of_a_backup_lose_nothing_that_is_new(database: Database, tmp_path: Path):
    journal = take(tmp_path, 1 << 20)
    names = fill(journal, 0, 5)
    (old,) = journal.segments().values()
    backup = old.read_bytes()
    journal.release()
    for first in (5, 10):
        journal = take(tmp_path, 1 << 20)
        names += fill(journal, first, 5)
        await ship_all(Shipper(journal, database, FakeClock()))
        journal.release()
    for path in journal.segments().values():
        path.unlink()
    old.write_bytes(backup)
    journal = take(tmp_path, 1 << 20)
    names += fill(journal, 15, 5)
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == names
    journal.release()


async def test_a_record_that_no_database_takes_holds_up_no_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = take(tmp_path)
    names = fill(journal, 0, 5)
    insert = usage.insert_records

    async def picky(connection: AsyncConnection, database: Database, rows: list[dict[str, Any]]) -> None:
        if any(row["request_id"] == names[2] for row in rows):
            raise OverflowError("too large to convert")
        await insert(connection, database, rows)

    monkeypatch.setattr(usage, "insert_records", picky)
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == [name for name in names if name != names[2]]
    journal.release()


@on_postgres
async def test_a_record_that_postgresql_refuses_holds_up_no_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = take(tmp_path)
    names = fill(journal, 0, 5)
    insert = usage.insert_records

    async def picky(connection: AsyncConnection, database: Database, rows: list[dict[str, Any]]) -> None:
        await insert(connection, database, rows)
        if any(row["request_id"] == names[2] for row in rows):
            await connection.execute(sa.text("SELECT 1 / 0"))

    monkeypatch.setattr(usage, "insert_records", picky)
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == [name for name in names if name != names[2]]
    journal.release()


@on_sqlite
async def test_nothing_is_dropped_where_nothing_can_be_stored(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    journal = take(tmp_path)
    names = fill(journal, 0, 5)

    async def broken(*_: object) -> None:
        raise ValueError("a fault of the program")

    with monkeypatch.context() as faulty:
        faulty.setattr(usage, "insert_records", broken)
        with pytest.raises(DatabaseError):
            await Shipper(journal, database, FakeClock()).ship()
    await ship_all(Shipper(journal, database, FakeClock()))
    assert await stored(database) == names
    journal.release()


async def test_records_are_shipped_while_others_are_being_written(database: Database, tmp_path: Path):
    await database.ping()  # a connection that is cancelled while it is made can leave SQLite locked
    journal = take(tmp_path, 5000)
    names: list[str] = []
    for turns in range(0, 60, 5):  # the shipping is interrupted at another point each time
        shipper = Shipper(journal, database, SystemClock())
        running = asyncio.create_task(shipper.run())
        for _ in range(turns):
            names += fill(journal, len(names), 1)
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert await shipper.finish(PATIENCE)
    assert await stored(database) == names
    journal.release()
