"""A call: one HTTP request on its way through the facade."""

import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web

_MAX_REQUEST_ID = 100


def new_request_id() -> str:
    """An id that nobody can guess."""
    return f"req_{secrets.token_hex(12)}"


def accepted_request_id(given: str) -> str:
    """The caller's id where it is sane (1 to 100 printable ASCII characters), else a new one."""
    if 0 < len(given) <= _MAX_REQUEST_ID and given.isascii() and given.isprintable():
        return given
    return new_request_id()


class Call(web.BaseRequest):
    """aiohttp's request, with what the facade adds.

    Each answer of the facade goes through `_prepare_hook`, streams included, so that none leaves
    without its `x-request-id`.
    """

    ATTRS = web.BaseRequest.ATTRS | frozenset(("params", "request_id", "extra_headers", "answering"))

    def __init__(self, message: Any, *rest: Any, **options: Any) -> None:
        super().__init__(message, *rest, **options)
        self.request_id = accepted_request_id(message.headers.get("X-Request-Id", ""))
        self.params: dict[str, str] = {}  # what stood in the path's places
        self.extra_headers: tuple[tuple[str, str], ...] = ()  # for the answer, whatever it will be
        self.answering = False  # whether the head of an answer is made

    def make_request_id_unique(self) -> None:
        """Makes an id that the client chose one that nobody had before, for at most one usage record is kept for it.

        The client's own stays its beginning. Call it before anything is answered.
        """
        if self.request_id == self.headers.get("X-Request-Id"):
            self.request_id = f"{self.request_id[: _MAX_REQUEST_ID - 25]}.{secrets.token_hex(12)}"

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        self.answering = True
        headers = response.headers
        headers["X-Request-Id"] = self.request_id
        headers["Server"] = "llmrouter"  # which libraries of which version is nobody's business
        for name, value in self.extra_headers:
            headers[name] = value


def factory(max_body: int) -> Callable[..., Call]:
    """What aiohttp's server makes its requests with; max_body bounds `Call.read`, in bytes."""

    def make(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Call:
        loop = protocol._loop
        return Call(message, payload, protocol, writer, task, loop, client_max_size=max_body)

    return make
