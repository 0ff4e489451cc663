"""`llmrouter serve` as a whole: the first start, what keeps it from starting, and what survives a kill of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

ROOT = Path(__file__).parents[2]


class Serve:
    """One `llmrouter serve` in a directory."""

    def __init__(self, directory: Path, *options: str, **environ: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "core.cli", "serve", *options],
            cwd=directory,
            env=kept | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'gen'}", "LLMROUTER_DRAIN_TIMEOUT": "1"} | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, words: str) -> str:
        """What it says up to the line that has the words, or to its end."""
        assert self.process.stdout is not None
        said: list[str] = []
        while line := self.process.stdout.readline():
            said.append(line)
            if words in line:
                break
        return "".join(said)

    def end(self) -> int:
        """Asks it to stop; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self.process.communicate()  # to the end of all processes that write there
        return self.process.returncode


Start = Callable[..., Serve]


@pytest.fixture
def environ() -> Mapping[str, str]:
    return {
        "LLMROUTER_HTTP_ADDR": f"127.0.0.1:{free_port()}",
        "LLMROUTER_GRPC_ADDR": f"127.0.0.1:{free_port()}",
        "LLMROUTER_ECHO": "1",
    }


@pytest.fixture
def start(tmp_path: Path, environ: Mapping[str, str]) -> Iterator[Start]:
    """Starts services, all in one directory: start("--dev", LLMROUTER_…="…")."""
    with ExitStack() as ending:

        def begin(*options: str, **more: str) -> Serve:
            serve = Serve(tmp_path, *options, **{**environ, **more})
            ending.callback(serve.end)
            return serve

        yield begin


def ask(environ: Mapping[str, str], path: str, key: str = "", body: Any = None) -> tuple[int, Any]:
    """An HTTP request to the service."""
    request = urllib.request.Request(
        f"http://{environ['LLMROUTER_HTTP_ADDR']}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {}),
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        text = answer.read().decode()
        return answer.status, json.loads(text) if "json" in answer.headers["content-type"] else text


def test_the_first_start_of_a_checkout_makes_an_account_that_works(
    start: Start, environ: Mapping[str, str], tmp_path: Path
):
    first = start("--dev")
    said = first.until("API key sk_")
    folder = tmp_path / "data" / "first-account"
    key = (folder / "api-key").read_text().strip()
    assert key in said
    assert (folder / "password").read_text().strip() in said
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}

    chat = {"model": "echo", "messages": [{"role": "user", "content": "Hello, router"}]}
    status, answer = ask(environ, "/api/v1/chat/completions", key, chat)
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "Hello, router")
    login = {"email": (folder / "email").read_text().strip(), "password": (folder / "password").read_text().strip()}
    assert ask(environ, "/api/auth/login", body=login) == (200, {"ok": True})
    assert first.end() == 0

    again = start("--dev").until("ListModels")
    assert "llmrouter is up" in again
    assert key not in again


def test_without_dev_nobody_is_made_and_the_log_says_how(start: Start, tmp_path: Path):
    serve = start()
    assert "llmrouter users add --admin EMAIL" in serve.until("there is no administrator")
    assert not (tmp_path / "data" / "first-account").exists()
    assert serve.end() == 0


@pytest.mark.parametrize("variable", ["LLMROUTER_HTTP_ADDR", "LLMROUTER_GRPC_ADDR"])
def test_a_taken_port_is_one_line_that_names_the_setting(start: Start, variable: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        serve = start(**{variable: taken})
        said = serve.until("no such line")
    assert said.startswith(f"llmrouter: {taken} is taken: ")
    assert f"({variable}=127.0.0.1:" in said
    assert said.count("\n") == 1
    assert serve.end() == 78


def test_a_bad_configuration_file_ends_the_start_and_says_where(start: Start, tmp_path: Path):
    (tmp_path / "bad.yaml").write_text("providers:\n  - nam: x\n")
    serve = start(LLMROUTER_CONFIG="bad.yaml")
    assert "bad.yaml can't be used:\n  line 2, column " in serve.until("no such line")
    assert serve.end() == 78


def test_a_reload_takes_a_good_file_and_refuses_a_bad_one(start: Start, tmp_path: Path):
    file = tmp_path / "router.yaml"
    file.write_text("routes: []\n")
    serve = start(LLMROUTER_CONFIG="router.yaml")
    serve.until("up http=")
    serve.process.send_signal(signal.SIGHUP)
    assert "the configuration was read again" in serve.until("the configuration was")
    file.write_text("roots: []\n")
    serve.process.send_signal(signal.SIGHUP)
    said = serve.until("the configuration was")
    assert "the configuration was not changed: router.yaml can't be used: line 1, column 1: roots" in said
    assert serve.end() == 0


def test_a_database_that_does_not_answer_ends_the_start(start: Start):
    serve = start(LLMROUTER_DATABASE_URL="postgresql://router:the-password@127.0.0.1:1/router")
    said = serve.until("no such line")
    assert "check LLMROUTER_DATABASE_URL" in said
    assert "the-password" not in said
    assert serve.end() == 69


def test_a_stop_does_not_wait_for_a_database_that_says_nothing(start: Start):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        serve = start(LLMROUTER_DATABASE_URL=f"postgresql://router@127.0.0.1:{silent.getsockname()[1]}/router")
        connection, _ = silent.accept()
        with connection:
            assert serve.end() == 0


def test_one_data_directory_has_one_service(start: Start):
    first = start()
    first.until("up http=")
    second = start(LLMROUTER_HTTP_ADDR="127.0.0.1:0", LLMROUTER_GRPC_ADDR="127.0.0.1:0")
    assert f"runs already on data, as process {first.process.pid}" in second.until("no such line")
    assert second.end() == 78
    assert first.end() == 0


def test_after_a_kill_of_the_supervisor_the_next_one_takes_over(start: Start, environ: Mapping[str, str]):
    first = start()
    first.until("up http=")
    first.process.kill()
    second = start()
    assert "up http=" in second.until("up http=")
    assert ask(environ, "/health")[0] == 200
    assert second.end() == 0


def test_several_workers_share_the_addresses_and_tell_all_their_metrics(start: Start, environ: Mapping[str, str]):
    serve = start(LLMROUTER_CORE_WORKERS="2", LLMROUTER_FACADE_WORKERS="2")
    assert "up http=" in serve.until("up http=")
    assert ask(environ, "/ready")[0] == 200
    metrics = ask(environ, "/metrics")[1]
    for process in ("core-0", "core-1", "facade-0", "facade-1"):
        assert f'llmrouter_up{{process="{process}"}} 1' in metrics
    assert serve.end() == 0
