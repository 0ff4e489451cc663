"""Starts everything, runs the cases, prints the tables."""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import accounting, others, report, service
from .cases import CASES, WARMUP, Case
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
        with locked(), tempfile.TemporaryDirectory(prefix="llmrouter-bench-") as scratch, Processes() as processes:
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
        smg = others.find_smg(self.options.smg) if self.options.peer != "none" and not self.options.direct else None
        if self.options.peer == "smg" and not smg:
            raise BenchError("no smg: give --smg FILE, set $SMG, or put it on the PATH (pip install smg)")
        upstream, port = self.start_upstream()
        direct = Target(DIRECT, f"http://127.0.0.1:{port}")
        check(direct)
        services = self.start_services(port, smg)
        meter = Meter(self.processes, upstream, services)
        cases = self.cases()
        if cases:
            self.measure(meter, direct, services, cases)
        if self.options.soak:
            for target in services[:1]:
                self.lines += soak(meter, target, self.options.soak)
        if cases:
            self.print(services)
        self.write(services)
        say(f"{time.monotonic() - began:.0f} s")
        return 1 if any(one.outcome.errors for one in self.results.measured.values()) else 0

    def cases(self) -> list[Case]:
        if self.options.only:
            return [case for case in CASES if case.name in self.options.only]
        return [] if self.options.soak else list(CASES)

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
        return others.start_command(self.processes, self.scratch, upstream, given, options.command, options.ready)

    def measure(self, meter: Meter, direct: Target, services: list[Target], cases: list[Case]) -> None:
        self.results.footprints = meter.idle(services, IDLE) if services else {}
        for target in (direct, *services):
            for case in WARMUP:
                meter.measure(case, target, min(1.0, self.options.scale))
        for case in cases:
            say(case.name, end="")
            for target, share in turns(direct, services):
                one = meter.measure(case, target, self.options.scale, share)
                self.results.add(one)
                self.lines.append(row(one, kind="run", share=share))
                say(f" {target.name}" + (f" ({one.outcome.errors} errors)" if one.outcome.errors else ""), end="")
            say("")
        for target in services:
            if target.pid:
                self.results.footprints[target.name].after = accounting.memory(target.pid)

    def print(self, services: list[Target]) -> None:
        names = [target.name for target in services]
        rows = report.figures(self.results, names)
        if self.options.markdown:
            print(report.markdown(rows))
        else:
            tables = [rows, *(report.processes(self.results, name) for name in names), report.shares(self.results)]
            print("\n" + "\n\n".join(report.text(table) for table in tables if table) + "\n")
        for note in report.notes(self.results):
            say(note)

    def write(self, services: list[Target]) -> None:
        if not self.options.json:
            return
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        named = {target.name: target.version for target in services}
        head = {"kind": "bench", "when": when, "machine": report.machine(), "scale": self.options.scale, "services": named}
        footprints = [row(one, kind="footprint", target=name) for name, one in self.results.footprints.items()]
        with self.options.json.open("a") as file:
            for line in (head, *self.lines, *footprints):
                file.write(json.dumps(line) + "\n")


def turns(direct: Target, services: list[Target]) -> Iterator[tuple[Target, float]]:
    """Who is measured when, for which part of the time. The peer's turn lies between the two halves of ours, so that
    a machine that slows down or heats up during the run does so for both."""
    yield direct, 1.0
    if len(services) == 1:
        yield services[0], 1.0
    elif services:
        ours, peer = services
        yield from ((ours, 0.5), (peer, 1.0), (ours, 0.5))


def told_seconds(target: Target) -> str:
    return "" if target.ready_s is None else f" after {target.ready_s:.2f} s"


def say(text: str, end: str = "\n") -> None:
    """Progress goes to standard error, so that standard output is the table alone."""
    print(text, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
