"""The counters of core/metrics.py in Prometheus's text format, with those of the process itself.

Every sample carries the label `process`, so that the figures of several processes can stand in one
answer. prometheus_client is imported at the first scrape: most of it is never needed, and it takes
a tenth of a second.
"""

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.metrics import BOUNDS, Metrics
from core.money import NANOS_PER_DOLLAR

_MICROS = 1_000_000
_TOKENS = ("input", "output", "cached_input", "reasoning")


def expose(metrics: Metrics) -> str:
    """The text. May run in another thread than the one that counts."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics))
    return generate_latest(registry).decode()


class _Collector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        process = {"process": self._metrics.process}
        families = [*_requests(self._metrics), *_usage(self._metrics), *_now(self._metrics)]
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            families.extend(collector.collect())
        for family in families:
            family.samples = [sample._replace(labels={**sample.labels, **process}) for sample in family.samples]
            yield family


def _requests(metrics: Metrics) -> Iterable[Metric]:
    requests = CounterMetricFamily(
        "llmrouter_requests", "Requests that are over.", labels=["operation", "provider", "outcome", "status"]
    )
    latency = HistogramMetricFamily(
        "llmrouter_request_duration_seconds",
        "From a request to the end of its answer.",
        labels=["operation", "provider"],
    )
    ttft = HistogramMetricFamily(
        "llmrouter_time_to_first_token_seconds", "From a request to its first token.", labels=["operation", "provider"]
    )
    for key, series in list(metrics.series.items()):
        for (outcome, status), count in list(series.results.items()):
            requests.add_metric([*key, outcome, f"{status}xx"], count)
        latency.add_metric(key, _buckets(series.latency), series.latency_us / _MICROS)
        if any(series.ttft):
            ttft.add_metric(key, _buckets(series.ttft), series.ttft_us / _MICROS)
    attempts = CounterMetricFamily(
        "llmrouter_upstream_attempts", "Tries at providers, by how they ended.", labels=["provider", "result"]
    )
    for key, count in list(metrics.attempts.items()):
        attempts.add_metric(key, count)
    return requests, latency, ttft, attempts


def _usage(metrics: Metrics) -> Iterable[Metric]:
    tokens = CounterMetricFamily(
        "llmrouter_tokens", "Tokens of requests that are over.", labels=["operation", "provider", "kind"]
    )
    cost = CounterMetricFamily("llmrouter_cost_usd", "What they cost, in US dollars.", labels=["operation", "provider"])
    for key, series in list(metrics.series.items()):
        for kind in _TOKENS:
            tokens.add_metric([*key, kind], getattr(series, f"{kind}_tokens"))
        cost.add_metric(key, series.cost_nanousd / NANOS_PER_DOLLAR)
    return tokens, cost


def _now(metrics: Metrics) -> Iterable[Metric]:
    yield GaugeMetricFamily("llmrouter_requests_in_flight", "Requests being answered now.", value=metrics.in_flight)
    for gauge in metrics.gauges:
        yield GaugeMetricFamily(f"llmrouter_{gauge.name}", gauge.meaning, value=gauge.read())


def _buckets(counts: list[int]) -> list[tuple[str, Any]]:
    bounds = [*(repr(bound / _MICROS) for bound in BOUNDS), "+Inf"]
    return list(zip(bounds, accumulate(counts), strict=True))
