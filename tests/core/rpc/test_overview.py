"""The overview through UsageService: what was spent and wasted, whoever asks, whether it is summed up yet or not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.ledger.overview import forecast
from core.ledger.summing import Summing
from core.store import usage
from llmrouter.v1.admin_pb2 import DeleteUserRequest
from llmrouter.v1.usage_pb2 import (
    GetOverviewRequest,
    GetOverviewResponse,
    ProjectSpend,
    RepeatedPrompt,
    UserSpend,
    Waste,
)
from tests.support.core import Core, Person
from tests.support.records import START, usage_record

DOLLAR = 10**9
LATER = START + timedelta(days=10)  # in the same month, 13 January


@pytest.fixture(params=["summed up", "half", "as they came"])
def summed(request: pytest.FixtureRequest) -> int:
    """How many records are summed up before the question."""
    return {"summed up": 1000, "half": 4, "as they came": 0}[request.param]


async def insert(core: Core, summed: int, *rows: dict[str, Any]) -> None:
    async with core.deps.database.write() as connection:
        await usage.insert_records(connection, core.deps.database, rows)
    await Summing(core.deps.database).add(summed)


async def overview(core: Core, person: Person) -> GetOverviewResponse:
    return await core.usage.GetOverview(GetOverviewRequest(), metadata=person.metadata)


async def test_an_administrator_sees_what_everybody_spent(core: Core, summed: int):
    ann, bob, admin = await core.user("ann"), await core.user("bob"), await core.admin()
    core.clock.advance((LATER - START).total_seconds())
    cost: dict[str, Any] = {"cost_nanousd": DOLLAR, "input_tokens": 10, "output_tokens": 1}
    await insert(
        core,
        summed,
        usage_record("last year", user_id=ann.id, at=START - timedelta(days=30), **cost),
        usage_record("this month", user_id=ann.id, project="bot", **cost),
        usage_record("yesterday", user_id=bob.id, project="bot", at=LATER - timedelta(days=1), **cost),
        usage_record("dear", user_id=bob.id, project="search", at=LATER, **cost | {"cost_nanousd": 5 * DOLLAR}),
        usage_record("today", user_id=bob.id, at=LATER, **cost),
        usage_record("without a price", user_id=ann.id, at=LATER),
        usage_record("of nobody", at=LATER, outcome="failed"),
    )
    found = await overview(core, admin)
    assert (found.spend_today_nanousd, found.spend_month_nanousd) == (6 * DOLLAR, 8 * DOLLAR)
    assert (found.spend_year_nanousd, found.requests, found.tokens) == (8 * DOLLAR, 7, 55)
    assert list(found.top_users) == [
        UserSpend(user_id=bob.id, user_email=bob.email, cost_nanousd=7 * DOLLAR, requests=3),
        UserSpend(user_id=ann.id, user_email=ann.email, cost_nanousd=DOLLAR, requests=2),
    ]
    assert list(found.top_projects) == [
        ProjectSpend(project="search", cost_nanousd=5 * DOLLAR, requests=1),
        ProjectSpend(project="bot", cost_nanousd=2 * DOLLAR, requests=2),
    ]
    assert found.forecast_month_nanousd == forecast(8 * DOLLAR, LATER)


async def test_a_user_sees_nothing_of_others(core: Core, summed: int):
    ann, bob = await core.user("ann"), await core.user("bob")
    repeated: dict[str, Any] = {"prompt_hash": "a" * 64, "project": "bot", "cost_nanousd": DOLLAR}
    await insert(
        core,
        summed,
        usage_record("a", user_id=bob.id, **repeated),
        usage_record("b", user_id=ann.id, **repeated),
        usage_record("c", user_id=bob.id, **repeated),
    )
    found = await overview(core, ann)
    assert (found.spend_month_nanousd, found.requests) == (DOLLAR, 1)
    assert [one.user_id for one in found.top_users] == [ann.id]
    assert [one.cost_nanousd for one in found.top_projects] == [DOLLAR]
    assert found.waste == Waste()  # bob asked the same before, which is bob's business


async def test_who_did_nothing_has_an_overview_of_nothing(core: Core):
    assert await overview(core, await core.user()) == GetOverviewResponse(waste=Waste())


async def test_waste_is_what_prompts_cost_that_the_model_had_answered_before(core: Core):
    ann, bob, admin = await core.user("ann"), await core.user("bob"), await core.admin()

    def asked(name: str, who: Person, prompt: str, **columns: Any) -> dict[str, Any]:
        return usage_record(name, user_id=who.id, prompt_hash=prompt * 64, cost_nanousd=DOLLAR, **columns)

    await insert(
        core,
        1000,
        asked("before it was answered", ann, "a", outcome="failed"),
        asked("the first answer", ann, "a"),
        asked("again", ann, "a"),
        asked("again, by another", bob, "a"),
        asked("of another model", bob, "a", model="large"),
        asked("again, but given up", bob, "a", outcome="hung_up"),
        asked("b1", ann, "b"),
        asked("b2", ann, "b"),
        asked("last month", ann, "c", at=START - timedelta(days=3)),
        asked("and in this one", ann, "c"),
        usage_record("refused", user_id=ann.id, prompt_hash="a" * 64, outcome="failed", cost_nanousd=0),
        usage_record("of no price", user_id=ann.id, prompt_hash="b" * 64),
    )
    a, b = "a" * 64, "b" * 64
    assert (await overview(core, admin)).waste == Waste(
        repeats=5,
        cost_nanousd=4 * DOLLAR,
        top_prompts=[
            RepeatedPrompt(prompt_hash=a, repeats=3, cost_nanousd=3 * DOLLAR),
            RepeatedPrompt(prompt_hash=b, repeats=2, cost_nanousd=DOLLAR),
        ],
    )
    assert (await overview(core, ann)).waste.repeats == 3
    assert (await overview(core, bob)).waste.repeats == 1  # the one that was given up


async def test_a_removed_user_has_no_address_and_keeps_the_costs(core: Core):
    user, admin = await core.user(), await core.admin()
    await insert(core, 1000, usage_record("a", user_id=user.id, cost_nanousd=7))
    await core.administration.DeleteUser(DeleteUserRequest(id=user.id), metadata=admin.metadata)
    assert list((await overview(core, admin)).top_users) == [UserSpend(user_id=user.id, cost_nanousd=7, requests=1)]


async def test_a_virtual_key_sees_its_users_own_usage_and_no_more(core: Core):
    admin = await core.admin()
    secret, _ = await core.credential(admin.id, kind="virtual_key")
    await insert(core, 1000, usage_record("a", user_id=admin.id + 1, cost_nanousd=7))
    found = await core.usage.GetOverview(GetOverviewRequest(), metadata=(("x-virtual-key", secret),))
    assert found.requests == 0
    assert (await overview(core, admin)).requests == 1


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC), 31 * DOLLAR),  # no less than a day has elapsed
        (datetime(2026, 1, 2, tzinfo=UTC), 31 * DOLLAR),
        (datetime(2026, 1, 16, 12, tzinfo=UTC), 2 * DOLLAR),
        (datetime(2028, 2, 15, 12, tzinfo=UTC), 2 * DOLLAR),
        (datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC), DOLLAR),
    ],
)
def test_a_forecast_goes_on_as_the_month_went(now: datetime, expected: int):
    assert forecast(DOLLAR, now) == pytest.approx(expected, rel=1e-9)
    assert forecast(0, now) == 0
