"""proto/README.md: a line for every RPC, and every line does what it says against a running core.

The lines are written for grpcurl, which is not a Python package. Here they are run by bash as they
stand, with a `grpcurl` that hands its arguments to `buf curl`: the same protocol and reflection.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from llmrouter.v1 import account_pb2, admin_pb2, conversation_pb2, router_pb2, usage_pb2, workspace_pb2
from tests.support.objects_upstream import ObjectsUpstream
from tests.support.openai_upstream import listening
from tests.support.service import Service, StartService

README = Path(__file__).parents[2] / "proto" / "README.md"
ADDRESS = "127.0.0.1:50051"
PATIENCE = 120.0  # seconds

GRPCURL = """#!/bin/bash
options=() data='{}'
while [[ $1 == -* ]]; do
    case $1 in
        -plaintext) shift ;;
        -H) options+=(--header "$2"); shift 2 ;;
        -d) data=$2; shift 2 ;;
        *) echo "no such option here: $1" >&2; exit 64 ;;
    esac
done
if [[ $2 == list ]]; then
    exec "$BUF" curl --protocol grpc --list-services --http2-prior-knowledge "http://$1"
fi
exec "$BUF" curl --protocol grpc --http2-prior-knowledge "${options[@]}" -d "$data" "http://$1/$2"
"""


def blocks(language: str) -> list[str]:
    """The code of the README in one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


def rpcs() -> set[str]:
    files = (account_pb2, admin_pb2, conversation_pb2, router_pb2, usage_pb2, workspace_pb2)
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    return {f"{service.full_name}/{method.name}" for service in services for method in service.methods}


def test_every_rpc_has_a_line():
    lines = [line for block in blocks("sh") for line in block.splitlines() if "grpcurl " in line]
    called = {method for line in lines for method in re.findall(r"llmrouter\.v1\.\w+/\w+", line)}
    assert called == rpcs()


@pytest.fixture
def keeper() -> Iterator[ObjectsUpstream]:
    """A provider that keeps files, in a thread of its own."""
    ends, loop = threading.Event(), asyncio.new_event_loop()
    started: Future[ObjectsUpstream] = Future()

    async def serve() -> None:
        async with listening(ObjectsUpstream()) as upstream:
            started.set_result(upstream)
            await loop.run_in_executor(None, ends.wait)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        yield started.result(PATIENCE)
    finally:
        ends.set()
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture
def running(start_service: StartService, keeper: ObjectsUpstream) -> Service:
    """A service with an administrator and the echo provider, as the README has it, and one that keeps files."""
    keeps = {"OPENAI_API_KEY": "sk-upstream", "OPENAI_BASE_URL": keeper.base_url}
    return start_service(environ={"LLMROUTER_ECHO_TOKENS_PER_SECOND": "0", **keeps})


def run(command: list[str], folder: Path, **environ: str) -> str:
    """What a command printed. Fails where the command does."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("jq") is None, reason="the README's lines need jq")
def test_every_line_runs(running: Service, tmp_path: Path):
    grpcurl = tmp_path / "bin" / "grpcurl"
    grpcurl.parent.mkdir()
    grpcurl.write_text(GRPCURL)
    grpcurl.chmod(0o700)
    script = "set -ex -o pipefail\n" + "\n".join(blocks("sh")).replace(ADDRESS, running.grpc_target)
    buf = Path(sys.executable).with_name("buf")
    path = f"{grpcurl.parent}{os.pathsep}{os.environ['PATH']}"
    said = run(["bash", "-c", script], tmp_path, PATH=path, BUF=str(buf))
    for expected in (
        "llmrouter.v1.RouterService",  # of the list
        '"status": "SERVING"',
        '"fullName": "Ada Admin"',
        '"finishReasons"',
        "Hello, router!",
        '"contentType": "application/json"',  # of the relayed answer
        '"requestedModel": "echo"',
        '"custom_id": "1"',  # of the uploaded file
        "# TYPE ",  # of the metrics
        '"status": "GOAL_STATUS_COMPLETED"',
        '"name": "Chief editor"',
    ):
        assert expected in said, f"nothing printed {expected}"
    assert '"null"' not in said


@pytest.mark.e2e
def test_the_python_client_runs(running: Service, tmp_path: Path):
    (source,) = blocks("python")
    client = tmp_path / "client.py"
    client.write_text(source.replace(ADDRESS, running.grpc_target))
    root = Path(__file__).parents[2]
    said = run([sys.executable, str(client)], tmp_path, KEY=running.key, PYTHONPATH=str(root / "gen"))
    lines = said.splitlines()
    assert lines[0] == "answer: Hello!"
    assert any(line.startswith("delta: One") for line in lines)
    assert "finished: ['stop']" in lines
    assert "relayed: first" in lines
    assert any(re.fullmatch(r"relayed: \d+ bytes of events", line) for line in lines)
    assert not any(line.startswith("failed:") for line in lines)
