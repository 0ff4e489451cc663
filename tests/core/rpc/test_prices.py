"""Prices over gRPC: set, in force from their day on, and removed."""

from datetime import UTC, datetime

import pytest

from core.ledger.prices import Prices
from core.ledger.stored_prices import StoredPrices
from core.store.database import Database
from llmrouter.v1 import budget_pb2 as pb
from tests.support.clock import FakeClock
from tests.support.core import Core, Person
from tests.support.database import on_sqlite
from tests.support.refusals import refused


async def add(core: Core, admin: Person, *, model: str = "m*", since: str = "", cents: int = 1) -> pb.Price:
    price = pb.Price(model=model, since=since, input_nanousd=cents * 10_000_000, output_nanousd=cents * 10_000_000)
    made = await core.administration.CreatePrice(pb.CreatePriceRequest(price=price), metadata=admin.metadata)
    return made.price


async def test_the_latest_price_that_is_in_force_counts(core: Core, database: Database):
    admin = await core.admin()
    await add(core, admin, cents=1)
    await add(core, admin, since="2026-01-02", cents=2)
    last = await add(core, admin, since="2026-01-03", cents=3)
    clock = FakeClock(datetime(2026, 1, 2, 12, tzinfo=UTC))
    prices = Prices(clock)
    await StoredPrices(database, prices).load()
    found = prices.find("any", "openai-compatible", "model")
    assert found is not None
    assert (found.input.base, found.source) == (20_000_000, "override 2 */m* from 2026-01-02")
    clock.advance(24 * 3600)
    prices.roll_over()
    assert (later := prices.find("any", "openai-compatible", "model")) is not None
    assert later.input.base == 30_000_000
    listed = await core.administration.ListPrices(pb.ListPricesRequest(), metadata=admin.metadata)
    assert [price.since for price in listed.prices] == ["", "2026-01-02", "2026-01-03"]
    await core.administration.DeletePrice(pb.DeletePriceRequest(id=last.id), metadata=admin.metadata)
    await StoredPrices(database, prices).load()
    assert (before := prices.find("any", "openai-compatible", "model")) is not None
    assert before.input.base == 20_000_000


@on_sqlite
async def test_a_day_has_one_price_for_the_same_models(core: Core):
    admin = await core.admin()
    await add(core, admin)
    with refused("NAME_EXISTS", field="model"):
        await add(core, admin)


@on_sqlite
@pytest.mark.parametrize(
    ("field", "price"),
    [
        ("model", pb.Price()),
        ("since", pb.Price(model="m", since="2026-13-01")),
        ("since", pb.Price(model="m", since="tomorrow")),
        ("input_nanousd", pb.Price(model="m", input_nanousd=-1)),
        ("cached_input_nanousd", pb.Price(model="m", cached_input_nanousd=10**16)),
    ],
)
async def test_what_is_no_price_is_refused(core: Core, field: str, price: pb.Price):
    admin = await core.admin()
    with refused("INVALID_ARGUMENT", field=field):
        await core.administration.CreatePrice(pb.CreatePriceRequest(price=price), metadata=admin.metadata)
