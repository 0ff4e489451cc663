"""The way that every HTTP request walks through the facade.

    Call ─► route ─► (cross-site?) ─► handler ─► answer
              └─ none: 404, 405        └─ Problem: the surface's own JSON

What the inference way pays for it is one dictionary look-up, one comparison of clocks and one count.
"""

import asyncio
import logging
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from facade.answer import answer_problem
from facade.call import Call
from facade.credentials import credentials_of
from facade.metrics import Metrics
from facade.origins import SAFE_METHODS, Origins
from facade.problem import Problem
from facade.route import Route
from facade.surface import Surface, Surfaces

log = logging.getLogger("llmrouter.http")

# Logged for an answer that nobody waited for.
_CLIENT_CLOSED = 499

_PLACE = re.compile(r"\{(\w+)(\.\.\.)?\}")


@dataclass(frozen=True, slots=True)
class _Path:
    """A path of the table and its methods."""

    template: str
    surface: Surface
    number: int  # of the surface, in the metrics
    routes: dict[str, Route]

    @property
    def allow(self) -> str:
        return ", ".join(sorted({*self.routes, "OPTIONS", *(("HEAD",) if "GET" in self.routes else ())}))


class Dispatcher:
    """Answers calls by the table of routes."""

    def __init__(self, routes: Iterable[Route], surfaces: Surfaces, origins: Origins, metrics: Metrics) -> None:
        self._surfaces = surfaces
        self._origins = origins
        self._metrics = metrics
        self._fixed: dict[str, _Path] = {}
        self._patterns: list[tuple[re.Pattern[str], _Path]] = []
        self.draining = False
        self._idle = asyncio.Event()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        path = next((known for known in self._paths() if known.template == route.path), None)
        if path is None:
            path = _Path(route.path, route.surface, self._surfaces.number(route.surface), {})
            if _PLACE.search(route.path):
                self._patterns.append((_pattern(route.path), path))
            else:
                self._fixed[route.path] = path
        if route.method in path.routes:
            raise ValueError(f"{route.method} {route.path} is there twice")
        path.routes[route.method] = route

    def _paths(self) -> Iterable[_Path]:
        yield from self._fixed.values()
        yield from (path for _, path in self._patterns)

    async def __call__(self, call: Call) -> web.StreamResponse:
        """Answers one call, counts it, and logs it."""
        started = time.monotonic()
        path = self._fixed.get(call.raw_path) or self._find(call)
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
            if log.isEnabledFor(logging.INFO):
                self._log(call, path, status, seconds)
        return response

    async def wait_idle(self) -> None:
        """Returns once nothing is being handled."""
        self._idle.clear()
        if self._metrics.in_flight:
            await self._idle.wait()

    def _find(self, call: Call) -> _Path | None:
        path = call.path  # without the query, unescaped
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed
        for pattern, candidate in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None:
                call.params = match.groupdict()
                return candidate
        return None

    def _stray(self, call: Call) -> tuple[Surface, int]:
        surface = self._surfaces.of_path(call.path)
        return surface, self._surfaces.number(surface)

    async def _answer(self, call: Call, path: _Path | None, surface: Surface) -> web.StreamResponse:
        try:
            if self._origins.cors:
                call.extra_headers = self._origins.answer_headers(call.headers)
            route = _route(path, call.method)
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

    def _other_method(self, call: Call, path: _Path | None) -> web.StreamResponse:
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

    def _log(self, call: Call, path: _Path | None, status: int, seconds: float) -> None:
        route = _route(path, call.method)
        if route is not None and route.quiet and status < 400:
            return
        extra = {
            "method": call.method if len(call.method) <= 20 else "?",
            "path": path.template if path else "(none)",
            "status": status,
            "ms": round(seconds * 1000, 1),
            "request_id": call.request_id,
        }
        log.info("http", extra=extra)


def _route(path: _Path | None, method: str) -> Route | None:
    if path is None:
        return None
    return path.routes.get(method) or (path.routes.get("GET") if method == "HEAD" else None)


def _pattern(template: str) -> re.Pattern[str]:
    """The regular expression of a path with places."""
    parts: list[str] = []
    end = 0
    for place in _PLACE.finditer(template):
        parts += [re.escape(template[end : place.start()]), f"(?P<{place[1]}>{'.+' if place[2] else '[^/]+'})"]
        end = place.end()
    return re.compile("".join(parts) + re.escape(template[end:]), re.DOTALL)
