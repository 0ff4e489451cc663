"""Webhooks: told once, signed, tried again, and never a way into the network."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from core.ledger import webhooks as telling
from core.ledger.period import window
from core.ledger.webhooks import SIGNATURE, Webhooks
from core.providers.webhook_post import WebhookFailed, post
from core.secrets import Cipher
from core.store import balances, ledger, webhooks
from core.store.database import Database
from tests.support.clock import FakeClock
from tests.support.core import SECRET_KEY
from tests.support.till import add_budget

SECRET = "whsec_tests"


@dataclass
class Receiver:
    """Who is told, and what it answers."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    got: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list[tuple[Mapping[str, str], bytes]])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()

    async def take(request: web.Request) -> web.Response:
        receiver.got.append((request.headers, await request.read()))
        return web.Response(status=receiver.status, headers=receiver.headers)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


async def spend(database: Database, amount: int, entry_id: str) -> None:
    """Adds to what the first balance has spent."""
    now = FakeClock().now()
    async with database.write() as connection:
        entry = ledger.adjustment(1, amount, entry_id=entry_id, note="", user_id=0, now=now)
        await ledger.post(connection, database, [entry], now)


async def ready(database: Database, url: str) -> tuple[Webhooks, FakeClock]:
    """A budget of 1000 with a threshold at 50 %, and a webhook."""
    clock, cipher = FakeClock(), Cipher(SECRET_KEY)
    budget = await add_budget(database, 1000, thresholds=(50,))
    async with database.write() as connection:
        start, _ = window("month", clock.now())
        await balances.find_or_add(connection, database, budget, start, clock.now())
        await webhooks.add(connection, url, cipher.encrypt(SECRET), clock.now())
    return Webhooks(database, cipher, clock), clock


async def test_a_threshold_is_told_once_and_signed(database: Database, receiver: Receiver):
    teller, clock = await ready(database, receiver.url)
    await spend(database, 400, "a1")
    assert await teller.deliver() == 0
    await spend(database, 200, "a2")
    await spend(database, 100, "a3")
    assert await teller.deliver() == 1
    assert await teller.deliver() == 0
    ((headers, body),) = receiver.got
    said = json.loads(body)
    assert (said["type"], said["data"]["percent"], said["data"]["spent_nanousd"]) == ("budget.threshold", 50, 600)
    assert (said["data"]["spent_usd"], said["data"]["limit_usd"]) == ("0.0000006", "0.000001")
    seconds, signature = (part.partition("=")[2] for part in headers[SIGNATURE].split(","))
    assert int(seconds) == int(clock.now().timestamp())
    expected = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature == expected


async def test_a_cap_that_is_reached_is_told(database: Database, receiver: Receiver):
    teller, _ = await ready(database, receiver.url)
    await spend(database, 1000, "a1")
    assert await teller.deliver() == 2
    assert {json.loads(body)["type"] for _, body in receiver.got} == {"budget.threshold", "budget.exhausted"}


async def test_who_does_not_take_it_is_told_again_later_and_in_the_end_no_more(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(telling, "_MOST_ATTEMPTS", 3)
    teller, clock = await ready(database, receiver.url)
    receiver.status = 500
    await spend(database, 600, "a1")
    told: list[int] = []
    for _ in range(60):
        told.append(await teller.deliver())
        clock.advance(1)
    assert [second for second, count in enumerate(told) if count] == [0, 5, 15]
    assert len(receiver.got) == 3


async def test_a_delivery_belongs_to_one_process(database: Database, receiver: Receiver):
    teller, clock = await ready(database, receiver.url)
    await spend(database, 600, "a1")
    async with database.write() as connection:
        assert len(await webhooks.claim(connection, clock.now(), limit=10, lease=60)) == 1
    assert await teller.deliver() == 0
    clock.advance(61)  # the other one died
    assert await teller.deliver() == 1


async def test_no_redirect_is_followed(receiver: Receiver):
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    with pytest.raises(WebhookFailed, match="307"):
        await post(receiver.url, b"{}", {})
    assert len(receiver.got) == 1


async def test_an_address_that_does_not_answer_is_a_failure():
    with pytest.raises(WebhookFailed):
        await post("http://127.0.0.1:1/hook", b"{}", {})
