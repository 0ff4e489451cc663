"""Starts everything, runs the cases, prints the tables."""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import accounting, others, report, service
from .cases import CASES, WARMUP, Case
from .figures import COSTS_OF_CAPS, COSTS_OF_TRANSLATION, Costs
from .lock import locked
from .measure import Meter, Results, row
from .options import Options, parse
from .processes import BenchError, Processes
from .soak import soak
from .target import DIRECT, Target, check

IDLE = 1.0


def main() -> int:
    options = parse()
    try:
        with (
            locked(),
            tempfile.TemporaryDirectory(prefix="llmrouter-bench-") as scratch,
            Processes() as processes,
        ):
            return Bench(options, processes, Path(scratch)).run()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1


class Bench:
    """One run."""

    def __init__(self, options: Options, processes: Processes, scratch: Path) -> None:
        self.options, self.processes, self.scratch = options, processes, scratch
        self.results = Results()
        self.lines: list[dict[str, Any]] = []

    def run(self) -> int:
        began = time.monotonic()
        say(report.machine())
        # before anything is started: a peer that is not there should not cost half a minute
        smg = None if self.comparison else self.find_peer()
        upstream, port = self.start_upstream()
        direct = Target(DIRECT, f"http://127.0.0.1:{port}")
        check(direct)
        services = self.start_services(port, smg)
        meter = Meter(self.processes, upstream, services)
        cases = self.cases()
        failed = False
        if cases:
            self.measure(meter, direct, services, cases)
            failed = any(one.outcome.errors for one in self.results.measured.values())
        if self.options.soak:
            for target in services[:1]:
                steps = soak(meter, target, self.options.soak)
                self.lines += steps
                failed = failed or bool(steps[-1]["errors"])
        if cases:
            self.print(services)
        self.write(services)
        say(f"{time.monotonic() - began:.0f} s")
        return int(failed)

    @property
    def comparison(self) -> tuple[str, Costs] | None:
        """Ours in another way beside ours as usual, and what that may cost."""
        if self.options.caps:
            return service.CAPPED, COSTS_OF_CAPS
        return (service.TRANSLATED, COSTS_OF_TRANSLATION) if self.options.translated else None

    def cases(self) -> list[Case]:
        if self.options.only:
            return [case for case in CASES if case.name in self.options.only]
        return [] if self.options.soak else list(CASES)

    def find_peer(self) -> str | None:
        """The smg executable, if the run is to have a peer."""
        wanted = self.options.peer
        if wanted == "none" or self.options.direct:
            return None
        smg = others.find_smg(self.options.smg)
        if wanted == "smg" and not smg:
            raise BenchError("no smg: give --smg FILE, set $SMG, or put it on the PATH (pip install smg)")
        return smg

    def start_upstream(self) -> tuple[int, int]:
        """Its process id and port."""
        command = [sys.executable, "-m", f"{__package__}.upstream", "--port", str(self.options.upstream_port)]
        process = self.processes.start(command)
        assert process.stdout is not None
        told = process.stdout.readline()
        if not told:
            raise BenchError("the mock upstream did not start")
        return process.pid, int(told)

    def start_services(self, upstream: int, smg: str | None) -> list[Target]:
        """The service under test first, then the peer."""
        if self.options.direct:
            return []
        services = [self.start_service(upstream)]
        if self.comparison:
            services.insert(0, service.start(self.processes, self.scratch, upstream, self.comparison[0]))
        say(f"{services[0].name} is ready" + told_seconds(services[0]))
        if smg:
            services.append(others.start_smg(self.processes, self.scratch, upstream, smg))
            say(f"{services[1].version} is ready" + told_seconds(services[1]))
        for target in services:
            check(target)
        return services

    def start_service(self, upstream: int) -> Target:
        options = self.options
        if not options.url:
            return service.start(self.processes, self.scratch, upstream)
        given = Target(options.name, options.url, options.model, options.key, options.pid)
        if not options.command:
            return given
        command, ready = options.command, options.ready
        return others.start_command(self.processes, self.scratch, upstream, given, command, ready)

    def measure(self, meter: Meter, direct: Target, services: list[Target], cases: list[Case]) -> None:
        self.results.footprints = meter.idle(services, IDLE) if services else {}
        for target in (direct, *services):
            for case in WARMUP:
                meter.measure(case, target, min(1.0, self.options.scale))
        for case in cases:
            say(case.name, end="")
            for target in turns(direct, services) * self.options.repeat:
                one = meter.measure(case, target, self.options.scale)
                self.results.add(one)
                self.lines.append(row(one, kind="run"))
                errors = one.outcome.errors
                say(f" {target.name}" + (f" ({errors} errors)" if errors else ""), end="")
            say("")
        for target in services:
            if target.pid:
                self.results.footprints[target.name].after = accounting.memory(target.pid)

    def print(self, services: list[Target]) -> None:
        names = [target.name for target in services]
        rows = report.figures(self.results, names, self.comparison[1] if self.comparison else None)
        if self.options.markdown:
            print(report.markdown(rows))
        else:
            details = [report.processes(self.results, name) for name in names]
            tables = [rows, *details, report.shares(self.results)]
            print("\n" + "\n\n".join(report.text(table) for table in tables if table) + "\n")
        for note in report.notes(self.results):
            say(note)

    def write(self, services: list[Target]) -> None:
        if not self.options.json:
            return
        head = {
            "kind": "bench",
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": report.machine(),
            "scale": self.options.scale,
            "services": {target.name: target.version for target in services},
        }
        seen = self.results.footprints.items()
        footprints = [row(one, kind="footprint", target=name) for name, one in seen]
        with self.options.json.open("a") as file:
            for line in (head, *self.lines, *footprints):
                file.write(json.dumps(line) + "\n")


def turns(direct: Target, services: list[Target]) -> list[Target]:
    """Who is measured when: ours first and last and the peer between, so that a machine that slows down does
    so for both. All turns are equally long, because the first requests of each cost more.
    """
    return [direct, *services, *reversed(services)]


def told_seconds(target: Target) -> str:
    return "" if target.ready_s is None else f" after {target.ready_s:.2f} s"


def say(text: str, end: str = "\n") -> None:
    """Progress goes to standard error, so that standard output is the table alone."""
    print(text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
