"""What this process has counted since it started, to be read by Prometheus (core/exposition.py).

The hot path adds to plain attributes and nothing else; names, labels and text are made when somebody
asks. `closed` is called once for each request, with its usage record, and takes about a microsecond.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

# Upper bounds in microseconds: from 5 ms, which only a refusal takes, to 10 minutes, the longest answer.
BOUNDS = (
    *(5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000),
    *(1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000, 120_000_000, 300_000_000, 600_000_000),
)

# Providers are many at most; should something name them without end, the rest are counted together.
_MAX_SERIES = 2000
OTHER = "(other)"


class Closed(Protocol):
    """What is read of a usage record (core/ledger/record.py). Times are in microseconds."""

    @property
    def operation(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def status_code(self) -> int: ...
    @property
    def latency_us(self) -> int: ...
    @property
    def ttft_us(self) -> int | None: ...
    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cached_input_tokens(self) -> int: ...
    @property
    def reasoning_tokens(self) -> int: ...
    @property
    def cost_nanousd(self) -> int | None: ...


def _buckets() -> list[int]:
    return [0] * (len(BOUNDS) + 1)


@dataclass(slots=True)
class Series:
    """The requests of one operation to one provider ("" for those that reached none)."""

    results: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])  # (outcome, status // 100)
    latency: list[int] = field(default_factory=_buckets)  # requests by bound, the last bucket has none
    latency_us: int = 0
    ttft: list[int] = field(default_factory=_buckets)
    ttft_us: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanousd: int = 0


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure that somebody else keeps and that is read when it is asked for."""

    name: str  # with its unit, such as "journal_waiting_bytes"
    meaning: str
    read: Callable[[], float]


class Metrics:
    """The counters of one process."""

    def __init__(self, process: str = "core-0") -> None:
        self.process = process
        self.in_flight = 0  # requests that are being answered now
        self.series: dict[tuple[str, str], Series] = {}
        self.attempts: dict[tuple[str, str], int] = {}
        self.gauges: list[Gauge] = []

    def closed(self, record: Closed) -> None:
        """Counts a request that is over."""
        series = self.series.get((record.operation, record.provider))
        if series is None:
            series = self._begin(record.operation, record.provider)
        result = (record.outcome, record.status_code // 100)
        series.results[result] = series.results.get(result, 0) + 1
        latency = record.latency_us
        series.latency[bisect_left(BOUNDS, latency)] += 1
        series.latency_us += latency
        ttft = record.ttft_us
        if ttft is not None:
            series.ttft[bisect_left(BOUNDS, ttft)] += 1
            series.ttft_us += ttft
        series.input_tokens += record.input_tokens
        series.output_tokens += record.output_tokens
        series.cached_input_tokens += record.cached_input_tokens
        series.reasoning_tokens += record.reasoning_tokens
        series.cost_nanousd += record.cost_nanousd or 0

    def attempt(self, provider: str, result: str) -> None:
        """Counts one try at a provider; result: "ok", or the reason of the error that ended it."""
        key = (provider, result)
        if key not in self.attempts and len(self.attempts) >= _MAX_SERIES:
            key = (OTHER, result)
        self.attempts[key] = self.attempts.get(key, 0) + 1

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Shows a figure that somebody else keeps."""
        self.gauges.append(Gauge(name, meaning, read))

    def _begin(self, operation: str, provider: str) -> Series:
        if len(self.series) >= _MAX_SERIES:
            provider = OTHER
        return self.series.setdefault((operation, provider), Series())
