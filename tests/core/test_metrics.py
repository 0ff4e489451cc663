"""The counters of a process and the text that Prometheus reads."""

from collections.abc import Iterable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.exposition import expose
from core.ledger.record import ANSWERED, FAILED, UsageRecord
from core.metrics import BOUNDS, OTHER, Metrics
from llmrouter.v1.admin_pb2 import GetMetricsRequest
from tests.support.core import Core

SECOND = 1_000_000


def record(
    provider: str = "openai",
    *,
    operation: str = "chat",
    status: int = 200,
    outcome: str = ANSWERED,
    latency: int = SECOND,
    ttft: int | None = None,
    cost: int | None = 502_000,
) -> UsageRecord:
    return UsageRecord(
        request_id="req_1",
        created_at=0,
        user_id=1,
        credential_id=1,
        surface="openai",
        operation=operation,
        requested_model="m",
        provider=provider,
        model="m",
        status_code=status,
        outcome=outcome,
        error_reason="",
        streamed=ttft is not None,
        attempts=1,
        latency_us=latency,
        ttft_us=ttft,
        input_tokens=10,
        output_tokens=20,
        cached_input_tokens=4,
        cache_write_tokens=0,
        reasoning_tokens=5,
        audio_input_tokens=0,
        audio_output_tokens=0,
        token_source="provider",
        cost_nanousd=cost,
        price_source="",
        messages=1,
        prompt_hash="",
    )


def counted(records: Iterable[UsageRecord]) -> Metrics:
    metrics = Metrics("core-3")
    for each in records:
        metrics.closed(each)
    return metrics


def samples(metrics: Metrics) -> dict[str, float]:
    """Each sample by its name and its labels but for the process, as "name{a=b}"."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(expose(metrics)):
        for sample in family.samples:
            assert sample.labels.pop("process") == "core-3"
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}"
            assert name not in found
            found[name] = sample.value
    return found


def test_requests_are_counted_by_what_became_of_them():
    found = samples(
        counted([record(), record(), record(status=429, outcome=FAILED), record("", status=400, outcome=FAILED)])
    )
    name = "llmrouter_requests_total{operation=chat,outcome=%s,provider=%s,status=%s}"
    assert found[name % (ANSWERED, "openai", "2xx")] == 2
    assert found[name % (FAILED, "openai", "4xx")] == 1
    assert found[name % (FAILED, "", "4xx")] == 1


def test_times_are_counted_by_their_bounds_which_are_included():
    found = samples(counted([record(latency=SECOND), record(latency=SECOND + 1), record(latency=1000 * SECOND)]))
    name = "llmrouter_request_duration_seconds_%s{%soperation=chat,provider=openai}"
    assert found[name % ("bucket", "le=0.5,")] == 0
    assert found[name % ("bucket", "le=1.0,")] == 1
    assert found[name % ("bucket", "le=2.5,")] == 2
    assert found[name % ("bucket", "le=600.0,")] == 2
    assert found[name % ("bucket", "le=+Inf,")] == 3
    assert found[name % ("count", "")] == 3
    assert found[name % ("sum", "")] == pytest.approx(1002.000001)


def test_the_first_token_counts_for_streams_alone():
    found = samples(counted([record(), record(ttft=SECOND // 10), record(operation="embedding")]))
    name = "llmrouter_time_to_first_token_seconds_count{operation=%s,provider=openai}"
    assert found[name % "chat"] == 1
    assert name % "embedding" not in found


def test_tokens_and_costs_are_summed():
    found = samples(counted([record(), record(cost=None), record(cost=498_000)]))
    tokens = "llmrouter_tokens_total{kind=%s,operation=chat,provider=openai}"
    assert [found[tokens % kind] for kind in ("input", "output", "cached_input", "reasoning")] == [30, 60, 12, 15]
    assert found["llmrouter_cost_usd_total{operation=chat,provider=openai}"] == pytest.approx(0.001)


def test_tries_at_providers_are_counted_by_how_they_ended():
    metrics = Metrics("core-3")
    for result in ("ok", "ok", "PROVIDER_TIMEOUT"):
        metrics.attempt("openai", result)
    found = samples(metrics)
    name = "llmrouter_upstream_attempts_total{provider=openai,result=%s}"
    assert (found[name % "ok"], found[name % "PROVIDER_TIMEOUT"]) == (2, 1)


def test_what_is_now_is_read_when_it_is_asked_for():
    metrics, waiting = Metrics("core-3"), [5.0]
    metrics.watch("journal_waiting_bytes", "Usage that waits.", lambda: waiting[0])
    metrics.in_flight = 2
    assert samples(metrics)["llmrouter_journal_waiting_bytes{}"] == 5
    waiting[0], metrics.in_flight = 7.0, 3
    assert samples(metrics)["llmrouter_journal_waiting_bytes{}"] == 7
    assert samples(metrics)["llmrouter_requests_in_flight{}"] == 3


def test_the_process_itself_is_there():
    found = samples(Metrics("core-3"))
    assert found["process_resident_memory_bytes{}"] > 0
    assert found["process_cpu_seconds_total{}"] > 0


def test_names_without_end_do_not_fill_the_memory():
    metrics = counted(record(f"provider-{number}") for number in range(3000))
    for number in range(3000):
        metrics.attempt(f"provider-{number}", "ok")
    assert len(metrics.series) == 2001
    assert len(metrics.attempts) == 2001
    assert metrics.series["chat", OTHER].results == {(ANSWERED, 2): 1000}
    assert metrics.attempts[OTHER, "ok"] == 1000


def test_odd_names_of_providers_survive():
    odd = 'a "b" \\ c'
    metrics = counted([record(odd)])
    labels = [
        sample.labels["provider"]
        for family in text_string_to_metric_families(expose(metrics))
        for sample in family.samples
        if sample.name == "llmrouter_requests_total"
    ]
    assert labels == [odd]


def test_the_bounds_rise():
    assert list(BOUNDS) == sorted(set(BOUNDS))


async def test_an_administrator_reads_them_by_grpc(core: Core):
    admin = await core.admin()
    core.deps.metrics.closed(record())
    reply = await core.administration.GetMetrics(GetMetricsRequest(), metadata=admin.metadata)
    assert "llmrouter_requests_total{" in reply.text
