"""The tables: plain ones for a terminal, one in Markdown for the README."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from .cases import C1, C32, CASES, PACED64, STREAM32
from .figures import FIGURES, Costs, Limit
from .measure import Measured, Results
from .target import DIRECT

DASH = "–"
BUSY = 0.3
"""Other people's share of the machine, in cores, above which a run is to be doubted."""


def figures(results: Results, services: Sequence[str], costs: Costs | None = None) -> list[list[str]]:
    """Header and rows; the first service is judged, the second, if any, is the peer.

    costs: the only limits there are; None for the figures' own.
    """
    ours, peer = (services[0] if services else None), (services[1] if len(services) > 1 else None)
    heads = ["", "unit", DIRECT, *services]
    if peer:
        heads.append(f"{ours} / {peer}")
    rows = [heads + (["target", ""] if ours else [])]
    for figure in FIGURES:
        values = {name: figure.take(results, name) for name in (DIRECT, *services)}
        if all(value is None for value in values.values()):
            continue
        cells = [figure.label, figure.unit, *map(figure.text, values.values())]
        if ours:
            mine, theirs = values[ours], values[peer] if peer else None
            if peer:
                # a ratio of differences near zero would say nothing
                told = mine is not None and theirs is not None and min(mine, theirs) > 0.0
                cells.append(f"{mine / theirs:.2f}" if told and mine and theirs else DASH)
            limit = figure.limit if costs is None else _limit(costs, figure.label)
            most = limit.value(theirs) if limit else None
            verdict = "" if most is None or mine is None else "PASS" if mine <= most else "MISS"
            cells += [limit.text(figure.unit, peer or "smg") if limit else "", verdict]
        rows.append(cells)
    return rows


def _limit(costs: Costs, label: str) -> Limit | None:
    return next((limit for beginning, limit in costs.items() if label.startswith(beginning)), None)


def processes(results: Results, service: str) -> list[list[str]]:
    """What each process of the service takes."""
    footprint = results.footprints.get(service)
    if footprint is None:
        return []
    cases = {name: results.get(name, service) for name in (C1, C32, STREAM32, PACED64)}
    used = {name: one for name, one in cases.items() if one}
    rows = [[service, "RSS idle MB", "RSS after MB", "PSS after MB"]]
    rows[0] += [f"{name} {'µs/chunk' if one.outcome.chunks else 'ms/request'}" for name, one in used.items()]
    names = dict.fromkeys([*footprint.idle.rss, *(footprint.after.rss if footprint.after else ())])
    for name in names:
        after = footprint.after
        cells = [name, _mb(footprint.idle.rss, name)]
        cells += [_mb(after.rss, name), _mb(after.pss, name)] if after else [DASH, DASH]
        rows.append(cells + [_spent(one, name) for one in used.values()])
    return rows


def _mb(memory: dict[str, float], name: str) -> str:
    return f"{memory[name]:.1f}" if name in memory else DASH


def _spent(one: Measured, name: str) -> str:
    if one.outcome.chunks:
        value = one.per_chunk(name)
        return DASH if value is None else f"{value * 1e6:.1f}"
    value = one.per_request(name)
    return DASH if value is None else f"{value * 1e3:.3f}"


def shares(results: Results) -> list[list[str]]:
    """Who used the machine in each case, in cores; and what went wrong."""
    rows = [["case", "target", "service", "upstream", "load client", "others", "errors", ""]]
    order = {case.name: number for number, case in enumerate(CASES)}
    for one in sorted(results.measured.values(), key=lambda m: order.get(m.case, 0)):
        spent = sum(one.service_s.values()), one.upstream_s, one.load_s, one.other_s
        cores = [f"{s / one.wall_s:.2f}" for s in spent]
        rows.append([one.case, one.target, *cores, str(one.outcome.errors), "; ".join(one.outcome.samples)])
    return rows


def notes(results: Results) -> list[str]:
    busy = [one for one in results.measured.values() if one.other_cores > BUSY]
    if not busy:
        return []
    worst = max(busy, key=lambda one: one.other_cores)
    often = f"{len(busy)} of {len(results.measured)} measurements"
    most = f"at most {worst.other_cores:.2f} ({worst.case} of {worst.target})"
    return [f"Other work took more than {BUSY} cores in {often}, {most}: repeat on a quieter machine."]


def machine() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def text(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; those whose cells are numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    right = [_numeric([row[i] for row in rows[1:]]) for i in range(len(rows[0]))]
    lines: list[str] = []
    for row in rows:
        columns = zip(row, widths, right, strict=True)
        lines.append("  ".join(c.rjust(width) if r else c.ljust(width) for c, width, r in columns).rstrip())
    return "\n".join(lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    right = [_numeric([row[i] for row in rows[1:]]) for i in range(len(rows[0]))]
    lines = [_line(rows[0]), "|" + "|".join("---:" if r else "---" for r in right) + "|"]
    return "\n".join(lines + [_line(row) for row in rows[1:]])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _numeric(cells: Sequence[str]) -> bool:
    told = [cell.lstrip("-")[:1].isdigit() for cell in cells if cell not in ("", DASH)]
    return bool(told) and all(told)
