"""The facade's process: signals, and a port that is taken."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.facade import LOCALHOST

ROOT = Path(__file__).parents[2]
RUN = """
import sys
sys.path[:0] = [".", "gen"]
from facade import app
from tests.support.facade import facade_settings
sys.exit(app.run(facade_settings(port=int(sys.argv[1]), drain_timeout=30.0), lambda: print("ready", flush=True)))
"""


@asynccontextmanager
async def process(port: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    """`app.run` as the command line starts it."""
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RUN, str(port), cwd=ROOT, stdout=pipe, stderr=pipe
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
    async with process(0) as started:
        assert started.stdout is not None
        assert await started.stdout.readline() == b"ready\n"
        started.send_signal(number)
        out, err = await started.communicate()
        assert (started.returncode, out, err) == (0, b"", b"")


async def test_a_taken_port_is_an_error_that_names_it():
    with socket.socket() as taken:
        taken.bind((LOCALHOST, 0))
        taken.listen()
        async with process(taken.getsockname()[1]) as started:
            out, err = await started.communicate()
            assert (started.returncode, out) == (1, b"")
            assert b"OSError: [Errno 98]" in err
            assert b"was never" not in err
