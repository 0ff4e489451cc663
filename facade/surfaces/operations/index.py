"""GET / and /openapi.json: what there is, for people and for programs."""

from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from aiohttp import web

from facade.call import Call
from facade.openapi import describe
from facade.problem import dumps
from facade.surfaces.operations.health import package_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.route import Route

_HEAD = """llmrouter {version}

An LLM router: point an OpenAI client's base URL at {url}/v1 and use an API key of this service.
GET /openapi.json describes everything below.
"""


class Directory:
    """Tells of all routes; they are filled in once all are known."""

    def __init__(self, public_url: str) -> None:
        self.routes: Sequence[Route] = ()
        self._public_url = public_url

    async def index(self, call: Call) -> web.Response:
        """GET /."""
        return web.Response(text=self._page, content_type="text/plain", charset="utf-8")

    async def openapi(self, call: Call) -> web.Response:
        """GET /openapi.json."""
        return web.Response(body=self._description, content_type="application/json")

    @cached_property
    def _description(self) -> bytes:
        return dumps(describe(self.routes, self._public_url, package_version()))

    @cached_property
    def _page(self) -> str:
        lines = [_HEAD.format(version=package_version(), url=self._public_url)]
        titles = list(dict.fromkeys(route.surface.title for route in self.routes))
        rows = [(route.surface.title, f"{route.method:<7}{route.path}", route.doc.summary) for route in self.routes]
        rows.sort(key=lambda row: titles.index(row[0]))  # stable: within a surface they stay as they are
        width = max(len(name) for _, name, _ in rows)
        for title, group in groupby(rows, key=lambda row: row[0]):
            lines += [title, *(f"  {name:<{width}}  {summary}" for _, name, summary in group), ""]
        return "\n".join(lines)
