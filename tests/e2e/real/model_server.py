"""A real OpenAI-compatible model server for end-to-end tests: llama.cpp's own server with a tiny model.

Two halves of one module:

* `running_model_server()` is for tests: it starts the server as a child process on a free loopback port,
  waits until it answers, hands out its address and ends it (and nothing else) afterwards;
* `python -m tests.e2e.real.model_server` is that child: it writes the model of `tiny_gguf` into a temporary
  directory and serves it with llama.cpp's HTTP server, which the package xllamacpp carries as a library.

Why a process of its own: the server is native code, so a crash in it must fail one test and not the test
runner, and the system under test must meet it as it meets any provider: over a socket only.

Needs the optional end-to-end dependencies (xllamacpp, gguf, numpy) in the child's interpreter. No network, no
key, no downloads: it binds 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from tests.e2e.real.tiny_gguf import CONTEXT_LENGTH, EMBEDDING_DIMENSIONS, MODEL_NAME, write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

HOST: Final[str] = "127.0.0.1"

CHAT_MODEL: Final[str] = MODEL_NAME
"""The model id that /v1/models lists. llama.cpp serves its one model whatever name a request gives."""

PACKAGES: Final[tuple[str, ...]] = ("xllamacpp", "gguf", "numpy")
"""What must be importable where the server runs."""

_REPOSITORY: Final[Path] = Path(__file__).resolve().parents[3]
# The key travels in the environment because command lines are visible to every user of the machine.
_KEY_VARIABLE: Final = "REAL_MODEL_SERVER_KEY"
_SLOTS: Final = 4
_HTTP_THREADS: Final = 64
_DEFAULT_MAX_TOKENS: Final = 1024
_POLL_SECONDS: Final = 0.02
_PARENT_POLL_SECONDS: Final = 0.5
_STOP_SECONDS: Final = 5.0
_LOG_TAIL_CHARACTERS: Final = 4000


class ModelServerError(RuntimeError):
    """The server could not be started; the message says why and ends with the tail of its log, if any."""


@dataclass(frozen=True, slots=True)
class RealServer:
    """What a test needs to know about a running server."""

    base_url: str
    """With the API prefix and no slash at the end: "http://127.0.0.1:PORT/v1"."""
    chat_model: str
    """The model id for chat and text completions."""
    embedding_model: str
    """The model id for embeddings: the same server and model serve both."""
    embedding_dimensions: int
    """The length of each embedding."""
    api_key: str | None
    """The key that requests must carry as a bearer token; `None`: the server takes any or none."""
    pid: int
    """The child's process id."""
    log: Path
    """The file that holds the child's output, until the context manager ends."""

    @property
    def origin(self) -> str:
        """The address without the API prefix, where /health is."""
        return self.base_url.removesuffix("/v1")


def missing_packages() -> list[str]:
    """The packages that this interpreter lacks to run the server: empty where it can.

    Only looks the packages up, imports none: a suite may ask this to decide whether to run at all.
    """
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


@contextlib.contextmanager
def running_model_server(
    *,
    api_key: str | None = None,
    port: int = 0,
    start_timeout: float = 60.0,
    max_seconds: float = 1800.0,
    python: str = sys.executable,
) -> Generator[RealServer]:
    """Runs a model server for the duration of the `with` block and yields what is needed to call it.

    `api_key`: the key that the server then demands (401 without it). `port`: 0 takes a free one.
    `start_timeout`: seconds until it must answer, else `ModelServerError` (so too when it dies before).
    `max_seconds`: the child ends itself after that long, whatever became of its parent. `python`: the
    interpreter that has the packages.

    Whichever way the block ends, only that child is ended: asked first, killed if it does not go.
    """
    with tempfile.TemporaryDirectory(prefix="real-model-server-") as name:
        directory = Path(name)
        log_path, ready_path = directory / "server.log", directory / "ready.json"
        environment = os.environ | {_KEY_VARIABLE: api_key or ""}
        with log_path.open("wb") as log:
            child = subprocess.Popen(
                [
                    *(python, "-m", "tests.e2e.real.model_server"),
                    *("--port", str(port)),
                    *("--directory", str(directory)),
                    *("--ready-file", str(ready_path)),
                    *("--parent-pid", str(os.getpid())),
                    *("--max-seconds", str(max_seconds)),
                ],
                cwd=_REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            bound = _wait_until_ready(child, ready_path, log_path, time.monotonic() + start_timeout)
            yield RealServer(
                base_url=f"http://{HOST}:{bound}/v1",
                chat_model=CHAT_MODEL,
                embedding_model=CHAT_MODEL,
                embedding_dimensions=EMBEDDING_DIMENSIONS,
                api_key=api_key,
                pid=child.pid,
                log=log_path,
            )
        finally:
            _end(child)


def _wait_until_ready(child: subprocess.Popen[bytes], ready: Path, log: Path, deadline: float) -> int:
    """Returns the port once the child has written it down and /health says ok; raises if that fails."""
    port: int | None = None
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise ModelServerError(f"the model server ended with code {child.returncode}{_tail(log)}")
        if port is None and ready.exists():
            port = int(json.loads(ready.read_text(encoding="utf-8"))["port"])
        if port is not None and _healthy(port):
            return port
        time.sleep(_POLL_SECONDS)
    raise ModelServerError(f"the model server did not answer in time{_tail(log)}")


def _healthy(port: int) -> bool:
    """Whether the server answers and has its model loaded (it says 503 while loading)."""
    # http.client and not urllib: a proxy set in the environment must not get between here and loopback.
    connection = http.client.HTTPConnection(HOST, port, timeout=2.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    """The end of the log as an addition to an error message, empty where there is none."""
    text = log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL_CHARACTERS:].strip()
    return f"; the end of its log:\n{text}" if text else ""


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the child and reaps it; does nothing where it ended by itself."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


# Everything below runs in the child only.


def _start(model: Path, port: int, api_key: str) -> Any:
    """Starts llama.cpp's server on `model` in threads of this process and returns the object that owns it.

    The object is untyped: xllamacpp is a compiled package without type information, and an optional one.
    """
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params: Any = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {CHAT_MODEL}
    params.hostnames = [HOST]
    params.port = port
    if api_key:
        params.api_keys = [api_key]

    params.n_parallel = _SLOTS
    params.n_ctx = _SLOTS * CONTEXT_LENGTH
    # One instance serves completions and embeddings. Pooled embeddings need the whole input in one batch.
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.n_batch = CONTEXT_LENGTH
    params.n_ubatch = CONTEXT_LENGTH
    params.use_jinja = True
    # Requests may ask for more; without a limit of their own, one that ignores the end of turn stops here.
    params.n_predict = _DEFAULT_MAX_TOKENS
    # A kept-alive connection holds an HTTP thread for seconds after its last request: with as few threads as
    # slots (the default), a client with a few more pooled connections than that would wait for idle ones.
    params.n_threads_http = _HTTP_THREADS

    # The model is far too small to gain from threads, and idle ones would spin beside the system under test.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.fit_params = False
    params.cache_ram_mib = 0
    # It must reach for nothing outside, and serve nothing but the API.
    params.offline = True
    params.ui = False
    return xllamacpp.Server(params)


def _port_of(server: Any) -> int:
    """The port that the server bound: known only afterwards where a free one was asked for."""
    return int(cast("str", server.listening_address).rstrip("/").rsplit(":", 1)[1])


def _write_whole(path: Path, text: str) -> None:
    """Writes a file that a reader sees complete or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _serve(options: argparse.Namespace) -> int:
    """Serves until told to stop (SIGTERM, SIGINT), orphaned or out of time; returns the exit code."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)

    deadline = time.monotonic() + cast("float", options.max_seconds)
    parent = cast("int | None", options.parent_pid)
    ready = cast("Path | None", options.ready_file)
    with contextlib.ExitStack() as stack:
        directory = cast("Path | None", options.directory)
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="real-model-server-")))
        model = write_tiny_gguf(directory / "tiny.gguf")
        server = _start(model, cast("int", options.port), os.environ.get(_KEY_VARIABLE, ""))
        port = _port_of(server)
        if ready is not None:
            _write_whole(ready, json.dumps({"port": port, "pid": os.getpid()}))
        print(f"serving {CHAT_MODEL} on http://{HOST}:{port}/v1", flush=True)
        while not stop.wait(_PARENT_POLL_SECONDS) and time.monotonic() < deadline:
            if parent is not None and os.getppid() != parent:
                break
        # Its destructor stops the native threads: before the interpreter and the model file go away.
        del server
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Command line of the child, also of use by hand: serves on --port until ended; returns the exit code."""
    parser = argparse.ArgumentParser(description="Serve the tiny test model with llama.cpp's server.")
    parser.add_argument("--port", type=int, default=0, help="the loopback port; 0 (default) takes a free one")
    parser.add_argument("--max-seconds", type=float, default=1800.0, help="ends itself after that long")
    parser.add_argument("--directory", type=Path, help="where to write the model (default: a temporary one)")
    parser.add_argument("--ready-file", type=Path, help="written as JSON with the port once it serves")
    parser.add_argument("--parent-pid", type=int, help="ends itself when this is no longer its parent")
    return _serve(parser.parse_args(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
