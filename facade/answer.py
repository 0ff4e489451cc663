"""Answers: what a handler returns, and a problem in the words of its surface."""

import math
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from facade.problem import Problem, dumps
from facade.surface import Surface

# In a problem's metadata: what was wrong, where its message is the fixed words of a document.
DETAIL = "detail"

_MAX_DETAIL = 300
# In a problem's metadata: headers that say what is left of a limit.
_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-")


def answer_json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer that no cache keeps."""
    return web.Response(
        status=status,
        body=dumps(body),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})},
    )


def answer_problem(surface: Surface, problem: Problem) -> web.Response:
    """A problem in the shape that the surface documents.

    Where that shape has no room for the message (it says "invalid payload" to whatever was wrong),
    the header `x-llmrouter-error-detail` has it.
    """
    body = surface.render(problem)
    headers: dict[str, str] = {}
    message = problem.metadata.get(DETAIL, problem.message)
    if message not in str(body):
        detail = f"{problem.field_name}: {message}" if problem.field_name else message
        printable = "".join(c if c.isascii() and c.isprintable() else "?" for c in detail)
        headers["X-LLMRouter-Error-Detail"] = printable[:_MAX_DETAIL]
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    headers |= {name: value for name, value in problem.metadata.items() if name.startswith(_LIMITS)}
    status = surface.status(problem)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return answer_json(body, status, headers)


def event_of(surface: Surface, problem: Problem) -> bytes:
    """The server-sent event that tells the reader of a stream why it broke off."""
    name = f"event: {surface.error_event}\n".encode() if surface.error_event else b""
    return name + b"data: " + dumps((surface.render_event or surface.render)(problem)) + b"\n\n"
