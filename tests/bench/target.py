"""Something that answers chat requests: where it is, how to reach it, and whether it does it right."""

import contextlib
import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import payloads
from .processes import BenchError
from .wires import OPENAI, WIRES

DIRECT = "direct"


@dataclass(frozen=True)
class Answer:
    """A control answer; load is never sent this way."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass(frozen=True)
class Target:
    """`base` is the URL before /v1; `pid` the root of the process tree to account, if there is one."""

    name: str
    base: str
    model: str = payloads.MODEL
    key: str | None = field(default=None, repr=False)
    pid: int | None = None
    ready_s: float | None = None
    version: str = ""
    wire: str = OPENAI  # on which it is asked

    @property
    def url(self) -> str:
        return self.base.rstrip("/") + WIRES[self.wire].path


def ask(
    method: str,
    url: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 10.0,
) -> Answer:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, parts.path, data, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))
    finally:
        connection.close()


def chat(target: Target, *, stream: bool = False, key: str | None = None, chunks: int = 0) -> Answer:
    used = key or target.key
    body = WIRES[target.wire].body(target.model, stream, f"@mock n={chunks}" if chunks else "")
    return ask("POST", target.url, body, {"Authorization": f"Bearer {used}"} if used else None)


def answers(url: str) -> bool:
    """Is a GET answered with 200?"""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return ask("GET", url, timeout=2.0).status == 200
    return False


def answers_chat(target: Target) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return chat(target).status == 200
    return False


def check(target: Target) -> None:
    """Whole answers, whole streams with usage, wrong keys refused; else its figures would mean nothing."""
    plain, wire = chat(target), WIRES[target.wire]
    try:
        content = wire.said(json.loads(plain.text))
    except (ValueError, KeyError, IndexError, TypeError):
        content = None
    if plain.status != 200 or content != payloads.ANSWER:
        raise BenchError(f"{target.name}: the plain answer is wrong: {plain.status} {plain.text[:300]}")
    streamed = chat(target, stream=True, chunks=5)
    text = streamed.text
    whole = text.count("~") == 5 and wire.made in text.replace(" ", "") and wire.end.decode() in text
    if streamed.status != 200 or not whole:
        raise BenchError(f"{target.name}: the streamed answer is wrong: {streamed.status} {text[:300]}")
    if target.key and (refused := chat(target, key="sk_00000000_wrong")).status not in (401, 403):
        raise BenchError(f"{target.name}: a wrong key was answered with {refused.status}")


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
