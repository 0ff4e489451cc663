"""Tells webhooks of what happens to budgets.

    an event ─► a delivery for each webhook ─► claimed by one process ─► sent ─┬─ 2xx: done
                                                  ▲                           └─ else: later, up to a day
                                                  └───────────────────────────────┘

A delivery survives everything that the database survives. It is sent once, but for a process that dies
between sending and noting that; the event's id tells a receiver that it has it already.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from core.clock import Clock, iso
from core.errors import DatabaseError
from core.money import dollars_from_nanos
from core.providers.webhook_post import WebhookFailed, post
from core.secrets import Cipher
from core.store import budget_events, webhooks
from core.store.budget_events import BudgetEvent
from core.store.database import Database
from core.store.webhooks import Delivery

log = logging.getLogger(__name__)

SIGNATURE = "x-llmrouter-signature"

_EVERY = 1.0
_BATCH = 10
_CLAIMED = 60.0  # seconds after which another process may try, longer than a sending can take
_FIRST_RETRY = 5.0  # seconds; each is twice as long as the one before, up to
_LAST_RETRY = 6 * 3600.0
_MOST_ATTEMPTS = 16  # which take a day and a half

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[None]]


class Webhooks:
    """Sends what is due. Every process may run one."""

    def __init__(
        self,
        database: Database,
        cipher: Cipher,
        clock: Clock,
        *,
        send: Post = post,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._cipher = cipher
        self._clock = clock
        self._send = send
        self._sleep = sleep

    async def run(self) -> None:
        """Sends for ever."""
        while True:
            try:
                while await self.deliver():
                    pass
            except DatabaseError:
                pass
            except Exception:
                log.exception("a fault while webhooks were told")
            await self._sleep(_EVERY)

    async def deliver(self) -> int:
        """Sends what is due now; how many that were. Raises DatabaseError."""
        now = self._clock.now()
        async with self._database.read() as connection:
            if not await webhooks.any_due(connection, now):
                return 0
        async with self._database.write() as connection:
            claimed = await webhooks.claim(connection, now, limit=_BATCH, lease=_CLAIMED)
        await asyncio.gather(*(self._deliver(delivery) for delivery in claimed))
        return len(claimed)

    async def _deliver(self, delivery: Delivery) -> None:
        async with self._database.read() as connection:
            event = await budget_events.get(connection, delivery.event_id)
        failure = "the event is gone"
        if event is not None:
            try:
                secret = self._cipher.decrypt(delivery.secret)
                body = message(event)
                await self._send(delivery.url, body, headers(secret, body, int(self._clock.now().timestamp())))
                failure = ""
            except (WebhookFailed, ValueError) as error:
                failure = str(error)
        now = self._clock.now()
        async with self._database.write() as connection:
            if not failure:
                await webhooks.delivered(connection, delivery.id, now)
                return
            wait = min(_FIRST_RETRY * 2 ** (delivery.attempts - 1), _LAST_RETRY)
            again = None if delivery.attempts >= _MOST_ATTEMPTS or event is None else now + timedelta(seconds=wait)
            await webhooks.failed(connection, delivery.id, failure, again)
        log.warning("a webhook was not told: %s", failure, extra={"delivery": delivery.id, "given_up": again is None})


def message(event: BudgetEvent) -> bytes:
    """What is sent of an event."""
    return json.dumps(
        {
            "id": f"evt_{event.id}",
            "type": f"budget.{event.kind}",
            "created_at": iso(event.created_at),
            "data": {
                "budget_id": event.budget_id,
                "scope": event.scope_kind,
                "scope_id": event.scope_id,
                "period": event.period,
                "period_start": iso(event.starts_at),
                "percent": event.percent,
                "spent_nanousd": event.settled_nanousd,
                "limit_nanousd": event.limit_nanousd,
                "spent_usd": f"{dollars_from_nanos(event.settled_nanousd):f}",
                "limit_usd": f"{dollars_from_nanos(event.limit_nanousd):f}",
            },
        },
        separators=(",", ":"),
    ).encode()


def headers(secret: str, body: bytes, seconds: int) -> dict[str, str]:
    """The headers of a message: its signature holds the time, so that nobody can send it again later."""
    return {
        "content-type": "application/json",
        "user-agent": "llmrouter",
        SIGNATURE: f"t={seconds},v1={sign(secret, body, seconds)}",
    }


def sign(secret: str, body: bytes, seconds: int) -> str:
    """HMAC-SHA256 of the time, a point and the body, in hexadecimal."""
    return hmac.digest(secret.encode(), b"%d.%b" % (seconds, body), "sha256").hex()
