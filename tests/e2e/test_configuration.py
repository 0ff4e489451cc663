"""The configuration file of a running service."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.openai_upstream import serve_upstream
from tests.support.service import Service, ServiceFailed, StartService

pytestmark = pytest.mark.e2e

FILE = """
providers:
  - {{name: {name}, type: openai-compatible, base_url: "{url}", api_key: "${{KEY}}"}}
routes:
  - {{alias: {alias}, targets: [{name}/m]}}
"""


@asynccontextmanager
async def asking(service: Service) -> AsyncGenerator[Callable[[str], "asyncio.Task[int]"]]:
    """Sends chat completions for a model, and tells their status."""
    async with service.client(service.key) as client:

        async def ask(model: str) -> int:
            body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
            return (await client.post("/api/v1/chat/completions", json=body)).status_code

        yield lambda model: asyncio.create_task(ask(model))


async def until_logged(service: Service, text: str) -> None:
    async with asyncio.timeout(15):
        while text not in service.logs():
            await asyncio.sleep(0.05)


async def test_sighup_has_the_file_read_again_and_a_bad_one_changes_nothing(
    start_service: StartService, tmp_path: Path
) -> None:
    path = tmp_path / "llmrouter.yaml"
    async with serve_upstream() as one, serve_upstream() as two:
        one.models, two.models = ["m"], ["m"]
        path.write_text(FILE.format(name="one", url=one.base_url, alias="fast"))
        service = start_service(supervised=True, environ={"LLMROUTER_CONFIG": str(path), "KEY": "sk-1"})
        async with asking(service) as ask:
            assert await ask("fast") == 200
            assert one.requests[0].headers["authorization"] == "Bearer sk-1"

            path.write_text("routes: 1")
            os.kill(service.core_pid, signal.SIGHUP)
            await until_logged(service, "the configuration was not changed")
            assert f"{path} can't be used: line 1, column 9: routes: must be a list" in service.logs()
            assert await ask("fast") == 200

            path.write_text(FILE.format(name="two", url=two.base_url, alias="slow"))
            os.kill(service.core_pid, signal.SIGHUP)
            await until_logged(service, "the configuration was read again")
            async with asyncio.timeout(15):
                while await ask("slow") != 200:
                    await asyncio.sleep(0.05)
            assert await ask("fast") == 400
        assert len(one.requests) == 2
        assert two.requests[0].headers["authorization"] == "Bearer sk-1"


def test_a_bad_file_ends_the_start_and_says_why(start_service: StartService, tmp_path: Path) -> None:
    path = tmp_path / "llmrouter.yaml"
    path.write_text("providers: [{name: a, type: openai, api_key: '${NOBODY_SET_THIS}'}]")
    with pytest.raises(ServiceFailed, match="the environment variable NOBODY_SET_THIS is not set"):
        start_service(supervised=True, environ={"LLMROUTER_CONFIG": str(path)})


@pytest.mark.usefixtures("limit")
async def test_a_core_that_ends_while_the_file_is_bad_goes_on_with_the_last_good_one(
    start_service: StartService, tmp_path: Path
) -> None:
    path = tmp_path / "llmrouter.yaml"
    async with serve_upstream() as upstream:
        upstream.models = ["m"]
        path.write_text(FILE.format(name="one", url=upstream.base_url, alias="fast"))
        service = start_service(supervised=True, environ={"LLMROUTER_CONFIG": str(path), "KEY": "sk-1"})
        path.write_text("routes: 1")
        service.kill_core()
        await until_logged(service, "going on with the last good configuration")
        await asyncio.to_thread(service.wait_ready)
        async with asking(service) as ask:
            assert await ask("fast") == 200
