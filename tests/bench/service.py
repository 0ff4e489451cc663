"""llmrouter as the service under test: started as users do, with one provider, an administrator and a key."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, cast

from .processes import BenchError, Processes, clean_environment, polling
from .target import Target, answers, ask, free_port
from .wires import ANTHROPIC

NAME = "llmrouter"
PREFIX = "/api"
START_LIMIT = 60.0
EMAIL = "bench@example.com"


CAPPED, TRANSLATED = f"{NAME} with caps", f"{NAME} translating"
# More than any run spends, so that everything is counted and nothing refused.
MONTH_DOLLARS, PER_MINUTE = 1_000_000, 1_000_000_000


def start(processes: Processes, scratch: Path, upstream: int, name: str = NAME) -> Target:
    """Start, make a key, and start again: the second start, on existing data, is the one that is timed.

    name: CAPPED, where the key is a virtual one with a budget, and has limits of requests and tokens; TRANSLATED,
    where it is asked on another wire than the provider's.
    """
    capped = name == CAPPED
    folder = scratch / name.replace(" ", "-")
    folder.mkdir()
    service = Service(processes, folder, upstream)
    first, _ = service.start()
    key = service.make_capped_key() if capped else service.make_key()
    processes.stop(first)
    process, ready_s = service.start()
    if name == TRANSLATED:
        return Target(name, service.url, key=key, pid=process.pid, ready_s=ready_s, wire=ANTHROPIC)
    return Target(name, service.url + PREFIX, key=key, pid=process.pid, ready_s=ready_s)


class Service:
    """One installation: a data directory, two addresses, one administrator."""

    def __init__(self, processes: Processes, scratch: Path, upstream: int) -> None:
        self.processes, self.scratch = processes, scratch
        self.log = scratch / f"{NAME}.log"
        self.data = scratch / "data"
        self.data.mkdir()
        self.password = secrets.token_urlsafe(16)
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self.environment = {
            **clean_environment(),
            "LLMROUTER_DATA_DIR": str(self.data),
            "LLMROUTER_HTTP_ADDR": address,
            "LLMROUTER_GRPC_ADDR": f"127.0.0.1:{free_port()}",
            "LLMROUTER_ADMIN_EMAIL": EMAIL,
            "LLMROUTER_ADMIN_PASSWORD": self.password,
            "OPENAI_API_KEY": "sk-upstream",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
        }

    def start(self) -> tuple[subprocess.Popen[str], float]:
        # in the scratch folder, so that no .env of the caller's folder is read
        process = self.processes.start(
            command(),
            environment=self.environment,
            folder=self.scratch,
            log=self.log,
        )
        return process, wait_ready(NAME, process, self.log, lambda: answers(self.url + "/ready"))

    def make_key(self) -> str:
        login = ask("POST", self.url + "/api/auth/login", {"email": EMAIL, "password": self.password})
        session = SimpleCookie(", ".join(login.headers.get_all("Set-Cookie", []))).get("session")
        if login.status != 200 or session is None:
            raise BenchError(f"{NAME}: login failed: {login.status} {login.text[:200]}")
        made = ask("POST", self.url + "/api/keys", {"name": "bench"}, {"Cookie": f"session={session.value}"})
        if made.status != 201:
            raise BenchError(f"{NAME}: no API key: {made.status} {made.text[:200]}")
        return str(cast("dict[str, Any]", json.loads(made.text))["value"])

    def make_capped_key(self) -> str:
        """As an administrator does at the command line."""
        made = self.administer("keys", "create", EMAIL, "--name", "bench", "--virtual", "--budget", str(MONTH_DOLLARS))
        self.administer("limits", "set", "user", EMAIL, "--rpm", str(PER_MINUTE), "--tpm", str(PER_MINUTE))
        return next(word for word in made.split() if word.startswith("vk_"))

    def administer(self, *words: str) -> str:
        """What a command of ours prints."""
        done = subprocess.run(
            [command()[0], *words], env=self.environment, cwd=self.scratch, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BenchError(f"llmrouter {' '.join(words)}: {done.stderr}")
        return done.stdout


def command() -> list[str]:
    """The installed command beside this interpreter; not resolved, or it would lead out of the venv."""
    script = Path(sys.executable).with_name("llmrouter")
    if not script.exists():
        raise BenchError(f"{script} is missing: install the project into this environment first")
    return [str(script), "serve"]


def wait_ready(name: str, process: subprocess.Popen[str], log: Path, ready: Callable[[], bool]) -> float:
    """Seconds from now until `ready` says so; for a service that never gets there, an error with its log."""
    start = time.monotonic()
    for _ in polling(START_LIMIT):
        if ready():
            return time.monotonic() - start
        if process.poll() is not None:
            raise BenchError(f"{name} ended with {process.returncode}:\n{end_of(log)}")
    raise BenchError(f"{name} was not ready within {START_LIMIT:.0f} s:\n{end_of(log)}")


def end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
