"""Load client: a closed loop over N connections, one JSON line (see outcome.py) on standard output.

    load --url U --connections 32 --seconds 4                       requests
    load --url U --connections 32 --seconds 4 --chunks 200          streams as fast as they come
    load --url U --connections 64 --rounds 2 --chunks 100 --delay 20   paced streams: added delay, jitter

Its own process, so that its CPU is not the service's, and one for each run, so that nothing is left over from
the last.
"""

import argparse
import asyncio
import gc
import json
import os
from dataclasses import asdict, dataclass
from itertools import pairwise
from urllib.parse import urlsplit

import uvloop

from .connection import Connection, now
from .outcome import MAX_SAMPLES, Outcome, percentiles
from .payloads import MODEL
from .wires import OPENAI, WIRES

MAX_ERRORS = 200
KEY_VARIABLE = "BENCH_KEY"
"""The API key comes in the environment: an argument would show up in every `ps`."""


@dataclass(frozen=True)
class Plan:
    """What to send; one of seconds, requests (in all) and rounds (of each connection) ends the run."""

    url: str
    model: str = MODEL
    wire: str = OPENAI
    connections: int = 1
    seconds: float = 0.0
    requests: int = 0
    rounds: int = 0
    chunks: int = 0
    delay: int = 0
    limit: float = 60.0

    def arguments(self) -> list[str]:
        """The command line that `main` turns into this plan again."""
        return [word for name, value in asdict(self).items() for word in (f"--{name}", str(value))]


def render(plan: Plan, key: str | None) -> bytes:
    """The whole request, head and body: it is the same every time."""
    directive = f"@mock n={plan.chunks} delay={plan.delay}" if plan.chunks else ""
    body = json.dumps(WIRES[plan.wire].body(plan.model, bool(plan.chunks), directive)).encode()
    url = urlsplit(plan.url)
    head = [
        f"POST {url.path} HTTP/1.1",
        f"Host: {url.netloc}",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if key:
        head.append(f"Authorization: Bearer {key}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Load:
    """Drives the connections and keeps the books."""

    def __init__(self, plan: Plan, key: str | None) -> None:
        self.plan = plan
        self.request = render(plan, key)
        url = urlsplit(plan.url)
        self.address = url.hostname or "127.0.0.1", url.port or 80
        self.claimed = 0
        self.until = 0.0
        self.last_answer = 0.0
        self.outcome = Outcome()
        self.latencies: list[float] = []
        self.firsts: list[float] = []
        self.delays: list[float] = []
        self.jitter: list[float] = []

    async def run(self) -> Outcome:
        connections = [await self.connect() for _ in range(self.plan.connections)]
        start = now()
        self.until = start + self.plan.seconds
        lanes = [asyncio.ensure_future(self.lane(i, c)) for i, c in enumerate(connections)]
        _, late = await asyncio.wait(lanes, timeout=self.plan.limit)
        for lane in late:
            lane.cancel()
            self.fail("no end within the time limit")
        done = [lane for lane in lanes if lane not in late]
        await asyncio.gather(*done)  # a bug of the client must not look like a fast service
        return self.summary(max(self.last_answer - start, 1e-6))

    async def connect(self) -> Connection:
        def make() -> Connection:
            return Connection(self.request, self.answered, stamped=self.plan.delay > 0)

        return (await asyncio.get_running_loop().create_connection(make, *self.address))[1]

    async def lane(self, number: int, connection: Connection) -> None:
        """Keeps one connection busy. Most requests are sent by `answered`; this one begins and mends."""
        if self.plan.delay:
            # real streams have unrelated phases; begun together, all chunks would come in bursts
            await asyncio.sleep(0.4 * number / self.plan.connections)
        rounds = 0
        while self.claim(rounds):
            rounds += 1
            if connection.transport is None:
                try:
                    connection = await self.connect()
                except OSError as error:
                    self.fail(f"cannot connect: {error}")
                    await asyncio.sleep(0.05)
                    continue
            connection.idle = asyncio.get_running_loop().create_future()
            connection.send()
            await connection.idle

    def claim(self, rounds: int = 0) -> bool:
        """May a connection that has done so many rounds send one more request?"""
        if self.outcome.errors >= MAX_ERRORS:
            return False
        if self.plan.rounds:
            return rounds < self.plan.rounds
        if self.plan.requests:
            self.claimed += 1
            return self.claimed <= self.plan.requests
        return now() < self.until

    def answered(self, connection: Connection) -> bool:
        self.last_answer = connection.done
        if fault := self.fault(connection):
            self.fail(fault)
        else:
            self.record(connection)
        if self.plan.rounds or connection.transport is None:
            return False  # the lane goes on
        return self.claim()

    def fault(self, answer: Connection) -> str:
        """What is wrong with an answer, or nothing."""
        expected = self.plan.chunks or 1
        if answer.status != 200:
            return f"status {answer.status}" if answer.status else "connection lost before an answer"
        if not answer.whole:
            return f"cut off after {answer.chunks} of {expected} chunks"
        if answer.chunks != expected:
            return f"{answer.chunks} of {expected} chunks"
        if self.plan.chunks and (end := WIRES[self.plan.wire].end) not in answer.tail:
            return f"no {end.decode()}"
        if self.plan.delay and len(answer.delays) != expected:
            return f"{len(answer.delays)} of {expected} send stamps"
        return ""

    def fail(self, reason: str) -> None:
        self.outcome.errors += 1
        if len(self.outcome.samples) < MAX_SAMPLES and reason not in self.outcome.samples:
            self.outcome.samples.append(reason)

    def record(self, answer: Connection) -> None:
        self.outcome.requests += 1
        self.latencies.append(answer.done - answer.sent)
        if not self.plan.chunks:
            return
        self.outcome.chunks += answer.chunks
        self.firsts.append(answer.first - answer.sent)
        if self.plan.delay:
            pace = self.plan.delay / 1000
            self.delays += answer.delays
            self.jitter += [abs(b - a - pace) for a, b in pairwise(answer.arrivals)]

    def summary(self, seconds: float) -> Outcome:
        kinds = {
            "latency": self.latencies,
            "first": self.firsts,
            "delay": self.delays,
            "jitter": self.jitter,
        }
        self.outcome.seconds = round(seconds, 3)
        self.outcome.times = {name: percentiles(values) for name, values in kinds.items() if values}
        return self.outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    defaults: dict[str, str | int | float] = asdict(Plan(url=""))
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    plan = Plan(**vars(parser.parse_args()))
    gc.disable()  # short-lived, and a collection in the middle would show up as the service's latency
    try:
        print(uvloop.run(Load(plan, os.environ.get(KEY_VARIABLE)).run()).to_json())
    except OSError as error:
        raise SystemExit(f"load: {plan.url}: {error}") from None


if __name__ == "__main__":
    main()
