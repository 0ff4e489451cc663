"""The facade's own counts, and several processes' metrics as one text."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from facade.exposition import merge
from facade.metrics import BOUNDS, Metrics

CORE = """# HELP llmrouter_calls_total Calls.
# TYPE llmrouter_calls_total counter
llmrouter_calls_total{model="a\\"b"} 3
# HELP llmrouter_open Open.
# TYPE llmrouter_open gauge
llmrouter_open 2
"""


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_surface_and_class_of_status():
    metrics = Metrics(("console", "openai"))
    metrics.observe(0, 200, 0.001)
    metrics.observe(0, 204, 0.2)
    metrics.observe(1, 499, 1000)
    metrics.in_flight = 3
    found = samples(metrics.text())
    assert found["llmrouter_http_requests_total", (("status", "2xx"), ("surface", "console"))] == 2
    assert found["llmrouter_http_requests_total", (("status", "4xx"), ("surface", "openai"))] == 1
    assert found["llmrouter_http_requests_in_flight", ()] == 3
    name = "llmrouter_http_request_duration_seconds"
    assert found[f"{name}_sum", (("surface", "console"),)] == pytest.approx(0.201)
    assert found[f"{name}_count", (("surface", "openai"),)] == 1
    assert found[f"{name}_bucket", (("le", "0.005"), ("surface", "console"))] == 1
    assert found[f"{name}_bucket", (("le", "0.25"), ("surface", "console"))] == 2
    assert found[f"{name}_bucket", (("le", str(BOUNDS[-1])), ("surface", "openai"))] == 0
    assert found[f"{name}_bucket", (("le", "+Inf"), ("surface", "openai"))] == 1


def test_a_status_that_does_not_exist_is_counted_too():
    metrics = Metrics(("console",))
    metrics.observe(0, 999, 0.1)
    assert samples(metrics.text())["llmrouter_http_requests_total", (("status", "9xx"), ("surface", "console"))] == 1


def test_a_duration_on_a_bound_belongs_to_it():
    metrics = Metrics(("console",))
    metrics.observe(0, 200, BOUNDS[0])
    bucket = "llmrouter_http_request_duration_seconds_bucket"
    assert samples(metrics.text())[bucket, (("le", str(BOUNDS[0])), ("surface", "console"))] == 1


def test_each_process_has_its_own_samples_under_one_type():
    merged = merge({"core-0": CORE, "core-1": CORE, "core-2": None, "core-3": 'broken{ "'})
    assert merged.count(b"# TYPE llmrouter_calls_total counter") == 1
    found = samples(merged)
    assert found["llmrouter_calls_total", (("model", 'a"b'), ("process", "core-0"))] == 3
    assert found["llmrouter_open", (("process", "core-1"),)] == 2
    up = [found["llmrouter_up", (("process", f"core-{place}"),)] for place in range(4)]
    assert up == [1, 1, 0, 0]


def test_a_process_that_disagrees_about_a_type_does_not_make_the_text_invalid():
    other = "# TYPE llmrouter_open summary\nllmrouter_open_sum 9\nllmrouter_open_count 1\n"
    found = samples(merge({"core-0": CORE, "core-1": other}))
    assert [key for key in found if key[0].startswith("llmrouter_open")] == [
        ("llmrouter_open", (("process", "core-0"),))
    ]
