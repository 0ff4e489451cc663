"""A dollar, 64 clients who want more, and everything that can go wrong meanwhile.

clients ─► facades ─► cores ─► a provider with a price
                       ✂ kill -9, one after the other
                       └─► a proxy ✂ ─► PostgreSQL
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from core.errors import DatabaseError
from core.store import ledger, usage
from core.store.database import Database
from core.store.ledger import Proof
from core.store.tables import balances, ledger_entries
from core.store.usage import Selection, UsageRow
from tests.support.openai_upstream import OpenAIUpstream
from tests.support.service import Service

CAP = 1_000_000_000
MODEL = "proof"
CLIENTS = 64
USAGE = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
COST = 20 * 100_000  # at a hundred dollars for a million tokens: 500 answers to a dollar
CONFIG = """\
prices:
  - model: proof
    input: 100
    output: 100
"""


@dataclass
class Ordeal:
    """What the clients had, and what was done to the service."""

    service: Service
    upstream: OpenAIUpstream
    database: Database  # past the proxy
    session: aiohttp.ClientSession
    key: str
    counts: Counter[str] = field(default_factory=Counter[str])
    answered: list[str] = field(default_factory=list[str])  # the ids of the whole answers
    most_taken: int = 0  # settled + leased, at its highest
    _sent: int = 0

    async def ask(self) -> str:
        """Sends one request; what became of it."""
        self._sent += 1
        streamed = self._sent % 2 == 0
        body: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": f"request {self._sent}"}]}
        body |= {"stream": streamed, "max_tokens": 20}
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            async with self.session.post(
                f"{self.service.base_url}/v1/chat/completions", json=body, headers=headers
            ) as answer:
                data = await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            return self._note("broken")
        whole = data.endswith(b"data: [DONE]\n\n") if streamed else b'"usage"' in data
        if answer.status == 200 and whole:
            self.answered.append(answer.headers["x-request-id"])
            return self._note("answered")
        if answer.status == 429:
            return self._note("refused")
        return self._note("interrupted" if answer.status == 200 else f"status {answer.status}")

    async def client(self, until: float) -> None:
        """Asks again and again."""
        while time.monotonic() < until:
            outcome = await self.ask()
            await asyncio.sleep(0.02 if outcome == "answered" else 0.1)

    async def watch(self, until: float) -> None:
        """Looks at the balance all the time."""
        while time.monotonic() < until:
            async with self.database.read() as connection:
                taken = await connection.execute(
                    sa.select(sa.func.max(balances.c.settled_nanousd + balances.c.leased_nanousd))
                )
            self.most_taken = max(self.most_taken, taken.scalar() or 0)
            await asyncio.sleep(0.05)

    def kill_a_core(self) -> None:
        """kill -9 of one core process, whichever."""
        pids = core_pids(self.service)
        if pids:
            os.kill(random.choice(pids), signal.SIGKILL)
            self.counts["killed"] += 1

    async def spend_the_rest(self, patience: float) -> None:
        """Asks calmly until nothing is left, which shows that nothing was lost on the way."""
        deadline = time.monotonic() + patience
        refusals = 0
        while refusals < 5 and time.monotonic() < deadline:
            outcome = await self.ask()
            refusals = refusals + 1 if outcome == "refused" else 0
            if outcome == "refused":
                await asyncio.sleep(0.3)

    async def records(self) -> list[UsageRow]:
        """The usage records of the clients' requests."""
        async with self.database.read() as connection:
            found = await usage.page(connection, Selection(model=MODEL), before_id=None, limit=1_000_000)
        return list(found)

    async def entries(self) -> Sequence[Any]:
        """The entries of the ledger."""
        async with self.database.read() as connection:
            return (await connection.execute(sa.select(ledger_entries))).all()

    async def proofs(self) -> Sequence[Proof]:
        """The balances, as they stand and as their entries say."""
        async with self.database.read() as connection:
            return await ledger.proofs(connection, after_id=0, limit=1000)

    def _note(self, outcome: str) -> str:
        self.counts[outcome] += 1
        return outcome


def core_pids(service: Service) -> list[int]:
    """The core processes of a supervised service."""
    serve = service.pid_of_supervisor
    found: list[int] = []
    for child in Path(f"/proc/{serve}/task/{serve}/children").read_text().split():
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "core" in words:
            found.append(int(child))
    return found


async def assert_exact(ordeal: Ordeal) -> None:
    """Everything that was promised, once the service has stopped."""
    records, entries, proofs = await ordeal.records(), await ordeal.entries(), await ordeal.proofs()
    settled = sum(proof.settled for proof in proofs)
    billed = len(ordeal.upstream.requests) * COST
    ordeal.counts |= Counter({"records": len(records), "entries": len(entries)})
    report = (
        f"settled {settled / CAP:.6f} of the cap, at most {ordeal.most_taken / CAP:.6f} settled and leased, "
        f"the provider's bill {billed / CAP:.6f}; {dict(sorted(ordeal.counts.items()))}"
    )
    print(report)
    assert all(proof.holds for proof in proofs), f"the entries do not add up: {proofs}"
    assert settled <= CAP, f"the cap was passed: {report}"
    assert ordeal.most_taken <= CAP, f"more was taken than there is: {report}"
    assert billed <= CAP, f"the provider bills more than the cap: {report}"
    assert all(proof.leased == 0 for proof in proofs), f"something is held for ever: {proofs}"
    assert settled > CAP - 20 * COST, f"what was not spent could not be used: {report}"
    by_id = Counter(row.request_id for row in records)
    assert max(by_id.values()) == 1, "a request is recorded twice"
    answered = {row.request_id: row for row in records if row.outcome == "answered"}
    missing = [name for name in ordeal.answered if name not in answered]
    assert not missing, f"{len(missing)} delivered answers have no record, such as {missing[:3]}"
    assert all(answered[name].cost_nanousd == COST for name in ordeal.answered)
    paid = Counter((entry.request_id, entry.balance_id) for entry in entries)
    assert max(paid.values()) == 1, "a request is in the ledger twice"
    assert settled == sum(row.cost_nanousd or 0 for row in records), "records and ledger differ"


async def wait_for(database: Database) -> None:
    """Returns when a database answers again."""
    async with asyncio.timeout(20):
        while True:
            try:
                await database.ping()
            except DatabaseError:
                await asyncio.sleep(0.05)
            else:
                return
