"""The supervisor, with small workers that say in a file what happens to them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.supervisor import EX_CONFIG, EX_UNAVAILABLE, Spec, Supervisor, Worker

# A worker: `say` writes down what happens, `ready` tells the supervisor, `starts` counts its own starts.
WORKER = """
import os, signal, socket, sys
name, diary, fd = sys.argv[1], sys.argv[2], int(sys.argv[-1])
link = socket.socket(fileno=fd)
def say(what):
    with open(diary, "a") as file:
        file.write(f"{name} {what} {os.getpid()}\\n")
def ready():
    link.sendall(b"ready\\n")
def tell(number):
    os.kill(os.getppid(), number)
def until_term():
    signal.sigwait({signal.SIGTERM})
    say("stops")
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
say("starts")
with open(diary) as file:
    starts = sum(line.startswith(f"{name} starts ") for line in file)
"""
STEADY = "ready(); until_term()"
DRAIN = 60.0  # seconds, longer than any test here takes


pytestmark = pytest.mark.usefixtures("limit")


class Diary:
    """What the workers wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def spec(self, name: str, behaviour: str, stage: int = 0, *, reloads: bool = False) -> Spec:
        command = (sys.executable, "-I", "-S", "-c", WORKER + behaviour, name, str(self.path))
        return Spec(name, command, stage, reloads)

    def events(self) -> list[str]:
        return [line.rpartition(" ")[0] for line in self.path.read_text().splitlines()]

    def pid(self, name: str) -> int:
        """Of the latest start of that name."""
        starts = [line for line in self.path.read_text().splitlines() if line.startswith(f"{name} starts ")]
        return int(starts[-1].rpartition(" ")[2])


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path / "diary")


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def run(specs: Sequence[Spec], on_ready: Callable[[], None] = stop, drain: float = DRAIN) -> int:
    return Supervisor(specs, drain=drain, on_ready=on_ready).run()


def test_all_are_started_and_stopped_stage_by_stage(diary: Diary):
    specs = [diary.spec("core", STEADY, 1), diary.spec("facade-0", STEADY, 0), diary.spec("facade-1", STEADY, 0)]
    assert run(specs) == 0
    started, stopped = diary.events()[:3], diary.events()[3:]
    assert sorted(started) == ["core starts", "facade-0 starts", "facade-1 starts"]
    assert sorted(stopped[:2]) == ["facade-0 stops", "facade-1 stops"]
    assert stopped[2:] == ["core stops"]


def test_a_worker_that_was_killed_is_started_again_and_nothing_is_announced_twice(diary: Diary):
    announced: list[str] = []

    def ready() -> None:
        announced.append("ready")
        os.kill(diary.pid("victim"), signal.SIGKILL)

    specs = [diary.spec("steady", STEADY), diary.spec("victim", "ready(); starts == 2 and tell(15); until_term()")]
    assert run(specs, ready) == 0
    assert announced == ["ready"]
    assert diary.events().count("victim starts") == 2
    assert diary.events().count("steady starts") == 1
    assert sorted(diary.events()[-2:]) == ["steady stops", "victim stops"]


@pytest.mark.parametrize("code", [EX_CONFIG, EX_UNAVAILABLE])
def test_a_worker_that_cannot_be_configured_at_its_first_start_ends_all(diary: Diary, code: int):
    assert run([diary.spec("steady", STEADY), diary.spec("broken", f"sys.exit({code})")]) == code
    assert diary.events().count("broken starts") == 1


def test_later_it_is_started_again_all_the_same(diary: Diary):
    flaky = f"starts == 2 and sys.exit({EX_UNAVAILABLE}); ready(); starts == 3 and tell(15); until_term()"
    assert run([diary.spec("flaky", flaky)], lambda: os.kill(diary.pid("flaky"), signal.SIGKILL)) == 0
    assert diary.events().count("flaky starts") == 3


def test_a_worker_that_takes_the_place_of_another_is_told_so(diary: Diary):
    flaky = "say(f'restarted {\"--restarted\" in sys.argv}'); ready(); starts == 2 and tell(15); until_term()"
    assert run([diary.spec("flaky", flaky)], lambda: os.kill(diary.pid("flaky"), signal.SIGKILL)) == 0
    assert [event for event in diary.events() if "restarted" in event] == [
        "flaky restarted False",
        "flaky restarted True",
    ]


def test_the_time_to_drain_is_that_of_all_stages_together(diary: Diary):
    told = "ready(); signal.sigwait({signal.SIGTERM}); say('has ' + link.recv(64).decode())"
    specs = [diary.spec("facade", told, 0), diary.spec("core", told, 1)]

    def clock() -> float:
        """The facade takes 40 of the 60 seconds."""
        return 40.0 if diary.path.exists() and "facade has" in diary.path.read_text() else 0.0

    assert Supervisor(specs, drain=DRAIN, on_ready=stop, clock=clock).run() == 0
    assert diary.events()[2:] == ["facade has 60.000", "core has 20.000"]


def test_a_worker_that_never_gets_ready_is_given_up(diary: Diary, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.supervisor._FIRST_DELAY", 0.001)
    assert run([diary.spec("steady", STEADY), diary.spec("broken", "sys.exit(3)")]) == 1
    assert diary.events().count("broken starts") == 5


def test_a_reload_is_for_those_that_take_it(diary: Diary):
    reloading = "ready(); signal.sigwait({signal.SIGHUP}); say('reloads'); tell(15); until_term()"
    specs = [diary.spec("core", reloading, reloads=True), diary.spec("facade", STEADY)]
    assert run(specs, lambda: os.kill(os.getpid(), signal.SIGHUP)) == 0
    assert "core reloads" in diary.events()


def test_a_reload_waits_for_a_worker_that_is_not_ready(diary: Diary):
    starting = "tell(signal.SIGHUP); ready(); signal.sigwait({signal.SIGHUP}); say('reloads'); tell(15); until_term()"
    assert run([diary.spec("core", starting, reloads=True)], lambda: None) == 0
    assert diary.events() == ["core starts", "core reloads", "core stops"]


def test_the_end_of_its_terminal_is_no_reload(diary: Diary):
    ours, theirs = os.openpty()

    def close_the_window() -> None:
        os.close(ours)
        os.kill(os.getpid(), signal.SIGHUP)

    spec = diary.spec("core", STEADY, reloads=True)
    assert Supervisor([spec], drain=DRAIN, on_ready=close_the_window, terminal=theirs).run() == 0
    os.close(theirs)
    assert diary.events() == ["core starts", "core stops"]


def test_a_second_signal_ends_all_at_once(diary: Diary):
    stubborn = "ready(); signal.sigwait({signal.SIGTERM}); say('drains'); tell(signal.SIGINT); signal.pause()"
    assert run([diary.spec("facade", stubborn), diary.spec("core", STEADY, 1)]) == 0
    assert "facade drains" in diary.events()
    assert "core stops" not in diary.events()


def test_a_worker_that_does_not_end_in_time_is_killed(diary: Diary, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.supervisor._GRACE", 0.05)
    assert run([diary.spec("stubborn", "ready(); signal.pause()")], drain=0) == 0
    assert diary.events() == ["stubborn starts"]


def test_the_signals_are_given_back(diary: Diary):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)]
    run([diary.spec("steady", STEADY)])
    after = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)]
    assert after == before


def ended(worker: Worker, lived: float) -> None:
    """Starts a worker that ends by itself, and lets so many seconds pass."""
    worker.start(0.0, ())
    assert worker.process is not None
    worker.process.wait()
    assert worker.ended(lived) == 0


def test_a_worker_that_keeps_ending_is_started_less_and_less_often(diary: Diary):
    worker = Worker(diary.spec("short", ""))
    delays: list[float] = []
    for _ in range(8):
        ended(worker, 1.0)
        delays.append(worker.start_later(0.0))
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    ended(worker, 60.0)
    assert worker.start_later(0.0) == pytest.approx(0.1)


# A supervisor in a process of its own, whose child is a real `Supervised`.
PARENT = """
import sys
from core.supervisor import Spec, Supervisor
child = '''
import signal, sys
from core.supervised import Supervised
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
supervised = Supervised(int(sys.argv[-1]))
supervised.ready()
signal.sigwait({signal.SIGTERM})
'''
pipe = int(sys.argv[1])
spec = Spec("child", (sys.executable, "-c", child), 0)
Supervisor([spec], drain=30, on_ready=lambda: print("up", flush=True), pass_fds=[pipe]).run()
"""


# A child that says how long it may take to end, and what it would take by itself.
ASKED = """
import signal, sys
from core.supervised import Supervised
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
supervised = Supervised(int(sys.argv[-1]))
supervised.ready()
signal.sigwait({signal.SIGTERM})
print(supervised.time_to_drain(30), supervised.time_to_drain(5), Supervised(None).time_to_drain(30), flush=True)
"""


def test_a_worker_hears_how_long_it_may_take(capfd: pytest.CaptureFixture[str]):
    assert run([Spec("child", (sys.executable, "-c", ASKED), 0)], drain=7) == 0
    assert capfd.readouterr().out == "7.0 5 30\n"


def test_the_workers_end_when_the_supervisor_is_killed():
    read, write = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(write)], stdout=subprocess.PIPE, pass_fds=[write], text=True
    )
    os.close(write)
    assert parent.stdout is not None
    with parent, os.fdopen(read, "rb") as pipe:
        assert parent.stdout.readline() == "up\n"
        parent.kill()
        assert pipe.read() == b""  # comes to its end when the last process that has the other end is gone
