"""One measurement: run the load client, and see what every process spent meanwhile."""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from . import accounting
from .accounting import Memory
from .cases import Case
from .load import KEY_VARIABLE, Plan
from .outcome import Outcome
from .processes import BenchError, Processes, clean_environment
from .target import DIRECT, Target

SETTLE = 0.3
"""Seconds after the load: what a service writes later, in batches, belongs to the requests that caused it."""


@dataclass
class Measured:
    """A case on a target. Spent CPU in seconds: the service's by process, the rest by what it was for."""

    case: str
    target: str
    outcome: Outcome
    service_s: dict[str, float]
    upstream_s: float
    load_s: float
    other_s: float
    wall_s: float

    def per_request(self, name: str | None = None) -> float | None:
        """CPU seconds for one good answer, of one process or of the whole service."""
        return self._per(self.outcome.requests, name)

    def per_chunk(self, name: str | None = None) -> float | None:
        return self._per(self.outcome.chunks, name)

    def _per(self, count: int, name: str | None) -> float | None:
        spent = sum(self.service_s.values()) if name is None else self.service_s.get(name, 0.0)
        return spent / count if count and self.service_s else None

    @property
    def other_cores(self) -> float:
        return self.other_s / self.wall_s

    def plus(self, later: "Measured") -> "Measured":
        """Several turns as one."""
        names = self.service_s | later.service_s
        return Measured(
            self.case,
            self.target,
            self.outcome.plus(later.outcome),
            {name: self.service_s.get(name, 0.0) + later.service_s.get(name, 0.0) for name in names},
            self.upstream_s + later.upstream_s,
            self.load_s + later.load_s,
            self.other_s + later.other_s,
            self.wall_s + later.wall_s,
        )


@dataclass
class Footprint:
    """What a service takes when nothing is asked of it, and after the load."""

    ready_s: float | None
    version: str
    idle: Memory
    idle_cpu_percent: float
    after: Memory | None = None


@dataclass
class Results:
    """Everything a run has found, for the report."""

    measured: dict[tuple[str, str], Measured] = field(default_factory=dict[tuple[str, str], Measured])
    footprints: dict[str, Footprint] = field(default_factory=dict[str, Footprint])

    def add(self, one: Measured) -> None:
        place = one.case, one.target
        before = self.measured.get(place)
        self.measured[place] = before.plus(one) if before else one

    def get(self, case: str, target: str) -> Measured | None:
        return self.measured.get((case, target))

    def errors(self, target: str) -> int:
        return sum(one.outcome.errors for one in self.measured.values() if one.target == target)


@dataclass(frozen=True)
class _Moment:
    time: float
    trees: dict[str, dict[str, float]]
    load: float
    own: float
    machine: float


class Meter:
    """Knows all processes of the run, so that what is left of the machine's time is other people's."""

    def __init__(self, processes: Processes, upstream: int, targets: Sequence[Target]) -> None:
        self.processes = processes
        self.roots = {DIRECT: upstream} | {t.name: t.pid for t in targets if t.pid}

    def moment(self) -> _Moment:
        return _Moment(
            time=time.monotonic(),
            trees={name: accounting.cpu(root) for name, root in self.roots.items()},
            load=accounting.ended_children_cpu(),
            own=accounting.own_cpu(),
            machine=accounting.machine_cpu(),
        )

    def measure(self, case: Case, target: Target, scale: float) -> Measured:
        before = self.moment()
        outcome = self.load(case.plan(target, scale), target.key)
        time.sleep(SETTLE)
        after = self.moment()
        spent = {
            root: {name: cpu - before.trees[root].get(name, 0.0) for name, cpu in tree.items()}
            for root, tree in after.trees.items()
        }
        load, own = after.load - before.load, after.own - before.own
        ours = load + own + sum(sum(tree.values()) for tree in spent.values())
        return Measured(
            case=case.name,
            target=target.name,
            outcome=outcome,
            service_s={} if target.name == DIRECT else spent.get(target.name, {}),
            upstream_s=sum(spent[DIRECT].values()),
            load_s=load,
            other_s=max(0.0, after.machine - before.machine - ours),
            wall_s=after.time - before.time,
        )

    def load(self, plan: Plan, key: str | None) -> Outcome:
        environment = clean_environment() | ({KEY_VARIABLE: key} if key else {})
        command = [sys.executable, "-m", f"{__package__}.load", *plan.arguments()]
        client = self.processes.start(command, environment=environment)
        printed, _ = client.communicate()
        self.processes.stop(client)
        if client.returncode:
            raise BenchError(f"the load client ended with {client.returncode}")
        return Outcome.from_json(printed)

    def idle(self, targets: Sequence[Target], seconds: float) -> dict[str, Footprint]:
        time.sleep(SETTLE)
        before = self.moment()
        time.sleep(seconds)
        after = self.moment()
        passed = after.time - before.time
        found: dict[str, Footprint] = {}
        for target in targets:
            if target.pid:
                spent = sum(after.trees[target.name].values()) - sum(before.trees[target.name].values())
                memory = accounting.memory(target.pid)
                found[target.name] = Footprint(target.ready_s, target.version, memory, 100 * spent / passed)
        return found


def row(one: Measured | Footprint, **more: Any) -> dict[str, Any]:
    """A line for the JSON file."""
    return {**more, **asdict(one)}
