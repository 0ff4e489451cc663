"""What one run of the load client found, as it passes from its process to the orchestrator."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

PERCENTILES = (50, 90, 99)
MAX_SAMPLES = 3


@dataclass
class Outcome:
    """Counts are of good answers; `times` holds the percentiles of each kind of time, in milliseconds.

    latency  request sent → answer complete       delay    chunk sent by the upstream → seen here
    first    request sent → first content chunk   jitter   distance of chunk gaps from the pace
    """

    requests: int = 0
    chunks: int = 0
    seconds: float = 0.0
    errors: int = 0
    samples: list[str] = field(default_factory=list[str])
    times: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Outcome":
        return cls(**cast("dict[str, Any]", json.loads(line)))

    def plus(self, other: "Outcome") -> "Outcome":
        """Both halves of an interleaved measurement. Percentiles are averaged: the halves are equally long."""
        return Outcome(
            requests=self.requests + other.requests,
            chunks=self.chunks + other.chunks,
            seconds=self.seconds + other.seconds,
            errors=self.errors + other.errors,
            samples=[*self.samples, *other.samples][:MAX_SAMPLES],
            times={
                name: [(a + b) / 2 for a, b in zip(values, other.times[name], strict=True)]
                for name, values in self.times.items()
                if name in other.times
            },
        )



def percentiles(seconds: Sequence[float]) -> list[float]:
    """PERCENTILES of the values, in milliseconds."""
    ordered = sorted(seconds)
    return [round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)] * 1000, 3) for p in PERCENTILES]
