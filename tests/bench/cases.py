"""The cases of a run: what is sent, and for how long."""

from dataclasses import dataclass

from .load import Plan
from .target import DIRECT, Target


@dataclass(frozen=True)
class Case:
    """Timed by seconds, or, when paced, by rounds of whole streams."""

    name: str
    connections: int
    seconds: float = 0.0
    rounds: int = 0
    chunks: int = 0
    delay: int = 0

    @property
    def streamed(self) -> bool:
        return self.chunks > 0

    def plan(self, target: Target, scale: float, share: float) -> Plan:
        """One run of the load client; `share` is the part of the case's time that this run gets."""
        part = scale * share * (DIRECT_SHARE if target.name == DIRECT else 1.0)
        return Plan(
            url=target.url,
            model=target.model,
            connections=self.connections,
            seconds=max(0.3, self.seconds * part) if self.seconds else 0.0,
            rounds=max(1, round(self.rounds * part)) if self.rounds else 0,
            chunks=self.chunks,
            delay=self.delay,
            limit=self.seconds + self.rounds * self.chunks * self.delay / 1000 + 20,
        )


DIRECT_SHARE = 0.5
"""The bare upstream is steady, so it needs less time than a service."""

C1, C32, STREAM32, PACED8, PACED64 = "c1", "c32", "stream32", "paced8", "paced64"

CASES = (
    Case(C1, connections=1, seconds=3.0),
    Case(C32, connections=32, seconds=4.0),
    Case(STREAM32, connections=32, seconds=4.0, chunks=200),
    # short streams, for only their beginning matters here
    Case(PACED8, connections=8, rounds=6, chunks=25, delay=20),
    Case(PACED64, connections=64, rounds=2, chunks=100, delay=20),
)
WARMUP = (
    Case("warmup", connections=8, seconds=1.2),
    Case("warmup-streams", connections=8, seconds=0.8, chunks=100),
)
