"""Counts over several machines: exact through Redis, mostly without asking it, and safe while it is gone."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.errors import RateLimited
from core.ledger.limit_counters import Share, Ticket
from core.ledger.limit_machine import Machine
from core.ledger.limits import Limit
from core.ledger.local_counters import LocalCounters
from core.ledger.redis_counters import RedisCounters
from core.ledger.redis_link import Gone, RedisLink
from tests.support.limits import RedisServer, limit_for

ROOT = Path(__file__).parents[3]


class CountedLink(RedisLink):
    """A link that counts what it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked = 0

    async def ask(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        self.asked += 1
        return await super().ask(script, keys, arguments)


class Stand:
    """Machines that share a Redis; nothing happens in the background but by `tick` and `beat`."""

    def __init__(self, url: str, folder: Path) -> None:
        self.links: list[CountedLink] = []
        self.machines: list[RedisCounters] = []
        self._url = url
        self._folder = folder

    async def machine(self, number: int = -1, *, lifetime: float = 10.0) -> RedisCounters:
        """Starts a process on a machine of its own, or on an earlier one by its number."""
        folder = self._folder / str(number if number >= 0 else len(self.machines))
        link, clock = CountedLink(self._url), SystemClock()
        counters = RedisCounters(link, LocalCounters(folder, 0, clock), Machine(folder), clock, lifetime=lifetime)
        self.links.append(link)
        self.machines.append(counters)
        await self.beat()
        return counters

    async def beat(self) -> None:
        """Every process hears of all others, or finds Redis gone."""
        for counters in (*self.machines, *self.machines):
            try:
                await counters.beat()
            except Gone:
                continue

    async def tick(self, times: int = 1) -> None:
        for _ in range(times):
            for counters in self.machines:
                await counters.tick()


@pytest.fixture
async def stand(redis: RedisServer, tmp_path: Path) -> AsyncIterator[Stand]:
    stand = Stand(redis.url, tmp_path)
    yield stand
    for counters in stand.machines:
        await counters.close()


async def let_in(counters: RedisCounters, *limits: Limit, tokens: int = 1, tries: int = 100) -> list[Ticket]:
    """The tickets of those of so many requests that are let in."""
    tickets: list[Ticket] = []
    for _ in range(tries):
        try:
            tickets.append(await counters.take(limits, tokens))
        except RateLimited:
            continue
    return tickets


async def refusal(take: Awaitable[Ticket]) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        await take
    return caught.value


async def test_a_limit_holds_for_all_machines_together(stand: Stand):
    limit = limit_for("user", "1", requests_per_minute=50)
    machines = [await stand.machine() for _ in range(3)]
    tickets = await asyncio.gather(*(let_in(each, limit, tries=40) for each in machines))
    assert sum(map(len, tickets)) == 50
    error = await refusal(machines[0].take([limit], 1))
    assert 55 < (error.retry_after or 0) <= 61
    assert (error.limit, error.remaining, error.counted) == (50, 0, "requests_per_minute")


async def test_requests_that_come_at_once_go_to_redis_together(stand: Stand):
    limit = limit_for("user", "1", requests_per_minute=50)
    counters = await stand.machine()
    found = await asyncio.gather(*(counters.take([limit], 1) for _ in range(80)), return_exceptions=True)
    assert sum(isinstance(each, Ticket) for each in found) == 50
    assert stand.links[0].asked <= 2


async def test_under_load_most_requests_ask_nobody(stand: Stand):
    limit = limit_for("user", "1", requests_per_minute=10**6, tokens_per_day=10**9, concurrent_requests=1000)
    counters = await stand.machine()
    for _ in range(20):
        for ticket in await let_in(counters, limit, tokens=100, tries=100):
            counters.leave(ticket, 120)
        await stand.tick()
    assert stand.links[0].asked < 2000 / 10


async def test_what_one_machine_does_not_need_another_has(stand: Stand):
    limit = limit_for("user", "1", requests_per_day=1000)
    first, second = await stand.machine(), await stand.machine()
    before = len(await let_in(first, limit, tries=300))  # the last of them took more than they needed
    await stand.tick(2)
    assert before + len(await let_in(second, limit, tries=1000)) == 1000


async def test_tokens_are_made_good_on_all_machines(stand: Stand):
    limit = limit_for("project", "p", tokens_per_day=1000)
    first, second = await stand.machine(), await stand.machine()
    ticket = await first.take([limit], 900)
    assert not await let_in(second, limit, tokens=200, tries=1)
    first.leave(ticket, 100)
    await stand.tick()
    assert len(await let_in(second, limit, tokens=100, tries=20)) == 9
    too_much = await refusal(second.take([limit], 1001))
    assert too_much.retry_after is None


async def test_places_are_shared_and_given_back(stand: Stand):
    limit = limit_for("deployment", concurrent_requests=4)
    first, second = await stand.machine(), await stand.machine()
    tickets = await let_in(first, limit, tries=3)
    assert len(await let_in(second, limit, tries=3)) == 1
    for ticket in tickets:
        first.leave(ticket, 0)
    await stand.tick(2)
    assert len(await let_in(second, limit, tries=5)) == 3


async def test_the_places_of_a_process_that_is_not_heard_of_any_more_are_free(stand: Stand):
    limit = limit_for("deployment", concurrent_requests=2)
    dead = await stand.machine(lifetime=0.05)
    assert len(await let_in(dead, limit, tries=3)) == 2
    stand.machines.clear()
    alive = await stand.machine()
    async with asyncio.timeout(5):
        while not await let_in(alive, limit, tries=1):
            await asyncio.sleep(0.01)
    await dead.close()


async def test_a_caller_that_goes_away_while_redis_is_asked_leaves_nothing_behind(stand: Stand):
    limit = limit_for("deployment", concurrent_requests=1)
    counters = await stand.machine()
    for turns in range(12):
        asking = asyncio.ensure_future(counters.take([limit], 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            counters.leave(await asking, 0)
    await stand.tick(2)
    assert len(await let_in(counters, limit, tries=2)) == 1


# Without Redis


async def test_when_redis_is_killed_each_machine_holds_to_its_share(stand: Stand, redis: RedisServer):
    limit = limit_for("user", "1", requests_per_minute=31, concurrent_requests=100)
    machines = [await stand.machine() for _ in range(3)]
    redis.kill()
    counts = [len(await let_in(each, limit, tries=50)) for each in machines]
    assert sorted(counts) == [10, 10, 11]


async def test_when_redis_hangs_nobody_waits_for_it_twice(stand: Stand, redis: RedisServer):
    limit = limit_for("user", "1", requests_per_minute=100)
    counters = await stand.machine()
    await counters.take([limit], 1)
    redis.freeze()
    try:
        await counters.take([limit_for("user", "2", requests_per_minute=100)], 1)
        began = time.monotonic()
        assert len(await let_in(counters, limit, tries=200)) == 99
        assert time.monotonic() - began < 0.5
    finally:
        redis.thaw()


async def test_what_was_let_in_without_redis_counts_when_it_is_back(stand: Stand, redis: RedisServer):
    limit = limit_for("user", "1", requests_per_day=100, tokens_per_day=10_000, concurrent_requests=50)
    first, second = await stand.machine(), await stand.machine()
    redis.freeze()
    running = await let_in(first, limit, tokens=10, tries=200)
    assert len(running) == 25  # of the places it has a share too
    for ticket in running:
        first.leave(ticket, 20)
    redis.thaw()
    await stand.beat()
    await stand.tick()
    assert len(await let_in(second, limit, tokens=10, tries=40)) == 40
    tokens = await let_in(second, limit_for("user", "1", tokens_per_day=10_000), tokens=100, tries=200)
    assert len(tokens) == (10_000 - 25 * 20 - 40 * 10) // 100


async def test_a_redis_that_has_lost_its_counts_is_told_them_anew(stand: Stand, redis: RedisServer):
    limit = limit_for("user", "1", requests_per_day=100, concurrent_requests=50)
    first, second = await stand.machine(), await stand.machine()
    running = await let_in(first, limit, tries=30)
    await let_in(second, limit_for("user", "1", requests_per_day=100), tries=20)
    redis.kill()
    await stand.beat()
    redis.start()
    await stand.beat()
    assert len(await let_in(second, limit, tries=40)) == 20  # thirty places are taken
    assert len(await let_in(second, limit_for("user", "1", requests_per_day=100), tries=100)) == 30
    for ticket in running:
        first.leave(ticket, 1)


async def test_a_process_that_starts_while_redis_is_gone_knows_its_machine_s_share(stand: Stand, redis: RedisServer):
    limit = limit_for("user", "1", requests_per_minute=10)
    await stand.machine()
    await stand.machine()
    redis.kill()
    again = await stand.machine(0)
    assert len(await let_in(again, limit, tries=20)) == 5


async def test_where_redis_was_never_there_the_machine_has_all(tmp_path: Path):
    stand = Stand(f"unix://{tmp_path}/nobody.sock", tmp_path)
    counters = await stand.machine()
    assert len(await let_in(counters, limit_for("user", "1", requests_per_minute=10), tries=20)) == 10
    await counters.close()


def test_what_a_machine_remembers(tmp_path: Path):
    machine = Machine(tmp_path)
    assert machine.share() == Share(1, 0)
    machine.keep(Share(4, 2))
    again = Machine(tmp_path)
    assert (again.name, again.share()) == (machine.name, Share(4, 2))
    (tmp_path / "share").write_text("nonsense")
    assert again.share() == Share(1, 0)


# Processes

HAMMER = """
import asyncio, sys
from pathlib import Path
from core.clock import SystemClock
from core.errors import RateLimited
from core.ledger.local_counters import LocalCounters
from core.ledger.limit_machine import Machine
from core.ledger.redis_counters import RedisCounters
from core.ledger.redis_link import RedisLink
from tests.support.limits import limit_for

async def main(folder, url):
    clock, link = SystemClock(), RedisLink(url, patience=20.0)
    counters = RedisCounters(link, LocalCounters(Path(folder), 0, clock), Machine(Path(folder)), clock)
    await counters.beat()
    beating = asyncio.ensure_future(counters.run())
    print("ready", flush=True)
    sys.stdin.readline()
    limit = limit_for("user", "1", requests_per_day=2000)
    async def client():
        let_in, refused = 0, 0
        while refused < 20:
            try:
                await counters.take([limit], 1)
            except RateLimited:
                refused += 1
                await asyncio.sleep(0.05)
            else:
                let_in += 1
        return let_in
    print(sum(await asyncio.gather(*(client() for _ in range(8)))), flush=True)
    beating.cancel()
    await counters.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.usefixtures("limit")
def test_processes_that_hammer_one_limit_let_in_exactly_as_many_as_it_allows(redis: RedisServer, tmp_path: Path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(tmp_path / str(number)), redis.url],
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert sum(int(process.communicate()[0]) for process in processes) == 2000
