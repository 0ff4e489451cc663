"""The parent of all processes: starts them, starts them again, and stops them in order.

    llmrouter serve ──┬── llmrouter core --worker 0       stopped last, when no facade needs it any more
                      ├── llmrouter facade --worker 0     stopped first, and given time to finish its streams
                      └── …

A socket pair joins the parent to each child (core/supervised.py is its other end). The child writes
"ready" into it, and hears by its end that the parent is gone, however it died.

Standard library only, and little of that: this process does nothing most of the time, and should
not cost memory for it.
"""

import logging
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Self

log = logging.getLogger("llmrouter.supervisor")

# Exit codes (BSD's sysexits) that tell of something which starting again can't mend.
EX_UNAVAILABLE = 69  # the database does not answer
EX_CONFIG = 78  # a setting, a taken port, a wrong key
_FATAL = (EX_UNAVAILABLE, EX_CONFIG)

# What the workers' environment has where the user's has nothing else. glibc gives each of gRPC's many
# threads a heap of its own unless it is told not to: a third more memory, for no speed.
_DEFAULTS = {"MALLOC_ARENA_MAX": "2"}

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0
_STEADY = 60.0  # who lived so long begins anew with the first delay
_HOPELESS = 5  # who never got ready is given up after so many starts
_GRACE = 5.0  # beyond the time to drain, before a process is killed


@dataclass(frozen=True, slots=True)
class Spec:
    """A process to keep running."""

    name: str
    command: Sequence[str]  # `--supervisor-fd N` is appended
    stage: int  # stopped in this order, the lowest first
    reloads: bool = False  # takes SIGHUP


class Worker:
    """One such process, in whatever state."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.link: socket.socket | None = None
        self.ready = False
        self.was_ready = False
        self.reload_when_ready = False
        self.starts = 0
        self.started_at = 0.0
        self.restart_at: float | None = None
        self._delay = _FIRST_DELAY

    def start(self, now: float, pass_fds: Sequence[int]) -> None:
        self.restart_at, self.started_at = None, now
        self.starts += 1
        restarted = ["--restarted"] if self.was_ready else []
        self.link, theirs = socket.socketpair()
        self.link.setblocking(False)
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - the commands are our own
                [*self.spec.command, *restarted, "--supervisor-fd", str(theirs.fileno())],
                env=_DEFAULTS | os.environ,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *pass_fds),
                process_group=0,  # so that Ctrl-C reaches the supervisor alone, which stops all in order
            )
        log.debug("started", extra={"worker": self.spec.name, "pid": self.process.pid})

    def ended(self, now: float) -> int | None:
        """The exit code, once, when the process has ended; negative for a signal."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        if self.link is not None:
            self.link.close()
        self.process, self.link, self.ready = None, None, False
        if now - self.started_at >= _STEADY:
            self._delay = _FIRST_DELAY
        return code

    def start_later(self, now: float) -> float:
        """Plans the next start and returns the seconds until then."""
        delay, self._delay = self._delay, min(self._delay * 2, _LONGEST_DELAY)
        self.restart_at = now + delay
        return delay

    def send(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)  # harmless where it has just ended: Popen has not reaped it yet

    def stop(self, drain: float) -> None:
        """Asks the process to end; drain: seconds that it has to finish what runs."""
        if self.link is not None:
            with suppress(OSError):  # it has just ended
                self.link.send(f"{drain:.3f}".encode())
        self.send(signal.SIGTERM)

    def hear(self) -> bool:
        """Reads what the process says of itself; whether it got ready just now."""
        if self.link is None or self.ready:
            return False
        try:
            said = self.link.recv(64)
        except BlockingIOError:
            return False
        except ConnectionError:  # it ended before it had read what we told it
            said = b""
        if not said:  # it is about to end; until then there is nothing to wait for
            self.link.close()
            self.link = None
            return False
        self.ready = self.was_ready = True
        if self.reload_when_ready:
            self.reload_when_ready = False
            self.send(signal.SIGHUP)
        return True


class Supervisor:
    """Keeps processes running until it is told to stop them."""

    def __init__(
        self,
        specs: Sequence[Spec],
        *,
        drain: float,
        on_ready: Callable[[], None] = lambda: None,
        pass_fds: Sequence[int] = (),
        terminal: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """drain: seconds that all stages together have to finish; on_ready: called once, as soon as all are ready;
        terminal: a file descriptor of the terminal that this was started on, where it was.
        """
        self._workers = [Worker(spec) for spec in specs]
        self._drain = drain
        self._on_ready = on_ready
        self._pass_fds = pass_fds
        self._terminal = terminal
        self._clock = clock
        self._announced = False
        self._stopping: int | None = None  # the stage that is being stopped
        self._deadline: float | None = None
        self._drained_at = 0.0  # when the time to drain is over
        self._code = 0

    def run(self) -> int:
        """Runs until all processes have ended; the exit code for this one. Call it in the main thread."""
        try:
            with _Signals() as signals:
                for worker in self._workers:
                    worker.start(self._clock(), self._pass_fds)
                while self._stopping is None or any(worker.process for worker in self._workers):
                    self._wait(signals)
                    for number in signals.take():
                        self._signalled(number)
                    for worker in self._workers:
                        self._look_at(worker)
                    self._stop_next()
        finally:
            self._kill()  # after a fault in here; else nobody is left
        return self._code

    def _wait(self, signals: "_Signals") -> None:
        """Until a process says something or ends, a signal comes, or something is due."""
        due = [worker.restart_at for worker in self._workers if worker.restart_at is not None]
        if self._deadline is not None:
            due.append(self._deadline)
        timeout = max(0.0, min(due) - self._clock()) if due else None
        with selectors.DefaultSelector() as selector:
            selector.register(signals.woken, selectors.EVENT_READ)
            for worker in self._workers:
                if worker.link is not None and not worker.ready:
                    selector.register(worker.link, selectors.EVENT_READ)
            selector.select(timeout)

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP and self._terminal is not None and not os.isatty(self._terminal):
            number = signal.SIGTERM  # somebody closed the window
        if number == signal.SIGHUP:
            for worker in self._workers:
                if worker.spec.reloads and worker.ready:
                    worker.send(signal.SIGHUP)
                elif worker.spec.reloads:
                    worker.reload_when_ready = True  # it may have read the old configuration already
        elif number in (signal.SIGTERM, signal.SIGINT):
            if self._stopping is None:
                log.info("stopping; once more stops at once")
                self._stop()
            else:
                self._kill()

    def _look_at(self, worker: Worker) -> None:
        if worker.hear() and not self._announced and all(each.ready for each in self._workers):
            self._announced = True
            self._on_ready()
        now = self._clock()
        code = worker.ended(now)
        if code is not None and self._stopping is None:
            self._lost(worker, code, now)
        elif worker.restart_at is not None and worker.restart_at <= now:
            worker.start(now, self._pass_fds)

    def _lost(self, worker: Worker, code: int, now: float) -> None:
        """A process ended that should not have."""
        if not worker.was_ready and (code in _FATAL or worker.starts >= _HOPELESS):
            if code not in _FATAL:  # else it has said what is wrong itself
                log.error("giving up", extra={"worker": worker.spec.name, "ended": _reason(code)})
            self._code = code if code in _FATAL else 1
            self._stop()
            return
        delay = worker.start_later(now)
        log.warning("starting again", extra={"worker": worker.spec.name, "ended": _reason(code), "in_s": delay})

    def _stop(self) -> None:
        self._stopping, self._drained_at = -1, self._clock() + self._drain
        for worker in self._workers:
            worker.restart_at = None
        self._stop_next()

    def _stop_next(self) -> None:
        """Goes on to the next stage where nobody of this one is left, and kills who takes too long."""
        if self._stopping is None:
            return
        left = [worker for worker in self._workers if worker.process is not None]
        stage = min((worker.spec.stage for worker in left), default=self._stopping)
        if stage > self._stopping:
            drain = max(0.0, self._drained_at - self._clock())
            self._stopping, self._deadline = stage, self._clock() + drain + _GRACE
            for worker in left:
                if worker.spec.stage == stage:
                    worker.stop(drain)
        elif self._deadline is not None and self._clock() >= self._deadline:
            log.warning("killing what has not ended in time")
            self._kill()

    def _kill(self) -> None:
        self._deadline = None
        for worker in self._workers:
            worker.send(signal.SIGKILL)


class _Signals:
    """Signals as something to wait for beside sockets, in the order in which they came."""

    _NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

    def __enter__(self) -> Self:
        self._came: list[int] = []
        self.woken, self._waker = socket.socketpair()
        self.woken.setblocking(False)
        self._waker.setblocking(False)
        self._before = {number: signal.signal(number, self._remember) for number in self._NUMBERS}
        self._fd_before = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._fd_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.woken.close()
        self._waker.close()

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)

    def take(self) -> list[int]:
        """The signals since the last time."""
        try:
            while self.woken.recv(4096):
                pass
        except BlockingIOError:
            pass
        came, self._came = self._came, []
        return came


def _reason(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
