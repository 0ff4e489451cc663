"""The command line."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from . import payloads
from .cases import CASES


@dataclass(frozen=True)
class Options:
    """What was asked for, as in `--help`."""

    only: list[str]
    scale: float
    repeat: int
    soak: int
    peer: str
    smg: str | None
    caps: bool
    translated: bool
    direct: bool
    json: Path | None
    markdown: bool
    command: str
    url: str
    pid: int | None
    key: str | None
    name: str
    model: str
    ready: str
    upstream_port: int


def parse() -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure llmrouter here: CPU, latency and memory, over the bare upstream and beside smg.",
    )
    add_run(parser)
    add_other_service(parser)
    options = Options(**vars(parser.parse_args()))
    if options.caps and options.translated:
        parser.error("--caps and --translated are two comparisons: one at a time")
    if options.command and not options.url:
        parser.error("--cmd needs --url")
    if options.url and not options.command and not options.upstream_port:
        parser.error("--url without --cmd needs --upstream-port, where the service finds the mock upstream")
    return options


def add_run(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    names = [case.name for case in CASES]
    add("--only", nargs="+", default=[], choices=names, metavar="CASE", help="some cases: %(choices)s")
    add("--scale", type=float, default=1.0, help="times the durations: 0.3 is a quick look, 3 is steadier")
    add("--repeat", type=int, default=1, metavar="N", help="N times the turns, for a noisy machine")
    add("--soak", type=int, default=0, metavar="N", help="N requests, and memory; cases only by --only")
    add("--peer", choices=["auto", "smg", "none"], default="auto", help="auto: smg if there is one")
    add("--smg", metavar="FILE", help="the smg executable; else $SMG, else the PATH")
    add("--caps", action="store_true", help="ours with a budget and limits, beside ours without")
    add("--translated", action="store_true", help="ours asked on another wire, beside ours asked on the provider's")
    add("--direct", action="store_true", help="no service: what the machine and this kit give")
    add("--json", type=Path, metavar="FILE", help="append all results, one JSON line each")
    add("--markdown", action="store_true", help="print the table for a README")


def add_other_service(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group(
        "another service instead of llmrouter",
        "It must route the model to the mock upstream. In --cmd, --url and --ready, {port}, {port2}, "
        "{upstream} (the port of the mock) and {folder} (a scratch folder) are filled in.",
    ).add_argument
    add("--cmd", dest="command", default="", help="command that starts it")
    add("--url", default="", help="base URL, without /v1")
    add("--pid", type=int, help="or its process id, if it runs already")
    add("--key", help="API key")
    add("--name", default="service", help="name in the tables")
    add("--model", default=payloads.MODEL)
    add("--ready", default="", help="path that answers 200 when ready; else the first good answer counts")
    add("--upstream-port", type=int, default=0, help="port of the mock, for a service that runs already")
