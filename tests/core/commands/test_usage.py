"""`llmrouter usage`: the accounts on the command line."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from core.ledger.summing import Summing
from core.store import usage
from core.store.database import Database
from tests.core.commands.conftest import Run
from tests.core.commands.test_people import URL, in_thread
from tests.support.records import START, usage_record

DOLLAR = 10**9


async def fill(summed: int) -> None:
    """Five requests of two users in two months; some are summed up."""
    database = Database(URL)
    costs: list[dict[str, Any]] = [
        {"user_id": 1, "model": "small", "cost_nanousd": DOLLAR, "project": "bot"},
        {"user_id": 1, "model": "large", "cost_nanousd": 5 * DOLLAR, "project": "bot", "prompt_hash": "a"},
        {"user_id": 2, "model": "large", "cost_nanousd": DOLLAR // 2, "prompt_hash": "a"},
        {"user_id": 2, "model": "small", "outcome": "failed", "status_code": 500},
        {"user_id": 1, "model": "small", "cost_nanousd": 1, "at": START + timedelta(days=40)},
    ]
    try:
        async with database.write() as connection:
            rows = [usage_record(f"req_{number}", input_tokens=10, **one) for number, one in enumerate(costs)]
            await usage.insert_records(connection, database, rows)
        await Summing(database).add(summed)
    finally:
        await database.close()


async def execute(statement: str) -> None:
    engine = create_async_engine(URL)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(statement)
    await engine.dispose()


@pytest.fixture(params=[5, 2])
def filled(run: Run, request: pytest.FixtureRequest) -> None:
    """Usage of ann, who has number 1, and of somebody who is gone."""
    run("users", "add", "--admin", "ann@example.com", "--password-stdin", stdin="hunter22\n")
    in_thread(fill(request.param))


def summary(run: Run, *options: str) -> list[dict[str, Any]]:
    done = run("usage", "summary", "--json", *options)
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.usefixtures("filled")
def test_usage_is_listed(run: Run):
    rows = json.loads(run("usage", "list", "--json").out)
    assert [row["id"] for row in rows] == [5, 4, 3, 2, 1]
    assert [row["cost usd"] for row in rows] == ["0.000000001", None, "0.5", "5", "1"]
    assert rows[4]["user"] == "ann@example.com"
    assert [row["id"] for row in json.loads(run("usage", "list", "--json", "--limit", "2").out)] == [5, 4]
    for options, found in (
        (["--user", "ann@example.com"], [5, 2, 1]),
        (["--model", "large"], [3, 2]),
        (["--status", "500"], [4]),
        (["--project", "bot", "--until", "2026-02-01"], [2, 1]),
        (["--since", "2026-02-01"], [5]),
    ):
        assert [row["id"] for row in json.loads(run("usage", "list", "--json", *options).out)] == found
    assert "ann@example.com" in run("usage", "list").out


@pytest.mark.usefixtures("filled")
def test_usage_is_exported(run: Run):
    rows = list(csv.DictReader(io.StringIO(run("usage", "export").out)))
    assert [row["request_id"] for row in rows] == ["req_4", "req_3", "req_2", "req_1", "req_0"]
    lines = run("usage", "export", "--format", "ndjson", "--user", "1", "--model", "large").out.splitlines()
    assert [json.loads(line)["cost"] for line in lines] == [5]


@pytest.mark.usefixtures("filled")
def test_usage_is_summed_up(run: Run):
    assert summary(run) == [
        {"model": "large", "requests": 2, "failures": 0, "tokens in": 20, "tokens out": 0, "cost usd": "5.5"},
        {"model": "small", "requests": 3, "failures": 1, "tokens in": 30, "tokens out": 0, "cost usd": "1.000000001"},
    ]
    for by, names in (
        ("user", ["ann@example.com", "2"]),
        ("project", ["bot", ""]),
        ("status", ["2xx", "5xx"]),
        ("day", ["2026-01-02", "2026-02-11"]),
        ("month", ["2026-01", "2026-02"]),
        ("provider", ["main"]),
        ("credential", ["0"]),
    ):
        assert [row[by] for row in summary(run, "--by", by)] == names
    assert [row["requests"] for row in summary(run, "--by", "month", "--since", "2026-02-01")] == [1]
    assert [row["requests"] for row in summary(run, "--by", "month", "--until", "2026-02-01")] == [4]
    assert len(summary(run, "--by", "user", "--limit", "1")) == 1


@pytest.mark.usefixtures("filled")
def test_sums_are_compared_and_made_anew(run: Run):
    done = run("usage", "rebuild", "--check")
    assert (done.code, "5 records, 6.500000001 US dollars; the sums would be the same" in done.out) == (0, True), done
    in_thread(execute("UPDATE usage_daily SET cost_nanousd = cost_nanousd + 1"))
    in_thread(execute("INSERT INTO usage_waste VALUES (7, 0, 1, 1)"))
    for options, words in ((["--check"], "are wrong"), ([], "were wrong")):
        done = run("usage", "rebuild", *options)
        assert done.code == 1
        assert f"usage_waste: 1 rows {words}" in done.out
        assert f"usage_hourly: no rows {words}" in done.out
    done = run("usage", "rebuild")
    assert (done.code, done.out.count("no rows were wrong")) == (0, 5)
    assert [row["cost usd"] for row in summary(run, "--by", "month")] == ["6.5", "0.000000001"]


@pytest.mark.parametrize(
    "arguments", [["list", "--since", "today"], ["list", "--limit", "0"], ["summary", "--by", "x"]]
)
def test_what_makes_no_sense_is_refused(run: Run, arguments: list[str]):
    assert run("usage", *arguments).code == 2


def test_there_may_be_no_usage(run: Run):
    assert run("usage", "list").out == run("usage", "summary").out == "no usage\n"
    assert run("usage", "rebuild").code == 0
