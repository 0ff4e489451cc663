"""The way that every HTTP request walks through the facade.

    Call ─► route ─► (cross-site?) ─► handler ─► answer
              └─ none: 404, 405        └─ Problem: the surface's own JSON

What the inference way pays for it is one dictionary look-up, one comparison of clocks and one count.
"""

import asyncio
import logging
import time
from collections.abc import Iterable

from aiohttp import web

from facade.answer import answer_problem
from facade.call import Call
from facade.credentials import credentials_of
from facade.metrics import Metrics
from facade.origins import SAFE_METHODS, Origins
from facade.problem import Problem
from facade.request_log import RequestLog
from facade.route import Route
from facade.route_table import Path, RouteTable
from facade.surface import Surface, Surfaces

log = logging.getLogger("llmrouter.http")

# Logged for an answer that nobody waited for.
_CLIENT_CLOSED = 499


class Dispatcher:
    """Answers calls by the table of routes."""

    def __init__(self, routes: Iterable[Route], surfaces: Surfaces, origins: Origins, metrics: Metrics) -> None:
        self._surfaces = surfaces
        self._origins = origins
        self._metrics = metrics
        self._log = RequestLog()
        self._table = RouteTable(routes, surfaces)
        self.draining = False
        self._idle = asyncio.Event()

    async def __call__(self, call: Call) -> web.StreamResponse:
        """Answers one call, counts it, and logs it."""
        started = time.monotonic()
        path = self._table.find(call)
        surface, number = (path.surface, path.number) if path else self._stray(call)
        status = _CLIENT_CLOSED
        self._metrics.in_flight += 1
        try:
            response = await self._answer(call, path, surface)
            status = response.status
        finally:
            seconds = time.monotonic() - started
            metrics = self._metrics
            metrics.in_flight -= 1
            metrics.observe(number, status, seconds)
            if self.draining and not metrics.in_flight:
                self._idle.set()
            if path is None or not path.quiet:
                self._log.note(call, path.template if path else "(none)", status, seconds, started)
        return response

    async def wait_idle(self) -> None:
        """Returns once nothing is being handled."""
        self._idle.clear()
        if self._metrics.in_flight:
            await self._idle.wait()

    def _stray(self, call: Call) -> tuple[Surface, int]:
        surface = self._surfaces.of_path(call.path)
        return surface, self._surfaces.number(surface)

    async def _answer(self, call: Call, path: Path | None, surface: Surface) -> web.StreamResponse:
        try:
            if self._origins.cors:
                call.extra_headers = self._origins.answer_headers(call.headers)
            route = path.route(call.method) if path else None
            if route is None:
                return self._other_method(call, path)
            self._refuse(call, route)
            response = await route.handler(call)
        except Problem as problem:
            response = self._failed(call, surface, problem)
        except Exception as error:
            if isinstance(error, ConnectionError) and (call.transport is None or call.transport.is_closing()):
                raise asyncio.CancelledError from None  # the client is gone; nobody reads an answer
            log.exception("a fault in the facade", extra={"request_id": call.request_id})
            response = self._failed(call, surface, Problem("INTERNAL", f"internal error; request id {call.request_id}"))
        if self.draining and not response.prepared:
            response.force_close()
        return response

    def _other_method(self, call: Call, path: Path | None) -> web.StreamResponse:
        """Answers what no row of the table names: HEAD of a GET is the dispatcher's, and so is OPTIONS."""
        if path is None:
            raise Problem("NOT_FOUND", "there is nothing at this path")
        if call.method == "OPTIONS":
            headers = {"Allow": path.allow, **dict(self._origins.preflight_headers(call.headers))}
            return web.Response(status=204, headers=headers)
        call.extra_headers = (*call.extra_headers, ("Allow", path.allow))
        raise Problem("METHOD_NOT_ALLOWED", f"{call.method} is not possible here; possible are {path.allow}")

    def _refuse(self, call: Call, route: Route) -> None:
        """Raises the Problem of a call that may not go on to its handler."""
        if self.draining and route.surface.prefix != "/":
            raise Problem("UNAVAILABLE", "the service is stopping")
        if call.method not in SAFE_METHODS and (route.same_site or "Cookie" in call.headers):
            exposed = route.same_site or credentials_of(call).by_cookie_alone
            if exposed and self._origins.foreign(call.headers):
                raise Problem("CROSS_SITE", "a page of another site may not do this with a session cookie")

    def _failed(self, call: Call, surface: Surface, problem: Problem) -> web.StreamResponse:
        if call.answering:  # too late for another answer: the client must see that this one is broken off
            call.protocol.force_close()
            raise asyncio.CancelledError
        response = answer_problem(surface, problem)
        if problem.http_status in (408, 413):  # the rest of the body is not waited for
            response.force_close()
        return response
