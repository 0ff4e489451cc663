"""How fast questions about usage are answered over millions of events.

    python -m tests.bench.usage --events 10000000 --database postgresql+asyncpg://127.0.0.1:5432/usage_bench

Fills an empty PostgreSQL database of yours with a year of usage, sums it up as the service does, asks each question
twenty times, and prints a table in Markdown. Drop the database afterwards; 10 million events take some 8 GB.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from core.auth import Principal
from core.ledger import reports
from core.ledger.overview import overview
from core.ledger.summing import Summing
from core.store import migrate, usage, usage_breakdown
from core.store.database import Database
from core.store.usage import Selection
from core.store.usage_days import DAY

from .usage_events import USERS, make

_RUNS = 20
_SUMMED_AT_ONCE = 250_000

# Made after the records, which is ten times as fast; the key of request ids stays, and is the greater part.
_SLOW = ("user_id_created_at", "user_id_id", "created_at", "credential_id_id")

_TABLES = (
    "usage_records",
    "usage_hourly",
    "usage_daily",
    "usage_monthly",
    "usage_prompts",
    "usage_repeats",
    "usage_days",
)

Question = Callable[[], Awaitable[object]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--database", required=True, help="postgresql+asyncpg://…, with nothing in it yet")
    parser.add_argument("--ask-only", action="store_true", help="the events are there already")
    options = parser.parse_args()
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    database = Database(options.database)
    try:
        if not options.ask_only:
            await migrate.upgrade(options.database)
            await _fill(options.database, options.events)
            await _tidy(options.database)
            await _sum_up(database)
            await _tidy(options.database)
        await _ask(database)
    finally:
        await database.close()
    return 0


async def _fill(url: str, events: int) -> None:
    began = time.monotonic()
    async with migrate.connected(url) as connection:  # one that has the time
        if (await connection.execute(sa.text("SELECT 1 FROM usage_records LIMIT 1"))).first():
            raise SystemExit("there is usage in that database")
        for table in _TABLES:  # half as much is written
            await connection.execute(sa.text(f"ALTER TABLE {table} SET UNLOGGED"))
        for name in _SLOW:
            await connection.execute(sa.text(f"DROP INDEX ix_usage_records_{name}"))
        async for made in make(connection, events, datetime.now(UTC)):
            _say(f"{made:,} events after {time.monotonic() - began:.0f} s")
        for name in _SLOW:
            columns = name.replace("_id_id", "_id, id").replace("id_created_at", "id, created_at")
            await connection.execute(sa.text(f"CREATE INDEX ix_usage_records_{name} ON usage_records ({columns})"))
    _say(f"filled in {time.monotonic() - began:.0f} s")


async def _sum_up(database: Database) -> None:
    began, added = time.monotonic(), 0
    while more := await Summing(database).add(_SUMMED_AT_ONCE):  # the service's own way, in larger steps
        added += more
        _say(f"{added:,} summed up after {time.monotonic() - began:.0f} s")
    _say(f"summed up in {time.monotonic() - began:.0f} s, {added / (time.monotonic() - began):,.0f} a second")


async def _tidy(url: str) -> None:
    """What autovacuum does by and by."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(sa.text("VACUUM ANALYZE"))
    await engine.dispose()


async def _ask(database: Database) -> None:
    rows: list[tuple[str, float, float]] = []
    for name, question in _questions(database).items():
        times: list[float] = []
        began = time.perf_counter()
        await question()
        for _ in range(_RUNS if time.perf_counter() - began < 1 else 3):
            began = time.perf_counter()
            await question()
            times.append((time.perf_counter() - began) * 1000)
        rows.append((name, statistics.median(times), max(times)))
        _say(f"{name}: {rows[-1][1]:.1f} ms")
    async with database.read() as connection:
        for table in (
            "usage_records",
            "usage_hourly",
            "usage_daily",
            "usage_monthly",
            "usage_prompts",
            "usage_repeats",
        ):
            query = f"SELECT count(*), pg_total_relation_size('{table}') / 1048576 FROM {table}"
            count, size = (await connection.execute(sa.text(query))).one()
            print(f"{table}: {count:,} rows, {size:,} MB")
    print("\n| question | median ms | slowest, ms |\n|---|---:|---:|")
    for name, median, slowest in rows:
        print(f"| {name} | {median:.1f} | {slowest:.1f} |")


def _questions(database: Database) -> dict[str, Question]:
    admin = Principal(0, "admin", 0, "session", frozenset(), None)
    busy, usual = (Principal(number, "user", 0, "session", frozenset(), None) for number in (1, USERS // 2))
    now = datetime.now(UTC)
    odd = now - timedelta(days=200, minutes=17)

    async def pages(**selection: object) -> object:
        asked = Selection(**selection)  # pyright: ignore[reportArgumentType] - its own fields
        return await reports.records(database, admin, asked, before_id=None, limit=100)

    async def models() -> object:
        async with database.snapshot() as connection:
            first = int(now.timestamp() * 1e6) // DAY * DAY - 30 * DAY
            return await usage_breakdown.breakdown(
                connection, database, "model", first=first, last=first + 32 * DAY, limit=50
            )

    async def counted() -> object:
        async with database.read() as connection:
            return await usage.sums(connection, Selection(user_id=1))

    return {
        "overview, everybody's": lambda: overview(database, admin, now),
        "overview of the busiest user": lambda: overview(database, busy, now),
        "overview of an ordinary user": lambda: overview(database, usual, now),
        "stats of the busiest user, all time": lambda: reports.stats(database, busy),
        "stats of the busiest user, an odd span": lambda: reports.stats(database, busy, start=odd, end=now),
        "stats of an ordinary user, all time": lambda: reports.stats(database, usual),
        "sums by model, 30 days, everybody's": models,
        "newest 100 events": pages,
        "newest 100 events of a user": lambda: pages(user_id=USERS // 2),
        "newest 100 events of a key": lambda: pages(credential_id=USERS),
        "newest 100 events of a model": lambda: pages(model="model-7-2026"),
        "newest 100 failures of a provider": lambda: pages(provider="provider-3", status_code=502),
        "newest 100 events of a project": lambda: pages(project="project 7"),
        "100 events of a day, half a year ago": lambda: pages(start=odd, end=odd + timedelta(days=1)),
        "for comparison: the busiest user's records, counted": counted,
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
