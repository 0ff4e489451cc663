"""GET /metrics: this process's metrics, the cores' and the sibling facades', in one text.

facade-0 (asked) ─┬─ its own
                  ├─ core-0, core-1 …      AdminService.GetMetrics
                  └─ facade-1, facade-2 …  GET on their Unix sockets
"""

import asyncio
from pathlib import PurePath

import aiohttp
import grpc.aio
from aiohttp import web

from facade.call import Call
from facade.cores import Cores, rpc
from facade.exposition import CONTENT_TYPE, merge
from facade.metrics import Metrics
from facade.settings import FacadeSettings

# For all of them together, in seconds; Prometheus gives up after ten by default.
_TIMEOUT = 3.0
# How a sibling says which process it is.
_PROCESS = "X-LLMRouter-Process"


class Monitoring:
    """Answers with everybody's metrics, and to siblings with its own."""

    def __init__(self, cores: Cores, metrics: Metrics, settings: FacadeSettings) -> None:
        self._cores = cores
        self._metrics = metrics
        self._siblings = settings.sibling_sockets
        self._name = f"facade-{settings.worker}"

    async def everybody(self, call: Call) -> web.Response:
        """GET /metrics. Whoever does not answer in time is reported as down."""
        cores = range(len(self._cores.names))
        told = await asyncio.gather(*map(self._core, cores), *map(_sibling, self._siblings))
        own = self._metrics.text().decode()
        body = await asyncio.to_thread(merge, {self._name: own, **dict(told)})
        return _text(body)

    async def own(self, request: web.BaseRequest) -> web.Response:
        """What a sibling is answered."""
        response = _text(self._metrics.text())
        response.headers[_PROCESS] = self._name
        return response

    async def _core(self, place: int) -> tuple[str, str | None]:
        name, method = self._cores.names[place], rpc("AdminService.GetMetrics")
        try:
            reply = await self._cores.call_on(place, method, method.request(), (), _TIMEOUT)
        except grpc.aio.AioRpcError:
            return name, None
        return name, reply.text


def _text(body: bytes) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


async def _sibling(socket: str) -> tuple[str, str | None]:
    connector, timeout = aiohttp.UnixConnector(socket), aiohttp.ClientTimeout(total=_TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get("http://sibling/metrics") as response,
        ):
            return response.headers[_PROCESS], await response.text()
    except (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError, KeyError):
        return PurePath(socket).stem, None
