"""The cases of a run: what is sent, and for how long."""

from dataclasses import dataclass

from .load import Plan
from .target import Target


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

    def plan(self, target: Target, scale: float) -> Plan:
        """One run of the load client."""
        return Plan(
            url=target.url,
            model=target.model,
            wire=target.wire,
            connections=self.connections,
            seconds=max(0.3, self.seconds * scale) if self.seconds else 0.0,
            rounds=max(1, round(self.rounds * scale)) if self.rounds else 0,
            chunks=self.chunks,
            delay=self.delay,
            limit=(self.seconds + self.rounds * self.chunks * self.delay / 1000) * max(1.0, scale) + 20,
        )


C1, C32, STREAM32, PACED8, PACED64 = "c1", "c32", "stream32", "paced8", "paced64"

# Times are those of one turn; a service has two of them, the bare upstream one.
CASES = (
    Case(C1, connections=1, seconds=1.5),
    Case(C32, connections=32, seconds=2.0),
    Case(STREAM32, connections=32, seconds=2.0, chunks=200),
    # short streams, for only their beginning matters here
    Case(PACED8, connections=8, rounds=3, chunks=25, delay=20),
    Case(PACED64, connections=64, rounds=1, chunks=100, delay=20),
)
WARMUP = (
    Case("warmup", connections=8, seconds=1.2),
    Case("warmup-streams", connections=8, seconds=0.8, chunks=100),
)
