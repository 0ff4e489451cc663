"""Services beside llmrouter: smg as the peer to compare with, and any command that speaks OpenAI's API."""

import os
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from .processes import BenchError, Processes, clean_environment
from .service import wait_ready
from .target import Target, answers, answers_chat, free_port

SMG = "smg"
SMG_KEY = "sk-bench"


def find_smg(given: str | None) -> str | None:
    """The smg executable: the one given, else $SMG, else the one on the PATH."""
    named = given or os.environ.get("SMG")
    found = shutil.which(named or SMG)
    if named and not found:
        raise BenchError(f"{named} is no executable")
    return found and str(Path(found).absolute())


def start_smg(processes: Processes, scratch: Path, upstream: int, executable: str) -> Target:
    """One router process before one OpenAI worker, keys checked, nothing stored."""
    port = free_port()
    log = scratch / "smg.log"
    options = {
        "host": "127.0.0.1",
        "port": port,
        "worker-urls": f"http://127.0.0.1:{upstream}",
        "backend": "openai",
        "policy": "round_robin",
        "history-backend": "none",
        "api-key": SMG_KEY,
        "log-level": "error",
        "prometheus-port": free_port(),
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    told = subprocess.run([executable, "--version"], capture_output=True, text=True, check=False)
    process = processes.start([executable, "launch", *words], folder=scratch, log=log)
    target = Target(SMG, f"http://127.0.0.1:{port}", key=SMG_KEY, pid=process.pid)
    ready_s = wait_ready(SMG, process, log, lambda: answers_chat(target))
    return replace(target, ready_s=ready_s, version=told.stdout.strip())


def start_command(
    processes: Processes, scratch: Path, upstream: int, target: Target, command: str, ready: str
) -> Target:
    """A command of the user's: {port}, {port2}, {upstream} and {folder} are filled in, in the base URL too.

    It must route the target's model to http://127.0.0.1:{upstream}/v1 under any key.
    """
    values = {"port": free_port(), "port2": free_port(), "upstream": upstream, "folder": scratch}

    def fill(text: str) -> str:
        for name, value in values.items():
            text = text.replace("{" + name + "}", str(value))
        return text

    log = scratch / "command.log"
    words = [fill(word) for word in shlex.split(command)]
    process = processes.start(words, environment=clean_environment(), folder=scratch, log=log)
    placed = replace(target, base=fill(target.base), pid=process.pid)
    path = fill(ready)

    def is_ready() -> bool:
        return answers(placed.base + path) if path else answers_chat(placed)

    ready_s = wait_ready(placed.name, process, log, is_ready)
    return replace(placed, ready_s=ready_s)
