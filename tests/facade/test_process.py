"""The facade's process: signals, and a port that is taken."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.facade import LOCALHOST
from tests.support.plain_http import PLAIN
from tests.support.service import free_port
from tests.support.stub_core import stub_core

ROOT = Path(__file__).parents[2]
RUN = """
import logging, sys
logging.disable(logging.WARNING)  # which tells that the core of these tests has no Relay
sys.path[:0] = [".", "gen"]
from facade import app
from tests.support.facade import facade_settings
settings = facade_settings(port=int(sys.argv[1]), core_targets=(sys.argv[2],), drain_timeout=30.0)
sys.exit(app.run(settings, lambda: print("ready", flush=True)))
"""


@asynccontextmanager
async def process(port: int, core: str = "127.0.0.1:1") -> AsyncGenerator[asyncio.subprocess.Process]:
    """`app.run` as the command line starts it. core: the target of its core."""
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, str(port), core, cwd=ROOT, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(30):
            yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_without_an_error(number: signal.Signals):
    async with stub_core({}) as core, process(0, core) as started:
        assert started.stdout is not None
        assert await started.stdout.readline() == b"ready\n"
        started.send_signal(number)
        out, err = await started.communicate()
        assert (started.returncode, out, err) == (0, b"", b"")


async def test_it_is_ready_once_it_has_a_core_to_ask(tmp_path: Path):
    port = free_port()
    target = f"unix:{tmp_path / 'core.sock'}"
    async with process(port, target) as started:
        assert started.stdout is not None
        async with httpx.AsyncClient(base_url=f"http://{LOCALHOST}:{port}", **PLAIN) as client:
            while True:
                with suppress(httpx.ConnectError):
                    assert (await client.get("/health")).status_code == 200
                    break
        saying = asyncio.ensure_future(started.stdout.readline())
        assert (await asyncio.wait([saying], timeout=0.1))[1] == {saying}
        async with stub_core({}, target=target):
            assert await saying == b"ready\n"


async def test_a_taken_port_is_an_error_that_names_it():
    with socket.socket() as taken:
        taken.bind((LOCALHOST, 0))
        taken.listen()
        async with process(taken.getsockname()[1]) as started:
            out, err = await started.communicate()
            assert (started.returncode, out) == (1, b"")
            assert b"OSError: [Errno 98]" in err
            assert b"was never" not in err
