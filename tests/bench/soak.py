"""Many requests, and the memory after every tenth of them: it must be flat."""

from dataclasses import asdict, dataclass

from . import accounting
from .load import Plan
from .measure import Meter
from .processes import BenchError
from .target import Target

STEPS = 10
SETTLED = 3
"""The first steps fill pools and caches of a fixed size; a leak shows in the others."""

CONNECTIONS = 32
HEAD = f"\n{'requests':>10}{'req/s':>10}{'errors':>8}{'RSS MB':>10}{'PSS MB':>10}   RSS by process"


@dataclass
class Step:
    requests: int
    per_second: float
    errors: int
    rss_mb: dict[str, float]
    pss_mb: float

    @property
    def total_rss_mb(self) -> float:
        return sum(self.rss_mb.values())

    def line(self) -> str:
        parts = "  ".join(f"{name} {mb:.1f}" for name, mb in self.rss_mb.items())
        numbers = f"{self.requests:>10,}{self.per_second:>10,.0f}{self.errors:>8,}"
        return f"{numbers}{self.total_rss_mb:>10.1f}{self.pss_mb:>10.1f}   {parts}"


def soak(meter: Meter, target: Target, requests: int) -> list[dict[str, object]]:
    """Prints while it goes; returns the lines for the JSON file."""
    if target.pid is None:
        raise BenchError("a soak needs a process to look at")
    print(HEAD, flush=True)
    steps: list[Step] = []
    sent = errors = 0
    for number in range(STEPS + 1):
        per_second = 0.0
        if number:
            share = requests * number // STEPS - sent
            plan = Plan(target.url, target.model, target.wire, CONNECTIONS, requests=share, limit=60 + share / 20)
            outcome = meter.load(plan, target.key)
            sent, errors = sent + share, errors + outcome.errors
            per_second = outcome.requests / outcome.seconds
        memory = accounting.memory(target.pid)
        steps.append(Step(sent, per_second, errors, memory.rss, memory.total_pss))
        print(steps[-1].line(), flush=True)
    settled, last = steps[SETTLED], steps[-1]
    grown = last.total_rss_mb - settled.total_rss_mb
    each = grown * accounting.MB / max(1, last.requests - settled.requests)
    between = f"from {settled.requests:,} to {last.requests:,} requests"
    print(f"{between}: {grown:+.1f} MB, {each:+.0f} bytes a request")
    return [{"kind": "soak", "target": target.name, **asdict(step)} for step in steps]
