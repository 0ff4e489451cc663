"""CPU and memory of process trees, from /proc."""

import contextlib
import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 2**20

ROLES = {"serve": "supervisor", "supervisor": "supervisor", "core": "core", "facade": "facade"}
"""Words of a command line that name the part of the service it is."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment; pid and start time together name it even after the pid is used again."""

    pid: int
    parent: int
    started: int
    cpu_s: float
    rss: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes by process name. RSS counts shared pages in each process, PSS shares them out."""

    rss: dict[str, float]
    pss: dict[str, float]

    @property
    def total_rss(self) -> float:
        return sum(self.rss.values())

    @property
    def total_pss(self) -> float:
        return sum(self.pss.values())


def process(pid: int) -> Process | None:
    try:
        # the name in brackets may hold spaces; fields are counted behind it
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    own, reaped = (int(values[11]) + int(values[12])) / TICK, (int(values[13]) + int(values[14])) / TICK
    # ticks are 10 ms; the scheduler counts nanoseconds, but forgets threads that have ended
    cpu_s = max(own, _scheduled(pid)) + reaped
    return Process(pid, int(values[1]), int(values[19]), cpu_s, int(values[21]) * PAGE)


def _scheduled(pid: int) -> float:
    total = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def tree(root: int) -> list[Process]:
    """The process and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found: list[Process] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop(0)
        if (one := process(pid)) is not None:
            found.append(one)
            waiting += children.get(pid, [])
    return found


def name_of(pid: int) -> str:
    """A short name from the command line: a role if a word of it is one, else program and subcommand."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        return _name(words) or Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended"


def _name(words: list[str]) -> str:
    # a process that gave itself a title has one word with spaces in it
    words = [word for word in words if word]
    if len(words) == 1:
        words = words[0].split()
    if words and re.fullmatch(r"python[\d.]*", Path(words[0]).name):
        words = _script(words[1:])
    plain: list[str] = []
    for word in words:
        if word.startswith("-"):
            break
        plain.append(Path(word).name)
    parts = [part for word in plain for part in re.split(r"\W+", word)]
    for part in (*plain, *parts):  # a whole word first: `core.cli facade` is a facade
        if part in ROLES:
            return ROLES[part]
    return " ".join(plain[:2])[:24]


def _script(words: list[str]) -> list[str]:
    """A Python command line without the interpreter's own options: `-m a.b x` becomes `a.b x`."""
    while words and words[0].startswith("-"):
        if words[0] == "-c":
            return re.findall(r"from (\S+) import", words[1])[:1] if len(words) > 1 else []
        if words[0] == "-m":
            return words[1:]
        words = words[2 if words[0] in ("-X", "-W") else 1 :]
    return words


def cpu(root: int | None) -> dict[str, float]:
    """CPU seconds so far, by process name."""
    used: dict[str, float] = {}
    for one in tree(root) if root else ():
        name = name_of(one.pid)
        used[name] = used.get(name, 0.0) + one.cpu_s
    return used


def memory(root: int | None) -> Memory:
    rss: dict[str, float] = {}
    pss: dict[str, float] = {}
    for one in tree(root) if root else ():
        name = name_of(one.pid)
        rss[name] = rss.get(name, 0.0) + one.rss / MB
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
            if found := re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE):
                pss[name] = pss.get(name, 0.0) + int(found[1]) * 1024 / MB
    return Memory(rss, pss)


def own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ended_children_cpu() -> float:
    """CPU seconds of the children that were waited for: in a measurement, the load clients."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def machine_cpu() -> float:
    """CPU seconds that all processes of the machine have used."""
    values = [int(v) for v in Path("/proc/stat").read_text().partition("\n")[0].split()[1:8]]
    idle, waiting = values[3], values[4]
    return (sum(values) - idle - waiting) / TICK
