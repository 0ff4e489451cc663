"""Usage events over HTTP: the documented array, its pages and filters, and files."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.errors import DatabaseError
from core.ledger import reports, usage_file
from core.store import usage
from tests.facade.surfaces.cost_control.conftest import Bearer
from tests.support.database import on_sqlite
from tests.support.facade import Site
from tests.support.records import START, usage_record

pytestmark = on_sqlite

PATH = "/api/admin/usage-events"


@pytest.fixture
async def admin(site: Site, bearer: Bearer) -> httpx.AsyncClient:
    return await bearer(await site.core.admin())


async def insert(site: Site, *rows: dict[str, Any]) -> None:
    async with site.core.deps.database.write() as connection:
        await usage.insert_records(connection, site.core.deps.database, rows)


async def ids(client: httpx.AsyncClient, **query: Any) -> list[str]:
    response = await client.get(PATH, params=query)
    assert response.status_code == 200, response.text
    return [event["request_id"] for event in response.json()]


async def test_an_event_has_the_documented_fields(site: Site, admin: httpx.AsyncClient):
    user = await site.core.user()
    key = (await admin.post("/api/admin/virtual-keys", json={"name": "bot", "user_email": user.email})).json()
    await insert(
        site,
        usage_record(
            "req_1",
            user_id=user.id,
            credential_id=key["id"],
            latency_us=1500,
            ttft_us=250,
            input_tokens=10,
            output_tokens=5,
            cached_input_tokens=4,
            reasoning_tokens=3,
            cost_nanousd=100_000_001,
            prompt_hash="f" * 64,
            project="bot",
        ),
        usage_record("req_2", outcome="failed", status_code=400, provider="", model=""),
    )
    second, first = (await admin.get(PATH)).json()
    assert first == {
        "id": first["id"],
        "created_at": "2026-01-02T03:04:05Z",
        "request_id": "req_1",
        "virtual_key_id": key["id"],
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
        "project": "bot",
        "outcome": "answered",
    }
    assert [second[name] for name in ("virtual_key_id", "user_email", "ttft_ms", "cost")] == [None] * 4


async def test_the_newest_hundred_are_answered_and_a_link_leads_on(site: Site, admin: httpx.AsyncClient):
    await insert(site, *(usage_record(f"req_{number:03d}") for number in range(250)))
    response = await admin.get(PATH, params={"model": "small-2026"})
    seen = [event["request_id"] for event in response.json()]
    assert len(seen) == 100
    while following := response.links.get("next"):
        response = await admin.get(following["url"])
        seen += [event["request_id"] for event in response.json()]
    assert seen == [f"req_{number:03d}" for number in reversed(range(250))]
    assert await ids(admin, limit=2) == ["req_249", "req_248"]
    last = (await admin.get(PATH, params={"limit": 1})).json()[0]["id"]
    assert await ids(admin, after=last - 1) == ["req_249"]
    assert await ids(admin, before=last, limit=1) == ["req_248"]


async def test_events_are_filtered(site: Site, admin: httpx.AsyncClient):
    await insert(
        site,
        usage_record("a", user_id=7, credential_id=8, project="bot", model="large"),
        usage_record("b", user_id=8, credential_id=7, provider="other", status_code=500, outcome="failed"),
        usage_record("c", at=START + timedelta(hours=1), requested_model="alias"),
    )
    assert await ids(admin) == ["c", "b", "a"]
    assert await ids(admin, virtual_key_id=8) == ["a"]
    assert await ids(admin, user_id=8) == ["b"]
    assert await ids(admin, provider="other") == ["b"]
    assert await ids(admin, model="large") == ["a"]
    assert await ids(admin, model="alias") == ["c"]
    assert await ids(admin, project="bot") == ["a"]
    assert await ids(admin, status_code=500) == ["b"]
    assert await ids(admin, outcome="failed") == ["b"]
    assert await ids(admin, start_time="2026-01-02T04:00:00Z") == ["c"]
    assert await ids(admin, start_time="2026-01-02T05:00:00+01:00", model="") == ["c"]
    assert await ids(admin, end_time="2026-01-02T04:00:00Z") == ["b", "a"]
    assert await ids(admin, user_id=8, virtual_key_id=8) == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "virtual_key_id=-1",
        "user_id=99999999999999999999",
        "status_code=7",
        "outcome=odd",
        "format=xml",
        "start_time=yesterday",
        f"model={'m' * 301}",
        "provider=%00",
    ],
)
async def test_a_query_that_makes_no_sense_is_named(admin: httpx.AsyncClient, query: str):
    response = await admin.get(f"{PATH}?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["detail"]


async def test_who_may_not_ask_hears_that_first(site: Site):
    key, _ = await site.core.credential((await site.core.admin()).id)
    for headers in ({}, {"X-API-Key": key}):
        for query in ("", "?limit=x", "?format=csv"):
            response = await site.client.get(f"{PATH}{query}", headers=headers)
            assert response.status_code == 401
            assert list(response.json()) == ["detail"]


async def test_a_user_sees_the_users_own(site: Site, bearer: Bearer):
    user, other = await site.core.user(), await site.core.user("other")
    client = await bearer(user)
    await insert(site, usage_record("a", user_id=user.id), usage_record("b", user_id=other.id))
    assert await ids(client) == ["a"]
    for form in ("json", "csv"):
        response = await client.get(PATH, params={"user_id": other.id, "format": form})
        assert (response.status_code, response.json()) == (404, {"detail": "not found"})


@pytest.mark.parametrize(
    "asked", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv, application/json"}}]
)
async def test_events_come_as_a_table(site: Site, admin: httpx.AsyncClient, asked: dict[str, Any]):
    await insert(site, *(usage_record(f"req_{number:04d}", project="=1+1") for number in range(2500)))
    response = await admin.get(PATH, **asked)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="usage-events.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert [row["request_id"] for row in rows] == [f"req_{number:04d}" for number in reversed(range(2500))]
    assert {row["project"] for row in rows} == {"'=1+1"}


async def test_events_come_as_lines(site: Site, admin: httpx.AsyncClient):
    await insert(site, *(usage_record(f"req_{number}", cost_nanousd=number) for number in range(30)))
    response = await admin.get(PATH, params={"limit": 20, "start_time": "2026-01-01T00:00:00Z", "format": "ndjson"})
    events = [json.loads(line) for line in response.text.splitlines()]
    assert [event["request_id"] for event in events] == [f"req_{number}" for number in reversed(range(10, 30))]
    nothing = await admin.get(PATH, params={"format": "ndjson", "user_id": 12345})
    assert (nothing.status_code, nothing.content) == (200, b"")


async def test_a_file_that_breaks_off_does_not_look_whole(
    site: Site, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(usage_file, "_PAGE", 10)
    read = reports.records

    async def fail_later(*of: Any, before_id: int | None, limit: int) -> Any:
        if before_id is not None:
            raise DatabaseError
        return await read(*of, before_id=before_id, limit=limit)

    monkeypatch.setattr(reports, "records", fail_later)
    await insert(site, *(usage_record(f"req_{number}") for number in range(30)))
    with pytest.raises(httpx.RemoteProtocolError):
        await admin.get(PATH, params={"format": "ndjson"})


async def test_json_is_what_is_answered_unless_a_file_is_asked_for_before_it(admin: httpx.AsyncClient):
    for accept in ("*/*", "application/json, text/csv", "text/html", ""):
        assert (await admin.get(PATH, headers={"Accept": accept})).json() == []
    head = await admin.head(PATH, params={"format": "csv"})
    assert (head.status_code, head.content) == (200, b"")
