"""Budgets, reservations and webhooks over gRPC: who may, what is refused, and what comes of it."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from core.store import budget_events
from core.store.database import Database
from llmrouter.v1 import budget_pb2 as pb
from tests.support.core import Core, Person
from tests.support.database import on_sqlite
from tests.support.failures import failure
from tests.support.refusals import refused

DOLLAR = 1_000_000_000


async def make(core: Core, admin: Person, limit: int = DOLLAR, **fields: Any) -> pb.Budget:
    given: dict[str, Any] = {"scope": pb.BUDGET_SCOPE_DEPLOYMENT, "period": pb.BUDGET_PERIOD_MONTH, "hard": True}
    given["limit_nanousd"] = limit
    request = pb.CreateBudgetRequest(**(given | fields))
    return (await core.administration.CreateBudget(request, metadata=admin.metadata)).budget


async def test_a_budget_is_made_listed_changed_and_removed(core: Core):
    admin, user = await core.admin(), await core.user()
    made = await make(core, admin, scope=pb.BUDGET_SCOPE_USER, scope_id=str(user.id), thresholds=[90, 50])
    assert (made.scope_id, list(made.thresholds), made.balance.remaining_nanousd) == (str(user.id), [50, 90], DOLLAR)
    listed = await core.administration.ListBudgets(pb.ListBudgetsRequest(), metadata=admin.metadata)
    assert list(listed.budgets) == [made]
    changed = await core.administration.UpdateBudget(
        pb.UpdateBudgetRequest(id=made.id, hard=False, update_mask=FieldMask(paths=["hard"])), metadata=admin.metadata
    )
    assert not changed.budget.hard
    got = await core.administration.GetBudget(pb.GetBudgetRequest(id=made.id), metadata=admin.metadata)
    assert got.budget == changed.budget
    await core.administration.DeleteBudget(pb.DeleteBudgetRequest(id=made.id), metadata=admin.metadata)
    with refused("NOT_FOUND"):
        await core.administration.GetBudget(pb.GetBudgetRequest(id=made.id), metadata=admin.metadata)


async def test_a_scope_has_one_budget_of_a_period(core: Core):
    admin = await core.admin()
    await make(core, admin)
    await make(core, admin, period=pb.BUDGET_PERIOD_DAY)
    with refused("NAME_EXISTS", field="scope_id"):
        await make(core, admin)


@on_sqlite
@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("scope", {"scope": pb.BUDGET_SCOPE_UNSPECIFIED}),
        ("period", {"period": pb.BUDGET_PERIOD_UNSPECIFIED}),
        ("limit_nanousd", {"limit_nanousd": -1}),
        ("scope_id", {"scope_id": "x"}),
        ("scope_id", {"scope": pb.BUDGET_SCOPE_USER, "scope_id": "ann"}),
        ("scope_id", {"scope": pb.BUDGET_SCOPE_USER, "scope_id": "999"}),
        ("scope_id", {"scope": pb.BUDGET_SCOPE_CREDENTIAL, "scope_id": "999"}),
        ("scope_id", {"scope": pb.BUDGET_SCOPE_PROJECT, "scope_id": ""}),
        ("thresholds", {"thresholds": [0]}),
        ("thresholds", {"thresholds": list(range(1, 12))}),
    ],
)
async def test_what_makes_no_sense_is_refused(core: Core, field: str, fields: dict[str, Any]):
    admin = await core.admin()
    with refused("INVALID_ARGUMENT", field=field):
        await make(core, admin, **fields)


@on_sqlite
async def test_users_see_their_balance_and_nothing_else(core: Core):
    admin, user = await core.admin(), await core.user()
    await make(core, admin, scope=pb.BUDGET_SCOPE_USER, scope_id=str(user.id))
    await make(core, admin, scope=pb.BUDGET_SCOPE_USER, scope_id=str(admin.id))
    found = await core.usage.GetBalance(pb.GetBalanceRequest(), metadata=user.metadata)
    assert [budget.scope_id for budget in found.budgets] == [str(user.id)]
    with refused("FORBIDDEN"):
        await core.administration.ListBudgets(pb.ListBudgetsRequest(), metadata=user.metadata)


async def test_an_adjustment_is_an_entry_and_counts_once(core: Core):
    admin = await core.admin()
    budget = await make(core, admin)
    request = pb.AdjustBalanceRequest(budget_id=budget.id, amount_nanousd=500, note="paid twice", idempotency_key="k1")
    for _ in range(2):
        adjusted = await core.administration.AdjustBalance(request, metadata=admin.metadata)
        assert adjusted.budget.balance.settled_nanousd == 500
    listed = await core.administration.ListLedgerEntries(pb.ListLedgerEntriesRequest(), metadata=admin.metadata)
    (entry,) = listed.entries
    assert (entry.kind, entry.amount_nanousd, entry.note, entry.user_id) == (
        pb.LEDGER_ENTRY_KIND_ADJUSTMENT,
        500,
        "paid twice",
        admin.id,
    )


async def test_a_reservation_is_settled_at_its_cost(core: Core):
    admin, user = await core.admin(), await core.user()
    await make(core, admin, 1000)
    held = await core.usage.Reserve(pb.ReserveRequest(amount_nanousd=800, note="a job"), metadata=user.metadata)
    exceeded = await failure(core.usage.Reserve(pb.ReserveRequest(amount_nanousd=300), metadata=user.metadata))
    assert (exceeded.code, exceeded.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED")
    assert exceeded.metadata["scope_kind"] == "deployment"
    assert exceeded.retry_after
    request = pb.SettleRequest(id=held.reservation.id, cost_nanousd=100)
    with refused("NOT_FOUND"):
        other = await core.user("other")
        await core.usage.Settle(request, metadata=other.metadata)
    for _ in range(2):
        paid = await core.usage.Settle(request, metadata=user.metadata)
        assert (paid.reservation.state, paid.reservation.cost_nanousd) == (pb.RESERVATION_STATE_SETTLED, 100)
    balance = (await core.usage.GetBalance(pb.GetBalanceRequest(), metadata=user.metadata)).budgets[0].balance
    assert (balance.settled_nanousd, balance.leased_nanousd, balance.remaining_nanousd) == (100, 0, 900)
    listed = await core.administration.ListLedgerEntries(pb.ListLedgerEntriesRequest(), metadata=admin.metadata)
    assert [(e.kind, e.amount_nanousd) for e in reversed(listed.entries)] == [
        (pb.LEDGER_ENTRY_KIND_HOLD, 800),
        (pb.LEDGER_ENTRY_KIND_SETTLEMENT, 100),
    ]


async def test_a_reservation_is_given_back(core: Core):
    admin, user = await core.admin(), await core.user()
    await make(core, admin, 1000)
    held = await core.usage.Reserve(pb.ReserveRequest(amount_nanousd=1000), metadata=user.metadata)
    freed = await core.usage.Release(pb.ReleaseRequest(id=held.reservation.id), metadata=user.metadata)
    assert freed.reservation.state == pb.RESERVATION_STATE_RELEASED
    await core.usage.Reserve(pb.ReserveRequest(amount_nanousd=1000), metadata=user.metadata)


@on_sqlite
@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("amount_nanousd", pb.ReserveRequest()),
        ("amount_nanousd", pb.ReserveRequest(amount_nanousd=10**16)),
        ("ttl_seconds", pb.ReserveRequest(amount_nanousd=1, ttl_seconds=-1)),
        ("note", pb.ReserveRequest(amount_nanousd=1, note="x" * 201)),
    ],
)
async def test_a_reservation_has_bounds(core: Core, field: str, request_: pb.ReserveRequest):
    user = await core.user()
    with refused("INVALID_ARGUMENT", field=field):
        await core.usage.Reserve(request_, metadata=user.metadata)


@on_sqlite
async def test_nobody_settles_for_more_than_was_reserved(core: Core):
    user = await core.user()
    held = await core.usage.Reserve(pb.ReserveRequest(amount_nanousd=10), metadata=user.metadata)
    with refused("INVALID_ARGUMENT", field="cost_nanousd"):
        await core.usage.Settle(pb.SettleRequest(id=held.reservation.id, cost_nanousd=11), metadata=user.metadata)


@on_sqlite
async def test_a_webhook_is_made_listed_changed_and_removed(core: Core):
    admin = await core.admin()
    made = await core.administration.CreateWebhook(
        pb.CreateWebhookRequest(url="https://example.com/hook"), metadata=admin.metadata
    )
    assert made.secret.startswith("whsec_")
    changed = await core.administration.UpdateWebhook(
        pb.UpdateWebhookRequest(id=made.webhook.id, enabled=False, update_mask=FieldMask(paths=["enabled"])),
        metadata=admin.metadata,
    )
    assert not changed.webhook.enabled
    listed = await core.administration.ListWebhooks(pb.ListWebhooksRequest(), metadata=admin.metadata)
    assert list(listed.webhooks) == [changed.webhook]
    await core.administration.DeleteWebhook(pb.DeleteWebhookRequest(id=made.webhook.id), metadata=admin.metadata)
    with refused("NOT_FOUND"):
        await core.administration.DeleteWebhook(pb.DeleteWebhookRequest(id=made.webhook.id), metadata=admin.metadata)


@on_sqlite
@pytest.mark.parametrize(
    "url", ["", "ftp://example.com", "https://user:secret@example.com/", "https://", "http://[::1"]
)
async def test_a_webhook_needs_a_plain_address(core: Core, url: str):
    admin = await core.admin()
    with refused("INVALID_ARGUMENT", field="url"):
        await core.administration.CreateWebhook(pb.CreateWebhookRequest(url=url), metadata=admin.metadata)


async def test_a_threshold_is_an_event(core: Core, database: Database):
    admin = await core.admin()
    budget = await make(core, admin, 1000, thresholds=[50])
    await core.administration.AdjustBalance(
        pb.AdjustBalanceRequest(budget_id=budget.id, amount_nanousd=600, note="n"), metadata=admin.metadata
    )
    async with database.read() as connection:
        events = await budget_events.page(connection, after_id=0, limit=10)
    assert [(event.kind, event.percent) for event in events] == [("threshold", 50)]
