"""Usage through UsageService: sums and records, one's own and, for administrators, everybody's."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from core.rpc import paging
from core.rpc.relay import OPERATIONS
from core.store import usage
from llmrouter.v1 import router_pb2, usage_pb2
from llmrouter.v1.admin_pb2 import DeleteUserRequest
from llmrouter.v1.usage_pb2 import GetStatsRequest, GetStatsResponse, ListUsageRecordsRequest, UsageRecord
from tests.support.core import Core, Person
from tests.support.database import on_sqlite
from tests.support.records import START, usage_record
from tests.support.refusals import refused


async def insert(core: Core, *rows: dict[str, Any]) -> None:
    async with core.deps.database.write() as connection:
        await usage.insert_records(connection, core.deps.database, rows)


async def stats(core: Core, person: Person, user_id: int = 0, **fields: Any) -> GetStatsResponse:
    return await core.usage.GetStats(GetStatsRequest(user_id=user_id, **fields), metadata=person.metadata)


async def records(core: Core, person: Person, **fields: Any) -> list[UsageRecord]:
    answer = await core.usage.ListUsageRecords(ListUsageRecordsRequest(**fields), metadata=person.metadata)
    return list(answer.records)


async def ids(core: Core, person: Person, **fields: Any) -> list[str]:
    return [record.request_id for record in await records(core, person, **fields)]


async def test_stats_sum_up_the_callers_requests(core: Core):
    user, other = await core.user(), await core.user("other")
    await insert(
        core,
        usage_record("a", user_id=user.id, latency_us=1500, input_tokens=10, output_tokens=20, messages=3),
        usage_record("b", user_id=user.id, latency_us=500, input_tokens=1, cost_nanousd=7, messages=0),
        usage_record("c", user_id=user.id, latency_us=1, outcome="failed", status_code=400, messages=0),
        usage_record("d", user_id=other.id, input_tokens=1000),
    )
    found = await stats(core, user)
    assert found == GetStatsResponse(
        requests=3, avg_ms=2001 / 3 / 1000, tokens_in=11, tokens_out=20, messages=3, cost_nanousd=7, failures=1
    )
    assert await stats(core, user, user.id) == found
    assert await stats(core, await core.admin(), user.id) == found


async def test_stats_of_a_user_without_requests_are_zeros(core: Core):
    user = await core.user()
    assert await stats(core, user) == GetStatsResponse()
    assert await stats(core, await core.admin(), user.id) == GetStatsResponse()


async def test_stats_keep_to_their_span_of_time(core: Core):
    user = await core.user()
    await insert(
        core,
        *(usage_record(str(day), user_id=user.id, at=START + timedelta(days=day), output_tokens=1) for day in range(4)),
    )
    first, third = START + timedelta(days=1), START + timedelta(days=3)
    assert (await stats(core, user, start_time=first)).requests == 3
    assert (await stats(core, user, end_time=third)).requests == 3
    assert (await stats(core, user, start_time=first, end_time=third)).requests == 2
    assert (await stats(core, user, start_time=third, end_time=first)).requests == 0


async def test_stats_of_others_are_not_there_for_a_user(core: Core):
    user, other = await core.user(), await core.user("other")
    await insert(core, usage_record("a", user_id=other.id))
    for user_id in (other.id, other.id + 100, -1):
        with refused("NOT_FOUND"):
            await stats(core, user, user_id)


async def test_the_accounts_outlive_a_removed_user(core: Core):
    user, admin = await core.user(), await core.admin()
    await insert(core, usage_record("a", user_id=user.id, output_tokens=5))
    await core.administration.DeleteUser(DeleteUserRequest(id=user.id), metadata=admin.metadata)
    assert (await stats(core, admin, user.id)).tokens_out == 5
    later = START + timedelta(days=1)
    assert (await stats(core, admin, user.id, start_time=later)).requests == 0
    assert await ids(core, admin, user_id=user.id) == ["a"]


async def test_stats_of_nobody_are_not_found(core: Core):
    admin = await core.admin()
    for user_id in (admin.id + 1, -1, 2**63 - 1):
        with refused("NOT_FOUND"):
            await stats(core, admin, user_id)


async def test_a_record_tells_all_that_is_known(core: Core):
    user = await core.user()
    await insert(
        core,
        usage_record(
            "req_1",
            user_id=user.id,
            credential_id=9,
            streamed=True,
            attempts=2,
            latency_us=1500,
            ttft_us=250,
            input_tokens=10,
            output_tokens=20,
            cached_input_tokens=1,
            cache_write_tokens=2,
            reasoning_tokens=3,
            audio_input_tokens=4,
            audio_output_tokens=5,
            cost_nanousd=0,
            price_source="a list",
            prompt_hash="f" * 64,
        ),
    )
    (record,) = await records(core, user)
    assert record == UsageRecord(
        id=record.id,
        request_id="req_1",
        created_at=START,
        user_id=user.id,
        credential_id=9,
        surface="openai",
        operation=router_pb2.OPERATION_CHAT_COMPLETION,
        requested_model="small",
        provider="main",
        model="small-2026",
        status_code=200,
        outcome=usage_pb2.OUTCOME_ANSWERED,
        streamed=True,
        attempts=2,
        latency_ms=1.5,
        ttft_ms=0.25,
        tokens=router_pb2.TokenUsage(
            input_tokens=10,
            output_tokens=20,
            cached_input_tokens=1,
            cache_write_tokens=2,
            reasoning_tokens=3,
            audio_input_tokens=4,
            audio_output_tokens=5,
            source=router_pb2.TOKEN_SOURCE_PROVIDER,
        ),
        cost_nanousd=0,
        price_source="a list",
        messages=1,
        prompt_hash="f" * 64,
        user_email=user.email,
    )


async def test_a_record_leaves_out_what_is_not_known(core: Core):
    admin = await core.admin()
    lacking: dict[str, Any] = {"model": "", "provider": "", "token_source": "", "status_code": 404, "outcome": "failed"}
    await insert(core, usage_record("req_1", error_reason="UNKNOWN_MODEL", **lacking))
    (record,) = await records(core, admin)
    assert not record.HasField("ttft_ms")
    assert not record.HasField("cost_nanousd")
    assert record.tokens.source == router_pb2.TOKEN_SOURCE_UNSPECIFIED
    assert (record.outcome, record.error_reason) == (usage_pb2.OUTCOME_FAILED, "UNKNOWN_MODEL")


@on_sqlite
async def test_every_outcome_and_operation_has_its_name(core: Core):
    admin = await core.admin()
    outcomes = ["answered", "failed", "hung_up", "cancelled", "lost", "of a later version"]
    await insert(core, *(usage_record(text, outcome=text) for text in outcomes))
    assert [record.outcome for record in reversed(await records(core, admin))] == [
        usage_pb2.OUTCOME_ANSWERED,
        usage_pb2.OUTCOME_FAILED,
        usage_pb2.OUTCOME_HUNG_UP,
        usage_pb2.OUTCOME_CANCELLED,
        usage_pb2.OUTCOME_LOST,
        usage_pb2.OUTCOME_UNSPECIFIED,
    ]
    operations = [*OPERATIONS.values(), "", "of a later version"]
    await insert(core, *(usage_record(f"op {text}", operation=text) for text in operations))
    found = [record.operation for record in reversed(await records(core, admin, page_size=len(operations)))]
    assert found == [*OPERATIONS, router_pb2.OPERATION_UNSPECIFIED, router_pb2.OPERATION_UNSPECIFIED]


async def test_administrators_see_all_records_and_users_their_own(core: Core):
    user, other, admin = await core.user(), await core.user("other"), await core.admin()
    await insert(core, usage_record("a", user_id=user.id), usage_record("b", user_id=other.id), usage_record("c"))
    assert await ids(core, admin) == ["c", "b", "a"]
    assert await ids(core, admin, user_id=other.id) == ["b"]
    assert await ids(core, admin, user_id=other.id + 100) == []
    assert await ids(core, user) == ["a"]
    assert await ids(core, user, user_id=user.id) == ["a"]
    assert await ids(core, user, request_id="b") == []
    with refused("NOT_FOUND"):
        await ids(core, user, user_id=other.id)
    with refused("NOT_FOUND"):
        await ids(core, user, user_id=other.id + 100)


async def test_records_are_listed_by_what_is_asked_for(core: Core):
    user = await core.user()
    tomorrow = START + timedelta(days=1)
    await insert(
        core,
        usage_record("a", user_id=user.id, credential_id=1, requested_model="x"),
        usage_record("b", user_id=user.id, credential_id=2, model="x", provider="other"),
        usage_record("c", user_id=user.id, credential_id=2, status_code=500, at=tomorrow),
    )
    assert await ids(core, user, credential_id=2) == ["c", "b"]
    assert await ids(core, user, model="x") == ["b", "a"]
    assert await ids(core, user, provider="other") == ["b"]
    assert await ids(core, user, status_code=500) == ["c"]
    assert await ids(core, user, request_id="a") == ["a"]
    assert await ids(core, user, start_time=tomorrow) == ["c"]
    assert await ids(core, user, end_time=tomorrow) == ["b", "a"]
    assert await ids(core, user, model="x", credential_id=2, status_code=200) == ["b"]


async def test_records_come_in_pages_and_new_ones_do_not_shift_them(core: Core):
    user = await core.user()
    await insert(core, *(usage_record(f"r{number}", user_id=user.id) for number in range(5)))
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = ListUsageRecordsRequest(page_size=2, page_token=token)
        page = await core.usage.ListUsageRecords(request, metadata=user.metadata)
        found += [record.request_id for record in page.records]
        token, pages = page.next_page_token, pages + 1
        await insert(core, usage_record(f"new {pages}", user_id=user.id))
    assert (found, pages) == (["r4", "r3", "r2", "r1", "r0"], 3)


@on_sqlite
async def test_a_page_has_100_records_unless_more_are_asked_for_and_1000_at_most(core: Core):
    user = await core.user()
    await insert(core, *(usage_record(f"r{number}", user_id=user.id) for number in range(1001)))
    assert len(await ids(core, user)) == 100
    assert len(await ids(core, user, page_size=5000)) == 1000


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"page_size": -1}, "page_size"),
        ({"page_token": "?"}, "page_token"),
        ({"page_token": paging.encode(1, 2)}, "page_token"),
        ({"model": "m" * 301}, "model"),
        ({"model": "a\0b"}, "model"),
        ({"provider": "p" * 101}, "provider"),
        ({"provider": "a\0b"}, "provider"),
        ({"request_id": "r" * 101}, "request_id"),
        ({"request_id": "a\0b"}, "request_id"),
        ({"start_time": Timestamp(seconds=10**12)}, "start_time"),
        ({"end_time": Timestamp(nanos=-1)}, "end_time"),
    ],
)
async def test_what_cannot_be_asked_is_refused(core: Core, fields: dict[str, Any], field: str):
    with refused("INVALID_ARGUMENT", field):
        await records(core, await core.user(), **fields)


@on_sqlite
async def test_stats_refuse_what_is_no_time(core: Core):
    user = await core.user()
    with refused("INVALID_ARGUMENT", "start_time"):
        await stats(core, user, start_time=Timestamp(seconds=10**12))
    with refused("INVALID_ARGUMENT", "end_time"):
        await stats(core, user, end_time=Timestamp(nanos=-1))
    assert (
        await stats(
            core, user, start_time=Timestamp(seconds=-62_135_596_800), end_time=Timestamp(seconds=253_402_300_799)
        )
    ).requests == 0
