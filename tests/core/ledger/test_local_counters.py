"""Counts that the processes of a machine share: against an oracle, by several processes at once, and after kill -9."""

import asyncio
import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from core.errors import RateLimited, Unavailable
from core.ledger import limit_file
from core.ledger.limit_counters import Share, Ticket
from core.ledger.limit_window import SLOT
from core.ledger.limits import Limit
from core.ledger.local_counters import LocalCounters
from tests.support.clock import FakeClock
from tests.support.limits import limit_for

ROOT = Path(__file__).parents[3]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def counters(tmp_path: Path, clock: FakeClock) -> Iterator[LocalCounters]:
    counters = LocalCounters(tmp_path, 0, clock)
    yield counters
    asyncio.run(counters.close())


def take(counters: LocalCounters, *limits: Limit, tokens: int = 1) -> Ticket:
    return counters.take_part(limits, tokens, Share(1, 0))


def admitted(counters: LocalCounters, *limits: Limit, tokens: int = 1, tries: int = 100) -> int:
    """How many of so many requests are let in."""
    count = 0
    for _ in range(tries):
        try:
            take(counters, *limits, tokens=tokens)
        except RateLimited:
            continue
        count += 1
    return count


def test_who_is_refused_is_told_which_limit_and_when_to_come_back(counters: LocalCounters, clock: FakeClock):
    limit = limit_for("user", "1", requests_per_minute=2)
    clock.advance(0.5)
    take(counters, limit)
    clock.advance(10)
    take(counters, limit)
    with pytest.raises(RateLimited) as caught:
        take(counters, limit)
    error = caught.value
    assert error.message == "rate limit reached: 2 requests per minute for this user"
    assert (error.subject, error.counted, error.limit, error.remaining) == ("user", "requests_per_minute", 2, 0)
    assert (error.retry_after, error.reset) == (50.5, 60.5)
    clock.advance(50.5)
    take(counters, limit)


def test_a_request_is_counted_in_all_its_limits_or_in_none(counters: LocalCounters):
    user, all_of_them = limit_for("user", "1", requests_per_minute=3), limit_for("deployment", requests_per_minute=5)
    assert admitted(counters, user, all_of_them) == 3
    assert admitted(counters, all_of_them) == 2


def test_tokens_count_as_estimated_and_then_as_used(counters: LocalCounters):
    limit = limit_for("user", "1", tokens_per_minute=100)
    ticket = take(counters, limit, tokens=80)
    assert admitted(counters, limit, tokens=30) == 0
    counters.leave(ticket, 10)
    assert admitted(counters, limit, tokens=30) == 3
    counters.leave(ticket, 0)  # a second time changes nothing
    assert admitted(counters, limit, tokens=1) == 0


def test_a_request_that_needs_more_than_there_ever_is_is_told_so(counters: LocalCounters):
    with pytest.raises(RateLimited, match="needs more than the limit of 100 tokens per minute") as caught:
        take(counters, limit_for("model", "m", tokens_per_minute=100), tokens=101)
    assert caught.value.retry_after is None


def test_places_are_given_back(counters: LocalCounters):
    limit = limit_for("credential", "1", concurrent_requests=2)
    first = take(counters, limit)
    assert admitted(counters, limit) == 1
    counters.leave(first, 0)
    assert admitted(counters, limit) == 1
    with pytest.raises(RateLimited, match="2 requests at once for this key"):
        take(counters, limit)


def test_a_share_is_a_part_of_each_limit_and_all_shares_are_the_whole(tmp_path: Path, clock: FakeClock):
    limit = limit_for("user", "1", requests_per_minute=10)
    let_in = 0
    for number in range(4):
        machine = LocalCounters(tmp_path / str(number), 0, clock)
        for _ in range(10):
            try:
                machine.take_part([limit], 1, Share(4, number))
            except RateLimited:
                break
            let_in += 1
        asyncio.run(machine.close())
    assert let_in == 10


def test_counts_outlive_the_process(tmp_path: Path, clock: FakeClock):
    limit = limit_for("user", "1", requests_per_day=5, concurrent_requests=3)
    before = LocalCounters(tmp_path, 0, clock)
    assert admitted(before, limit) == 3
    asyncio.run(before.close())
    after = LocalCounters(tmp_path, 0, clock)
    assert admitted(after, limit) == 2
    asyncio.run(after.close())


def test_many_scopes_have_each_their_own_counts(counters: LocalCounters):
    limits = [limit_for("user", str(number), requests_per_minute=2) for number in range(3000)]
    for _ in range(2):
        for limit in limits:
            take(counters, limit)
    for limit in limits:
        with pytest.raises(RateLimited):
            take(counters, limit)


def test_where_there_is_no_room_the_scope_that_is_needed_least_long_makes_it(
    counters: LocalCounters, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limit_file, "SLOTS", 4)
    monkeypatch.setattr(limit_file, "_USED", 4 * SLOT)
    monkeypatch.setattr(limit_file, "_PROBES", 4)
    days = [limit_for("user", str(number), requests_per_day=1) for number in range(3)]
    running = limit_for("user", "running", concurrent_requests=1)
    for limit in (*days, running):
        take(counters, limit)
        clock.advance(1)
    take(counters, limit_for("user", "another", requests_per_day=1))
    assert [admitted(counters, limit, tries=1) for limit in (*days[1:], running)] == [0, 0, 0]


def test_a_process_that_was_stopped_while_it_had_the_lock_holds_up_nobody(
    counters: LocalCounters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limit_file, "_PATIENCE", 0.02)
    limit = limit_for("user", "1", requests_per_minute=2, concurrent_requests=2)
    ticket = take(counters, limit)
    with (tmp_path / "counters-1").open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable):
            take(counters, limit)
        counters.leave(ticket, 0)
    take(counters, limit)


def test_a_full_disk_lets_nobody_in_uncounted(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(limit_file.os, "posix_fallocate", full)
    counters = LocalCounters(tmp_path, 0, clock)
    with pytest.raises(Unavailable):
        take(counters, limit_for("user", "1", requests_per_minute=2))
    monkeypatch.undo()
    take(counters, limit_for("user", "1", requests_per_minute=2))
    asyncio.run(counters.close())


# Processes

HAMMER = """
import asyncio, sys
from pathlib import Path
from core.clock import SystemClock
from core.errors import RateLimited
from core.ledger.local_counters import LocalCounters
from tests.support.limits import limit_for

async def main(folder, worker, tries):
    counters = LocalCounters(Path(folder), int(worker), SystemClock())
    user = limit_for("user", "1", requests_per_day=1000, tokens_per_day=10**9)
    limits = [user, limit_for("deployment", concurrent_requests=64)]
    await counters.take([limit_for("user", "warm", requests_per_day=9)], 1)
    print("ready", flush=True)
    sys.stdin.readline()
    let_in = 0
    for _ in range(int(tries)):
        try:
            ticket = await counters.take(limits, 10)
        except RateLimited:
            continue
        let_in += 1
        counters.leave(ticket, 10)
    print(let_in, flush=True)
    sys.stdin.readline()

asyncio.run(main(*sys.argv[1:]))
"""

HOLD = """
import asyncio, sys
from pathlib import Path
from core.clock import SystemClock
from core.ledger.local_counters import LocalCounters
from tests.support.limits import limit_for

async def main(folder, worker):
    counters = LocalCounters(Path(folder), int(worker), SystemClock())
    for _ in range(3):
        await counters.take([limit_for("deployment", concurrent_requests=4)], 1)
    print("held", flush=True)
    sys.stdin.readline()

asyncio.run(main(*sys.argv[1:]))
"""


def run(source: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", source, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.mark.usefixtures("limit")
def test_processes_that_hammer_one_limit_let_in_exactly_as_many_as_it_allows(tmp_path: Path):
    processes = [run(HAMMER, tmp_path, worker, 500) for worker in range(4)]
    assert [said(process) for process in processes] == ["ready"] * 4
    for process in processes:
        tell(process)
    let_in = [int(said(process)) for process in processes]
    for process in processes:
        process.communicate("end\n")
    assert sum(let_in) == 1000
    assert len(let_in) == 4


@pytest.mark.usefixtures("limit")
def test_the_places_of_a_process_that_was_killed_are_free_at_once(tmp_path: Path):
    limit = limit_for("deployment", concurrent_requests=4)
    counters = LocalCounters(tmp_path, 0, FakeClock())
    holder = run(HOLD, tmp_path, 1)
    assert said(holder) == "held"
    assert admitted(counters, limit, tries=10) == 1
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert admitted(counters, limit, tries=10) == 3
    another = run(HOLD, tmp_path, 1)  # with the number of the dead one: it begins with nothing under way
    another.communicate()
    asyncio.run(counters.close())


@pytest.mark.usefixtures("limit")
def test_two_that_ask_for_one_number_get_two(tmp_path: Path, clock: FakeClock):
    first, second = LocalCounters(tmp_path, 3, clock), LocalCounters(tmp_path, 3, clock)
    limit = limit_for("deployment", concurrent_requests=4)
    tickets = [take(each, limit) for each in (first, second, first)]
    assert admitted(second, limit) == 1
    first.leave(tickets[0], 0)
    assert admitted(second, limit) == 1
    asyncio.run(first.close())
    assert admitted(second, limit) == 1
    asyncio.run(second.close())


# In advance

MANY = limit_for("user", "1", requests_per_minute=10_000, tokens_per_minute=1_000_000)


def let_in(counters: LocalCounters, limits: tuple[Limit, ...], tokens: int = 1) -> Ticket:
    """As the pipeline asks; the same limits are the same object there."""
    return counters.take_now(limits, tokens)


def used(folder: Path, clock: FakeClock, limit: Limit) -> dict[str, int]:
    """What another process reads of a limit."""
    other = LocalCounters(folder, 1, clock)
    counted = {cap.name: sum(other.counted(limit.key, cap).values()) for cap in limit.caps}
    asyncio.run(other.close())
    return counted


def test_far_from_a_limit_most_requests_do_not_look_at_the_file(counters: LocalCounters, tmp_path: Path):
    limits = (MANY,)
    tickets = [let_in(counters, limits, 10) for _ in range(200)]
    assert sum(ticket.advance is not None for ticket in tickets) > 150
    assert [ticket.requests_left for ticket in tickets] == sorted((t.requests_left for t in tickets), reverse=True)


def test_what_was_counted_in_advance_and_not_used_goes_back(counters: LocalCounters, clock: FakeClock, tmp_path: Path):
    limits = (MANY,)
    tickets = [let_in(counters, limits, 10) for _ in range(100)]
    assert used(tmp_path, clock, MANY)["requests_per_minute"] >= 100
    for ticket in tickets:
        counters.leave(ticket, 7)
    clock.advance(1)
    counters.tick()
    assert used(tmp_path, clock, MANY) == {"requests_per_minute": 100, "tokens_per_minute": 700}


def test_tokens_are_made_good_also_when_the_second_is_long_over(
    counters: LocalCounters, clock: FakeClock, tmp_path: Path
):
    limits = (MANY,)
    tickets = [let_in(counters, limits, 10) for _ in range(100)]
    clock.advance(5)
    counters.tick()
    for ticket in tickets:
        counters.leave(ticket, 30)
        counters.leave(ticket, 30)
    counters.tick()
    assert used(tmp_path, clock, MANY) == {"requests_per_minute": 100, "tokens_per_minute": 3000}


def test_a_process_that_ends_leaves_nothing_counted_that_it_did_not_use(clock: FakeClock, tmp_path: Path):
    before = LocalCounters(tmp_path, 0, clock)
    limits = (MANY,)
    for _ in range(100):
        let_in(before, limits)
    asyncio.run(before.close())
    assert used(tmp_path, clock, MANY)["requests_per_minute"] == 100


def test_with_some_counted_in_advance_a_limit_lets_in_exactly_what_it_allows(counters: LocalCounters):
    all_of_them = limit_for("deployment", requests_per_minute=3000)
    callers = [(limit_for("user", str(number), requests_per_minute=10_000), all_of_them) for number in range(20)]
    count = 0
    for number in range(5000):
        try:
            let_in(counters, callers[number % 20])
        except RateLimited:
            continue
        count += 1
    assert count == 3000


def test_a_limit_that_was_lowered_counts_what_was_let_in_before(counters: LocalCounters):
    limits = (limit_for("deployment", requests_per_minute=10_000),)
    for _ in range(500):
        let_in(counters, limits)
    assert admitted(counters, limit_for("deployment", requests_per_minute=510), tries=30) == 10


@pytest.mark.parametrize("seed", range(5))
def test_processes_with_advances_never_pass_a_limit_and_use_all_of_it_in_time(
    clock: FakeClock, tmp_path: Path, seed: int
):
    chance = random.Random(seed)
    limits = (limit_for("deployment", requests_per_minute=2000, tokens_per_minute=20_000),)
    processes = [LocalCounters(tmp_path, number, clock) for number in range(3)]
    let: list[tuple[float, Ticket, LocalCounters]] = []
    now = 0.0
    while now < 50:
        for _ in range(chance.randrange(200)):
            process = chance.choice(processes)
            try:
                let.append((now, let_in(process, limits, 10), process))
            except RateLimited:
                continue
        pause = chance.choice((0.1, 0.4, 1.0))
        now += pause
        clock.advance(pause)
        for process in processes:
            process.tick()
        assert len(let) <= 2000
    assert len(let) == 2000
    for process in processes:
        asyncio.run(process.close())


# Against an oracle

LIMITS = {
    "user": limit_for("user", "1", requests_per_minute=4, tokens_per_minute=60),
    "model": limit_for("model", "m", tokens_per_minute=100, requests_per_day=12),
    "deployment": limit_for("deployment", concurrent_requests=3),
}
_MINUTE, _DAY = (61, 1), (49 * 1800, 1800)


class Count:
    """One request that was let in, as the oracle remembers it."""

    def __init__(self, scopes: frozenset[str], at: float, tokens: int, requests: int = 1) -> None:
        self.scopes = scopes
        self.at = at
        self.tokens = tokens
        self.requests = requests


class Machine(RuleBasedStateMachine):
    """Two processes of a machine, which take, leave, die and start again at random."""

    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.folder = Path(tempfile.mkdtemp())
        self.processes = [LocalCounters(self.folder, number, self.clock) for number in range(2)]
        self.counts: list[Count] = []
        self.running: Counter[int] = Counter()
        self.lives = [0, 0]

    def now(self) -> float:
        return self.clock.now().timestamp()

    def used(self, scope: str, window: tuple[int, int], *, of_tokens: bool) -> int:
        seconds, span = window
        oldest = (int(self.now()) // span + 1) * span - seconds
        counted = (one for one in self.counts if scope in one.scopes and one.at >= oldest)
        return sum(one.tokens if of_tokens else one.requests for one in counted)

    def fits(self, scopes: frozenset[str], tokens: int) -> bool:
        for scope in scopes:
            limit = LIMITS[scope]
            for cap in limit.caps:
                window = _DAY if cap.name.endswith("day") else _MINUTE
                amount = tokens if cap.of_tokens else 1
                if self.used(scope, window, of_tokens=cap.of_tokens) + amount > cap.most:
                    return False
            if limit.concurrent and self.running.total() >= limit.concurrent:
                return False
        return True

    @rule(
        target=tickets,
        process=st.integers(0, 1),
        scopes=st.sets(st.sampled_from(sorted(LIMITS)), min_size=1).map(frozenset),
        tokens=st.integers(1, 50),
    )
    def asks(self, process: int, scopes: frozenset[str], tokens: int) -> Any:
        limits = [LIMITS[scope] for scope in sorted(scopes)]
        expected = self.fits(scopes, tokens)
        try:
            ticket = self.processes[process].take_part(limits, tokens, Share(1, 0))
        except RateLimited:
            assert not expected
            nothing: Any = multiple()  # pyright: ignore[reportUnknownVariableType] - hypothesis leaves it open
            return nothing
        assert expected
        count = Count(scopes, self.now(), tokens)
        self.counts.append(count)
        if "deployment" in scopes:
            self.running[process] += 1
        return process, self.lives[process], ticket, count

    @rule(ticket=consumes(tickets), tokens=st.integers(0, 80))
    def leaves(self, ticket: tuple[int, int, Ticket, Count], tokens: int) -> None:
        process, life, taken, count = ticket
        if life != self.lives[process]:
            return  # it died with its process
        self.processes[process].leave(taken, tokens)
        if int(count.at) > int(self.now()) - 61:
            count.tokens = tokens
        elif tokens > count.tokens:
            # What was used beyond the estimate, after that is not counted any more, counts now.
            self.counts.append(Count(count.scopes, self.now(), tokens - count.tokens, requests=0))
        if "deployment" in count.scopes:
            self.running[process] -= 1

    @rule(seconds=st.one_of(st.floats(0, 5), st.floats(20, 70)))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(process=st.integers(0, 1))
    def is_killed_and_starts_again(self, process: int) -> None:
        asyncio.run(self.processes[process].close())
        self.processes[process] = LocalCounters(self.folder, process, self.clock)
        self.lives[process] += 1
        del self.running[process]

    @invariant()
    def no_limit_is_passed_by_what_was_let_in(self) -> None:
        assert self.running.total() <= 3
        recent = [one for one in self.counts if "user" in one.scopes and one.at > self.now() - 60]
        assert sum(one.requests for one in recent) <= 4

    def teardown(self) -> None:
        for process in self.processes:
            asyncio.run(process.close())


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
