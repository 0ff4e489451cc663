"""Starting processes, and ending every one of them whatever happens."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Self

from . import accounting

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE = 8.0
LAST_GRACE = 2.0
"""Shorter at the end of the run: what a service would still save is thrown away with the scratch folder."""

REPOSITORY = Path(__file__).resolve().parents[2]


class BenchError(Exception):
    """A run cannot go on; the message says why."""


class Processes:
    """The processes that this run has started; leaving the context ends them all."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        for number in ENDING:
            signal.signal(number, leave)
        return self

    def __exit__(self, *_: object) -> None:
        for number in ENDING:  # nothing may interrupt the cleaning up
            signal.signal(number, signal.SIG_IGN)
        # all at once: some take seconds to end, and nobody needs anybody any more
        families = [(one, accounting.tree(one.pid)) for one in self.started if one.poll() is None]
        for one, _family in families:
            one.terminate()
        deadline = time.monotonic() + LAST_GRACE
        for one, family in families:
            end(one, family, deadline)

    def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path = REPOSITORY,
        log: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Start a process; with a log its output goes there, else it can be read from `stdout`."""
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(log.open("a")) if log else subprocess.PIPE
            stack.enter_context(unbroken())
            one = subprocess.Popen(
                command,
                env=environment if environment is not None else clean_environment(),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if log else None,
                text=True,
                # Ctrl-C reaches only us, so that we end them in order. A new session would do it too, but
                # would put each into a scheduling group of its own and so change what is measured.
                process_group=0,
            )
            self.started.append(one)
        return one

    def stop(self, one: subprocess.Popen[str]) -> None:
        """End one process in the middle of a run, in its own time."""
        family = accounting.tree(one.pid) if one.poll() is None else []
        if family:
            one.terminate()
        end(one, family, time.monotonic() + GRACE)
        self.started.remove(one)


def end(one: subprocess.Popen[str], family: Sequence[accounting.Process], deadline: float) -> None:
    """Wait for a process that was asked to end, then kill what is left of the tree it had."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        one.wait(max(0.0, deadline - time.monotonic()))
    for member in family:
        now = accounting.process(member.pid)
        # the same pid with another start time is somebody else
        if now and now.started == member.started:
            with contextlib.suppress(OSError):
                os.kill(member.pid, signal.SIGKILL)
    one.wait()
    if one.stdout:
        one.stdout.close()


def leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextlib.contextmanager
def unbroken() -> Generator[None]:
    """Put off signals, so that no process is started without being written down."""
    came: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, remember) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            raise SystemExit(128 + came[0])


def clean_environment() -> dict[str, str]:
    """Ours without what would change a service: providers' keys, its own settings, proxies, debugging."""

    def harmful(name: str) -> bool:
        return (
            name.startswith(("LLMROUTER_", "RATE_LIMIT_"))
            or name.endswith(("_API_KEY", "_BASE_URL"))
            or name.lower().endswith("_proxy")
            or name in ("PYTHONDONTWRITEBYTECODE", "PYTHONDEVMODE", "PYTHONASYNCIODEBUG")
        )

    return {name: value for name, value in os.environ.items() if not harmful(name)}


def polling(seconds: float, step: float = 0.02) -> Generator[float]:
    """Yields the seconds passed, every `step` until the time is over."""
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        yield passed
        time.sleep(step)
