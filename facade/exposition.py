"""Several processes' metrics as one valid text: each family once, each sample with its process.

core-0 ─┐
facade-0 ├─► {family → samples with process="…"} ─► one text
facade-1 ─┘
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Merged(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def merge(texts: Mapping[str, str | None]) -> bytes:
    """One text of many.

    texts: process → its metrics in Prometheus's text format, None where it did not answer (it is
    reported as down). Where two processes disagree about a family's type, the first one's counts.
    """
    families: dict[str, Metric] = {}
    up = GaugeMetricFamily("llmrouter_up", "Whether the process told its metrics.", labels=["process"])
    for process, text in texts.items():
        parsed = _parsed(text)
        up.add_metric([process], 0 if parsed is None else 1)
        for family in parsed or ():
            merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            if merged.type != family.type:
                continue
            for sample in family.samples:
                merged.samples.append(sample._replace(labels={**sample.labels, "process": process}))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Merged([*families.values(), up]))
    return generate_latest(registry)


def _parsed(text: str | None) -> list[Metric] | None:
    if text is None:
        return None
    try:
        return list(text_string_to_metric_families(text))
    except ValueError:
        return None
