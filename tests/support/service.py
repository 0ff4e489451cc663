"""The whole service as users run it: `llmrouter core` and `llmrouter facade`, or `llmrouter serve`, as processes.

    def/async def test_…(service: Service):              one service for the whole run, on SQLite
        async with service.client(service.key) as client:
            await client.post("/v1/chat/completions", json=…)

    async def test_…(start_service: StartService):        one of the test's own, to be killed at will
        service = start_service(supervised=True)
        service.kill_core()

Each has a data directory, ports and a database of its own, an administrator and the administrator's
API key. Only processes that were started here, and their children, are ever ended.
"""

import asyncio
import itertools
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from core.store import usage
from core.store.database import Database
from core.store.usage import Selection, UsageRow
from tests.support.plain_http import PLAIN

LOCALHOST = "127.0.0.1"
ADMIN_EMAIL, ADMIN_PASSWORD = "admin@example.com", "correct horse"
SECRET_KEY = "a secret key for the whole service"

# How long a process may take to become ready or to end, in seconds; a busy machine takes a while.
_START = 45.0
_END = 15.0
_STEP = 0.03


class ServiceFailed(Exception):
    """The service did not start or end in time; the message holds what it logged."""


def _ports() -> Iterator[int]:
    """Ports below those that the system gives to connections: else it could give one away before a service
    listens on it, or while that starts again. Other processes that run tests begin elsewhere.
    """
    above = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(max(above - 12_000, 1024), above)
    begin = secrets.randbelow(len(ports))
    yield from itertools.cycle([*ports[begin:], *ports[:begin]])


_PORTS = _ports()


def free_port() -> int:
    """A TCP port that nobody listens on, and nobody else is told."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOCALHOST, port))
            return port
    raise AssertionError("there is always a next one")


@dataclass
class Service:
    """A running service. Make it with the fixture `start_service`."""

    data_dir: Path
    database_url: str
    supervised: bool  # by `llmrouter serve`; else core and facade are started one by one
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    http_port: int = field(default_factory=free_port)
    grpc_port: int = field(default_factory=free_port)
    key: str = field(default="", repr=False)  # the administrator's API key
    session: str = field(default="", repr=False)  # the administrator's session cookie
    _processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict[str, "subprocess.Popen[bytes]"])
    _logs: dict[str, IO[bytes]] = field(default_factory=dict[str, IO[bytes]])

    @property
    def base_url(self) -> str:
        return f"http://{LOCALHOST}:{self.http_port}"

    @property
    def grpc_target(self) -> str:
        return f"{LOCALHOST}:{self.grpc_port}"

    # Starting and ending

    def start(self) -> None:
        """Starts what does not run, and waits until it is ready."""
        for name in ("serve",) if self.supervised else ("core", "facade"):
            self.start_part(name)
        self.wait_ready()

    def start_part(self, name: str) -> None:
        """Starts `llmrouter NAME`, unless it runs."""
        if name in self._processes and self._processes[name].poll() is None:
            return
        log = self._logs.get(name)
        if log is None:
            log = self._logs[name] = (self.data_dir.parent / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-P", "-m", "core.cli", name],
            env=self.environment(),
            cwd=self.data_dir.parent,  # where there is no .env
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def wait_ready(self) -> None:
        """Waits until the service says that it is ready. Raises ServiceFailed."""
        deadline = time.monotonic() + _START
        with httpx.Client(base_url=self.base_url, **PLAIN, timeout=5) as client:
            while time.monotonic() < deadline:
                with suppress(httpx.TransportError):
                    if client.get("/ready").status_code == 200:
                        return
                for name, process in self._processes.items():
                    if process.poll() is not None:
                        raise ServiceFailed(f"`llmrouter {name}` ended with {process.returncode}\n{self.logs()}")
                time.sleep(_STEP)
        raise ServiceFailed(f"not ready in {_START:g} s\n{self.logs()}")

    def sign_in(self) -> None:
        """Signs the administrator in and makes the API key."""
        with httpx.Client(base_url=self.base_url, **PLAIN, timeout=20) as client:
            said = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
            client.post("/api/auth/login", json=said).raise_for_status()
            self.session = client.cookies["session"]
            made = client.post("/api/keys", json={"name": "tests"})
            made.raise_for_status()
            self.key = made.json()["value"]

    def stop(self) -> None:
        """Ends everything in order. Raises ServiceFailed where something has to be killed."""
        late: list[str] = []
        for name in ("facade", "core", "serve"):
            process = self._processes.pop(name, None)
            if process is None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_END)
            except subprocess.TimeoutExpired:
                late.append(name)
                process.kill()
                process.wait()
        for log in self._logs.values():
            log.close()
        if late:
            raise ServiceFailed(f"{', '.join(late)} did not end within {_END:g} s\n{self.logs()}")

    def end(self, name: str) -> float:
        """Asks a part that was started here to end; returns how many seconds it took."""
        process, began = self._processes.pop(name), time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(_END)
        return time.monotonic() - began

    # Killing

    @property
    def pid_of_supervisor(self) -> int:
        return self._processes["serve"].pid

    @property
    def core_pid(self) -> int:
        return self._pid_of("core")

    @property
    def facade_pid(self) -> int:
        return self._pid_of("facade")

    def kill_core(self) -> int:
        """kill -9 of the core; returns the number of the process that is gone."""
        return self._kill("core")

    def kill_facade(self) -> int:
        """kill -9 of the facade; returns the number of the process that is gone."""
        return self._kill("facade")

    def _kill(self, name: str) -> int:
        pid = self._pid_of(name)
        os.kill(pid, signal.SIGKILL)
        if self.supervised:
            self._wait_until(
                lambda: not Path(f"/proc/{pid}").exists(), f"the {name} is gone"
            )  # the supervisor reaps it
        else:
            self._processes.pop(name).wait()
        return pid

    def _pid_of(self, name: str) -> int:
        if not self.supervised:
            return self._processes[name].pid
        serve = self._processes["serve"].pid
        children = Path(f"/proc/{serve}/task/{serve}/children").read_text().split()
        for child in children:
            if name in Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0"):
                return int(child)
        raise ServiceFailed(f"no {name} runs under `llmrouter serve`\n{self.logs()}")

    # Using it

    @asynccontextmanager
    async def client(self, key: str = "", **options: Any) -> AsyncGenerator[httpx.AsyncClient]:
        """An HTTP client, with a key or with nothing."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=self.base_url, headers=headers, limits=limits, **PLAIN, timeout=30, **options
        ) as client:
            yield client

    async def add_provider(self, base_url: str, **fields: Any) -> dict[str, Any]:
        """Registers a provider whose models can be called at once; returns it as the API shows it."""
        body = {"name": f"tests-{free_port()}-{len(base_url)}", "type": "openai", "api_key": "sk-upstream", **fields}
        async with self.client(cookies={"session": self.session}) as client:
            answer = await client.post("/api/providers", json={"base_url": base_url, "enabled": True, **body})
            answer.raise_for_status()
            return answer.json()

    async def remove_provider(self, provider_id: int) -> None:
        """Takes a provider away again."""
        async with self.client(cookies={"session": self.session}) as client:
            (await client.delete(f"/api/providers/{provider_id}")).raise_for_status()

    async def records(self, selection: Selection | None = None) -> list[UsageRow]:
        """The usage records that are in the database now, the oldest first."""
        database = Database(self.database_url)
        try:
            async with database.read() as connection:
                found = await usage.page(connection, selection or Selection(), before_id=None, limit=1_000_000)
        finally:
            await database.close()
        return list(reversed(found))

    async def records_when(
        self, enough: Callable[[list[UsageRow]], bool], selection: Selection | None = None
    ) -> list[UsageRow]:
        """The records as soon as there are enough of them. Raises ServiceFailed where there never are."""
        deadline = time.monotonic() + _END
        while True:
            found = await self.records(selection)
            if enough(found):
                return found
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{len(found)} usage records are not what was waited for\n{self.logs()}")
            await asyncio.sleep(_STEP)

    def logs(self) -> str:
        """The end of what the processes said."""
        return "\n".join(
            path.read_text(errors="replace")[-8000:] for path in sorted(self.data_dir.parent.glob("*.log"))
        )

    def environment(self) -> dict[str, str]:
        """What the processes see of the world: nothing of the developer's own settings and keys."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        root = Path(__file__).parents[2]
        return kept | {
            "PYTHONPATH": f"{root}{os.pathsep}{root / 'gen'}",
            "LLMROUTER_DATA_DIR": str(self.data_dir),
            "LLMROUTER_DATABASE_URL": self.database_url,
            "LLMROUTER_HTTP_ADDR": f"{LOCALHOST}:{self.http_port}",
            "LLMROUTER_GRPC_ADDR": self.grpc_target,
            "LLMROUTER_SECRET_KEY": SECRET_KEY,
            "LLMROUTER_ADMIN_EMAIL": ADMIN_EMAIL,
            "LLMROUTER_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "LLMROUTER_ECHO": "1",
            "LLMROUTER_DRAIN_TIMEOUT": "3",
            **self.environ,
        }

    def _wait_until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _END
        while not true():
            if time.monotonic() > deadline:
                raise ServiceFailed(f"waited in vain until {what}\n{self.logs()}")
            time.sleep(_STEP)


StartService = Callable[..., Service]
"""start_service(*, supervised=False, database_url="", environ={…}) → a service that is ready."""


def launch(
    folder: Path, ending: ExitStack, *, supervised: bool, database_url: str, environ: Mapping[str, str]
) -> Service:
    """Starts a service in an empty folder, to be stopped by `ending`. database_url: "" for SQLite in there."""
    data_dir = folder / "data"
    data_dir.mkdir(parents=True)
    url = database_url or f"sqlite+aiosqlite:///{data_dir / 'llmrouter.db'}"
    service = Service(data_dir, url, supervised, environ)
    ending.callback(service.stop)
    service.start()
    service.sign_in()
    return service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests that leave it as it is, but for providers and records of their own."""
    with ExitStack() as ending:
        yield launch(tmp_path_factory.mktemp("service"), ending, supervised=True, database_url="", environ={})


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Starts services of the test's own."""
    with ExitStack() as ending:

        def start(
            *, supervised: bool = False, database_url: str = "", environ: Mapping[str, str] | None = None
        ) -> Service:
            folder = tmp_path / f"service-{free_port()}"
            return launch(folder, ending, supervised=supervised, database_url=database_url, environ=environ or {})

        yield start
