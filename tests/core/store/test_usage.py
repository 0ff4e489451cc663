"""Usage records in the database: the bulk way in, and the two questions they answer."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core.ledger.record import COLUMNS
from core.store import usage
from core.store.database import Database
from core.store.tables import usage_records
from core.store.usage import Selection, Sums, UsageRow
from tests.support.records import START, usage_record


async def insert(database: Database, *rows: dict[str, Any]) -> None:
    async with database.write() as connection:
        await usage.insert_records(connection, database, rows)


async def everything(database: Database, selection: Selection | None = None) -> Sequence[UsageRow]:
    async with database.read() as connection:
        return await usage.page(connection, selection or Selection(), before_id=None, limit=1000)


async def ids(database: Database, **selection: Any) -> list[str]:
    return [row.request_id for row in await everything(database, Selection(**selection))]


def test_the_journal_keeps_what_the_table_keeps():
    assert set(COLUMNS) == {column.name for column in usage_records.c} - {"id"}


async def test_a_record_comes_back_as_it_went_in(database: Database):
    record = usage_record(
        "req_1",
        at=START + timedelta(microseconds=7),
        user_id=2**40,
        credential_id=5,
        streamed=True,
        ttft_us=250,
        input_tokens=10,
        output_tokens=20,
        cached_input_tokens=1,
        cache_write_tokens=2,
        reasoning_tokens=3,
        audio_input_tokens=4,
        audio_output_tokens=5,
        cost_nanousd=123_456_789_000,
        price_source="a list",
        messages=3,
        prompt_hash="f" * 64,
        requested_model="größe\n🙂",
    )
    await insert(database, record)
    (row,) = await everything(database)
    read = {"id": row.id, "created_at": START + timedelta(microseconds=7), "user_email": "", "virtual_key_id": 0}
    assert asdict(row) == record | read


async def test_nothing_is_inserted_for_nothing(database: Database):
    await insert(database)
    assert await everything(database) == []


async def test_a_request_is_recorded_once(database: Database):
    await insert(database, usage_record("req_1", output_tokens=1), usage_record("req_1", output_tokens=2))
    await insert(database, usage_record("req_2"), usage_record("req_1", output_tokens=3))
    assert [(row.request_id, row.output_tokens) for row in await everything(database)] == [("req_2", 0), ("req_1", 1)]


async def test_a_batch_of_thousands_goes_in_at_once(database: Database):
    await insert(database, *(usage_record(f"req_{number}", cost_nanousd=number) for number in range(5000)))
    async with database.read() as connection:
        sums = await usage.sums(connection, Selection())
    assert (sums.requests, sums.cost_nanousd) == (5000, sum(range(5000)))


async def test_a_batch_that_is_rolled_back_leaves_nothing(database: Database):
    async with database.write() as connection:
        await usage.insert_records(connection, database, [usage_record("req_1")])
        await connection.rollback()
    assert await everything(database) == []


async def test_what_does_not_fit_its_column_is_made_to_fit_and_holds_nobody_up(database: Database):
    await insert(
        database,
        usage_record("req_1", requested_model="m" * 301, provider="p\0q", model="x\0" * 200),
        usage_record("req_2", input_tokens=2**70, output_tokens=-(2**70), cost_nanousd=2**63, messages=2**31),
        usage_record("req_3", status_code=2**40, ttft_us=2**64, user_id=2**64),
        usage_record("r" * 200),
    )
    last, third, second, first = await everything(database)
    assert (first.requested_model, first.provider) == ("m" * 300, "p\N{REPLACEMENT CHARACTER}q")
    assert first.model == "x\N{REPLACEMENT CHARACTER}" * 150
    assert (second.input_tokens, second.output_tokens) == (10**15, -(10**15))
    assert (second.cost_nanousd, second.messages) == (10**15, 2**31 - 1)
    assert (third.status_code, third.ttft_us, third.cost_nanousd) == (2**31 - 1, 10**15, None)
    assert third.user_id == 2**63 - 1
    assert last.request_id == "r" * 100


async def test_absurd_figures_can_still_be_added_up(database: Database):
    await insert(database, *(usage_record(f"req_{number}", input_tokens=2**63) for number in range(1000)))
    async with database.read() as connection:
        assert (await usage.sums(connection, Selection())).input_tokens == 1000 * 10**15


async def test_a_selection_asks_about_what_it_names(database: Database):
    await insert(
        database,
        usage_record("req_1", user_id=1, credential_id=8, model="a", requested_model="alias"),
        usage_record("req_2", user_id=2, credential_id=9, model="b", requested_model="a", provider="other"),
        usage_record("req_3", user_id=1, credential_id=9, status_code=500, at=START + timedelta(seconds=1)),
    )
    assert await ids(database) == ["req_3", "req_2", "req_1"]
    assert await ids(database, user_id=1) == ["req_3", "req_1"]
    assert await ids(database, credential_id=9) == ["req_3", "req_2"]
    assert await ids(database, user_id=1, credential_id=9) == ["req_3"]
    assert await ids(database, model="a") == ["req_2", "req_1"]
    assert await ids(database, provider="other") == ["req_2"]
    assert await ids(database, status_code=500) == ["req_3"]
    assert await ids(database, request_id="req_2") == ["req_2"]
    assert await ids(database, start=START + timedelta(seconds=1)) == ["req_3"]
    assert await ids(database, end=START + timedelta(seconds=1)) == ["req_2", "req_1"]
    assert await ids(database, user_id=7) == []


async def test_sums_over_nothing_are_zeros(database: Database):
    async with database.read() as connection:
        assert await usage.sums(connection, Selection(user_id=1)) == Sums(0, 0, 0, 0, 0, 0, 0)


async def test_sums_add_up_what_was_selected(database: Database):
    await insert(
        database,
        usage_record("req_1", user_id=1, input_tokens=2**40, output_tokens=2, messages=3, cost_nanousd=5),
        usage_record("req_2", user_id=1, input_tokens=1, output_tokens=1, outcome="hung_up", latency_us=500),
        usage_record("req_3", user_id=1, outcome="failed", cost_nanousd=2**40),
        usage_record("req_4", user_id=2, outcome="failed"),
    )
    async with database.read() as connection:
        sums = await usage.sums(connection, Selection(user_id=1))
    assert sums == Sums(
        requests=3,
        latency_us=2500,
        input_tokens=2**40 + 1,
        output_tokens=3,
        messages=5,
        cost_nanousd=2**40 + 5,
        failures=2,
    )


async def test_a_users_records_are_found_by_an_index_in_their_order(database: Database):
    """However much one user has, the newest page of another's is found without reading everything."""
    query = "SELECT * FROM usage_records WHERE user_id = 1 ORDER BY id DESC LIMIT 100"
    async with database.write() as connection:
        await usage.insert_records(
            connection, database, [usage_record(f"req_{number}", user_id=number % 50) for number in range(3000)]
        )
        if not database.is_sqlite:
            await connection.execute(sa.text("ANALYZE usage_records"))
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = "\n".join(str(row) for row in await connection.execute(sa.text(f"{explain} {query}")))
    assert "ix_usage_records_user_id_id" in plan
    assert "TEMP B-TREE" not in plan


async def test_a_row_that_lacks_a_column_is_a_fault_of_ours(database: Database):
    record = usage_record("req_1")
    del record["model"]
    with pytest.raises(KeyError):
        await insert(database, record)
