"""A provider that keeps what it is asked, and answers as a test says.

async with serve_recorder() as recorder:
    recorder.answers[b"/v1/models"] = b'{"data": []}'     by path and query; others get b"{}"
    … ask recorder.base_url …
    recorder.asked[0].line, .headers, .body
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.raw_server import LOCALHOST, request, serve_raw


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    line: str  # the first one
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Recorder:
    """Make it with `serve_recorder`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, bytes] = {}
        self.statuses: dict[str, int] = {}
        self.base_url = ""  # scheme, host and port

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, body = await request(reader)
            line, *rest = head.decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
            assert len(headers) == len(rest), "a header came twice"
            self.asked.append(Asked(line, headers, body))
            target = line.split(" ")[1]
            answer, status = self.answers.get(target, b"{}"), self.statuses.get(target, 200)
            kind = "Content-Type: application/json\r\n"
            writer.write(f"HTTP/1.1 {status} X\r\n{kind}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
            await writer.drain()

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]


@asynccontextmanager
async def serve_recorder() -> AsyncGenerator[Recorder]:
    """Starts one on a free port."""
    recorder = Recorder()
    async with serve_raw(recorder.talk) as server:
        recorder.base_url = f"http://{LOCALHOST}:{server.port}"
        yield recorder
