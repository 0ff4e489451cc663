"""The figures of the report: what each is, how it is taken from the results, and what it should be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .cases import C1, C32, PACED8, PACED64, STREAM32
from .measure import Results
from .outcome import PERCENTILES
from .target import DIRECT

Take = Callable[[Results, str], float | None]


@dataclass(frozen=True)
class Limit:
    """At most `most`, or at most `times` the peer's; `known` tells what that was on another machine."""

    most: float | None = None
    times: float | None = None
    known: str = ""

    def value(self, peer: float | None) -> float | None:
        if self.times is not None:
            return None if peer is None else peer * self.times
        return self.most

    def text(self, unit: str, peer: str) -> str:
        if self.times is not None:
            return f"≤ {self.times:g} × {peer}" + (f" ({self.known})" if self.known else "")
        return f"≤ {self.most:g} {unit}" if self.most else "0"


@dataclass(frozen=True)
class Figure:
    label: str
    unit: str
    digits: int
    take: Take
    limit: Limit | None = None

    def text(self, value: float | None) -> str:
        return "–" if value is None else f"{value:,.{self.digits}f}"


def cpu_per_request(case: str) -> Take:
    """Milliseconds."""

    def take(results: Results, target: str) -> float | None:
        one = results.get(case, target)
        spent = one and one.per_request()
        return None if spent is None else spent * 1e3

    return take


def cpu_per_chunk(case: str) -> Take:
    """Microseconds."""

    def take(results: Results, target: str) -> float | None:
        one = results.get(case, target)
        spent = one and one.per_chunk()
        return None if spent is None else spent * 1e6

    return take


def rate(case: str) -> Take:
    """Good requests, or chunks of streams, per second."""

    def take(results: Results, target: str) -> float | None:
        one = results.get(case, target)
        return (one.outcome.chunks or one.outcome.requests) / one.outcome.seconds if one else None

    return take


def taken(case: str, kind: str, percentile: int) -> Take:
    """A percentile as it was measured."""

    def take(results: Results, target: str) -> float | None:
        one = results.get(case, target)
        values = one.outcome.times.get(kind) if one else None
        return values[PERCENTILES.index(percentile)] if values else None

    return take


def added(case: str, kind: str, percentile: int) -> Take:
    """A percentile over the same percentile without a service between."""
    whole = taken(case, kind, percentile)

    def take(results: Results, target: str) -> float | None:
        with_service, without = whole(results, target), whole(results, DIRECT)
        return None if target == DIRECT or with_service is None or without is None else with_service - without

    return take


def idle_memory(results: Results, target: str) -> float | None:
    one = results.footprints.get(target)
    return one and one.idle.total_rss


def memory_after(results: Results, target: str) -> float | None:
    one = results.footprints.get(target)
    return one.after.total_rss if one and one.after else None


def unshared_memory_after(results: Results, target: str) -> float | None:
    one = results.footprints.get(target)
    return one.after.total_pss if one and one.after else None


def idle_cpu(results: Results, target: str) -> float | None:
    one = results.footprints.get(target)
    return one and one.idle_cpu_percent


def ready(results: Results, target: str) -> float | None:
    one = results.footprints.get(target)
    return one and one.ready_s


def errors(results: Results, target: str) -> float | None:
    return float(results.errors(target))


Costs = Mapping[str, Limit]
"""The only limits of a run that compares ours with ours: by how a figure's label begins."""

COSTS_OF_CAPS: Costs = {"CPU per": Limit(times=1.1)}
COSTS_OF_TRANSLATION: Costs = {
    "CPU per request": Limit(times=2.0),
    "CPU per chunk, 32 streams unpaced": Limit(most=25.0),
}

FIRST_TOKEN = Limit(most=1.5)
UNPACED = Limit(times=1.03, known="10 µs")
PACED = Limit(times=1.0, known="50 µs")

FIGURES = (
    Figure("CPU per request, 32 connections", "ms", 3, cpu_per_request(C32), Limit(times=1.7)),
    Figure("CPU per request, 1 connection", "ms", 3, cpu_per_request(C1)),
    Figure("Requests per second, 32 connections", "", 0, rate(C32)),
    Figure("Latency p50, 32 connections", "ms", 2, taken(C32, "latency", 50)),
    Figure("Latency p99, 32 connections", "ms", 2, taken(C32, "latency", 99)),
    Figure("Latency added p50, 1 connection", "ms", 3, added(C1, "latency", 50), Limit(most=1.0)),
    Figure("Latency added p99, 1 connection", "ms", 3, added(C1, "latency", 99)),
    Figure("CPU per chunk, 32 streams unpaced", "µs", 1, cpu_per_chunk(STREAM32), UNPACED),
    Figure("Chunks per second, 32 streams unpaced", "", 0, rate(STREAM32)),
    Figure("CPU per chunk, 64 streams × 50/s", "µs", 1, cpu_per_chunk(PACED64), PACED),
    Figure("First token added p50, 8 streams × 50/s", "ms", 2, added(PACED8, "first", 50), FIRST_TOKEN),
    Figure("First token added p99, 8 streams × 50/s", "ms", 2, added(PACED8, "first", 99)),
    Figure("First token added p50, 64 streams × 50/s", "ms", 2, added(PACED64, "first", 50), FIRST_TOKEN),
    Figure("First token added p99, 64 streams × 50/s", "ms", 2, added(PACED64, "first", 99)),
    Figure("Chunk delay added p50, 64 streams × 50/s", "ms", 2, added(PACED64, "delay", 50)),
    Figure("Chunk delay added p99, 64 streams × 50/s", "ms", 2, added(PACED64, "delay", 99)),
    Figure("Jitter p50, 64 streams × 50/s", "ms", 2, taken(PACED64, "jitter", 50)),
    Figure("Jitter p99, 64 streams × 50/s", "ms", 2, taken(PACED64, "jitter", 99)),
    Figure("Memory idle, RSS", "MB", 0, idle_memory, Limit(most=200)),
    Figure("Memory after load, RSS", "MB", 0, memory_after, Limit(most=200)),
    Figure("Memory after load, PSS", "MB", 0, unshared_memory_after),
    Figure("CPU idle", "%", 1, idle_cpu),
    Figure("Seconds to ready", "s", 2, ready, Limit(most=2.5)),
    Figure("Errors", "", 0, errors, Limit(most=0)),
)
