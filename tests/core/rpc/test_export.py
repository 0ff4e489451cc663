"""Usage records as files, through UsageService."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from core.ledger import usage_file
from core.store import usage
from llmrouter.v1 import usage_pb2
from llmrouter.v1.usage_pb2 import EXPORT_FORMAT_CSV, EXPORT_FORMAT_NDJSON, ExportUsageRecordsRequest
from tests.support.core import Core, Person
from tests.support.database import on_sqlite
from tests.support.records import START, usage_record
from tests.support.refusals import refused


async def insert(core: Core, *rows: dict[str, Any]) -> None:
    async with core.deps.database.write() as connection:
        await usage.insert_records(connection, core.deps.database, rows)


async def pieces(core: Core, person: Person, form: usage_pb2.ExportFormat, **fields: Any) -> list[bytes]:
    request = ExportUsageRecordsRequest(format=form, **fields)
    return [answer.data async for answer in core.usage.ExportUsageRecords(request, metadata=person.metadata)]


async def table(core: Core, person: Person, **fields: Any) -> list[dict[str, str]]:
    data = b"".join(await pieces(core, person, EXPORT_FORMAT_CSV, **fields))
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


async def objects(core: Core, person: Person, **fields: Any) -> list[dict[str, Any]]:
    data = b"".join(await pieces(core, person, EXPORT_FORMAT_NDJSON, **fields))
    return [json.loads(line) for line in data.splitlines()]


async def test_a_file_has_every_record_in_both_forms(core: Core):
    user = await core.user()
    await insert(
        core,
        usage_record(
            "req_1",
            at=START + timedelta(microseconds=1),
            user_id=user.id,
            credential_id=7,
            project='a "bot", ünïcode',
            latency_us=1500,
            ttft_us=250,
            input_tokens=10,
            output_tokens=5,
            cached_input_tokens=4,
            reasoning_tokens=3,
            cost_nanousd=100_000_001,
            prompt_hash="f" * 64,
        ),
        usage_record("req_2", user_id=user.id, cost_nanousd=1),
        usage_record("req_3", user_id=user.id),
    )
    third, second, first = await objects(core, user)
    assert first == {
        "id": first["id"],
        "created_at": "2026-01-02T03:04:05.000001Z",
        "request_id": "req_1",
        "virtual_key_id": None,
        "user_email": user.email,
        "surface": "openai",
        "provider": "main",
        "model": "small-2026",
        "status_code": 200,
        "latency_ms": 1.5,
        "ttft_ms": 0.25,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "cached_tokens": 4,
        "reasoning_tokens": 3,
        "cost": 0.100000001,
        "prompt_hash": "f" * 64,
        "project": 'a "bot", ünïcode',
        "outcome": "answered",
        "requested_model": "small",
        "user_id": user.id,
        "credential_id": 7,
    }
    assert (second["cost"], third["cost"], third["ttft_ms"]) == (1e-9, None, None)
    rows = await table(core, user)
    assert [row["request_id"] for row in rows] == ["req_3", "req_2", "req_1"]
    assert list(rows[0]) == list(first) == list(usage_file.COLUMNS)
    assert [row["cost"] for row in rows] == ["", "0.000000001", "0.100000001"]
    assert (rows[2]["project"], rows[2]["created_at"]) == (first["project"], first["created_at"])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
@on_sqlite
async def test_a_spreadsheet_takes_nothing_for_a_formula(core: Core, text: str):
    user = await core.user()
    await insert(core, usage_record("req_1", user_id=user.id, requested_model=text, project=text))
    (row,) = await table(core, user)
    assert (row["requested_model"], row["project"]) == (f"'{text}", f"'{text}")
    (plain,) = await objects(core, user)
    assert plain["project"] == text


async def test_a_large_file_comes_in_pieces_of_whole_lines(core: Core, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(usage_file, "_PAGE", 100)
    user = await core.user()
    await insert(core, *(usage_record(f"req_{number:04d}", user_id=user.id) for number in range(1000)))
    found = await pieces(core, user, EXPORT_FORMAT_NDJSON)
    assert [piece.count(b"\n") for piece in found] == [100] * 10
    assert all(piece.endswith(b"\n") for piece in found)
    names = [json.loads(line)["request_id"] for piece in found for line in piece.splitlines()]
    assert names == [f"req_{number:04d}" for number in reversed(range(1000))]
    assert [piece.count(b"\n") for piece in await pieces(core, user, EXPORT_FORMAT_NDJSON, limit=250)] == [100, 100, 50]
    assert len(await table(core, user, limit=100)) == 100


async def test_nobody_has_others_records_in_a_file(core: Core):
    user, other, admin = await core.user(), await core.user("other"), await core.admin()
    await insert(core, usage_record("a", user_id=user.id), usage_record("b", user_id=other.id, status_code=500))
    assert [row["request_id"] for row in await table(core, user)] == ["a"]
    assert [row["request_id"] for row in await table(core, admin)] == ["b", "a"]
    assert [row["request_id"] for row in await table(core, admin, status_code=500)] == ["b"]
    with refused("NOT_FOUND"):
        await table(core, user, user_id=other.id)


@on_sqlite
async def test_a_file_of_nothing_has_its_head(core: Core):
    user = await core.user()
    assert await table(core, user) == []
    assert await pieces(core, user, EXPORT_FORMAT_CSV) == [",".join(usage_file.COLUMNS).encode() + b"\r\n"]
    assert await pieces(core, user, EXPORT_FORMAT_NDJSON) == []


@on_sqlite
async def test_a_file_that_can_not_be_is_refused(core: Core):
    user = await core.user()
    with refused("INVALID_ARGUMENT", "format"):
        await pieces(core, user, usage_pb2.EXPORT_FORMAT_UNSPECIFIED)
    with refused("INVALID_ARGUMENT", "limit"):
        await pieces(core, user, EXPORT_FORMAT_CSV, limit=-1)
