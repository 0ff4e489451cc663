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
    turns: int = 1

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Outcome":
        return cls(**cast("dict[str, Any]", json.loads(line)))

    def plus(self, other: "Outcome") -> "Outcome":
        """Several turns as one. Percentiles are averaged over the turns, which are equally long."""

        def mean(mine: list[float], theirs: list[float]) -> list[float]:
            both = zip(mine, theirs, strict=True)
            return [(a * self.turns + b * other.turns) / (self.turns + other.turns) for a, b in both]

        return Outcome(
            requests=self.requests + other.requests,
            chunks=self.chunks + other.chunks,
            seconds=self.seconds + other.seconds,
            errors=self.errors + other.errors,
            samples=[*self.samples, *other.samples][:MAX_SAMPLES],
            times={k: mean(v, other.times[k]) for k, v in self.times.items() if k in other.times},
            turns=self.turns + other.turns,
        )


def percentiles(seconds: Sequence[float]) -> list[float]:
    """PERCENTILES of the values, in milliseconds."""
    ordered = sorted(seconds)
    return [round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)] * 1000, 3) for p in PERCENTILES]
