"""A core that is not there: a gRPC server whose answers a test decides, for what a real core rarely does.

async with stub_core({"AdminService.ListUsers": list_users}) as target: …
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc

from facade.cores import rpc
from llmrouter.v1 import router_pb2_grpc

Method = Callable[[Any, Any], Awaitable[Any]]


@asynccontextmanager
async def stub_core(
    methods: Mapping[str, Method],
    health: health_pb2_grpc.HealthServicer | None = None,
    *,
    target: str = "",
    relays: bool = False,
) -> AsyncGenerator[str]:
    """Serves unary methods, "Service.Method" → (request, context) → reply, and gives the server's target.

    target: where to listen, "" for a free port; relays: whether facades get a relay stream, in which nothing happens.
    """
    server: Any = grpc.aio.server()
    for path, group in groupby(sorted(methods), key=lambda name: rpc(name).path.split("/")[1]):
        handlers = {name.split(".")[1]: _handler(name, methods[name]) for name in group}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(path, handlers),))
    if relays:
        relaying: Any = _Relaying  # it has no more than it needs
        router_pb2_grpc.add_RouterServiceServicer_to_server(relaying(), server)
    if health is not None:
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port(target or "127.0.0.1:0")
    await server.start()
    try:
        yield target or f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)


class _Relaying(router_pb2_grpc.RouterServiceServicer):
    """Takes relay streams and keeps them open."""

    async def Relay(self, request_iterator: Any, context: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - it writes by the context
        await context.send_initial_metadata(())
        await asyncio.Event().wait()


def _handler(name: str, method: Method) -> Any:
    library: Any = grpc  # its stubs don't know what types a method has
    return library.unary_unary_rpc_method_handler(
        method,
        request_deserializer=rpc(name).request.FromString,
        response_serializer=rpc(name).reply.SerializeToString,
    )
