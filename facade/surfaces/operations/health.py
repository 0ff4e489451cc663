"""Is it alive, is it ready, and what is it.

`/health` says that this process answers. `/ready` asks each core, over gRPC's own health service,
for itself and for what it depends on, and looks at this process's own link to it, which inference
takes; the service is ready where one core has all it needs.
"""

import asyncio
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import grpc.aio
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc

from facade.answer import answer_json
from facade.call import Call
from facade.cores import Cores
from facade.relay import Link, Relay

# The names under which a core tells its health → what they are called here.
DEPENDENCIES = {"": "core", "database": "database", "journal": "journal"}
# A balancer wants its answer soon, in seconds.
_TIMEOUT = 1.5

_OK, _DOWN, _UNKNOWN = "ok", "down", "unknown"


async def health(call: Call) -> web.Response:
    """GET /health, /healthz."""
    return answer_json({"status": "healthy"})


async def show_version(call: Call) -> web.Response:
    """GET /version."""
    return answer_json({"name": "llmrouter", "version": package_version()})


def package_version() -> str:
    """The installed package's version; "unknown" when run from a source tree that is not installed."""
    try:
        return version("llmrouter")
    except PackageNotFoundError:
        return "unknown"


class Readiness:
    """GET /ready."""

    def __init__(self, cores: Cores, relay: Relay) -> None:
        """Both for the same cores, in the same order."""
        self._links = relay.links
        self._names = cores.names
        self._stubs = [health_pb2_grpc.HealthStub(channel) for channel in cores.channels]
        self.draining = False

    async def __call__(self, call: Call) -> web.Response:
        states = await asyncio.gather(*map(self._state, self._stubs, self._links))
        ready = not self.draining and any(set(state.values()) == {_OK} for state in states)
        best = max(states, key=lambda state: list(state.values()).count(_OK))
        body: dict[str, Any] = {"status": "ready" if ready else "not ready", "dependencies": best}
        if self.draining:
            body["status"] = "stopping"
        if len(states) > 1:
            body["cores"] = dict(sorted(zip(self._names, states, strict=True)))
        return answer_json(body, 200 if ready else 503)

    async def _state(self, stub: Any, link: Link) -> dict[str, str]:
        checks = await asyncio.gather(*(_check(stub, service) for service in DEPENDENCIES))
        states = dict(zip(DEPENDENCIES.values(), checks, strict=True))
        return states | {"relay": _OK if link.connected.is_set() else _DOWN}


async def _check(stub: Any, service: str) -> str:
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        reply = await stub.Check(request, timeout=_TIMEOUT)
    except grpc.aio.AioRpcError as error:
        # A core that does not know the name did not get as far as telling; one that can't be asked is no better off.
        return _UNKNOWN if service else _DOWN if error.code() is not grpc.StatusCode.NOT_FOUND else _UNKNOWN
    return _OK if reply.status == health_pb2.HealthCheckResponse.SERVING else _DOWN
