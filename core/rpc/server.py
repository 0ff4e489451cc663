"""The gRPC server: services, the gate, health and reflection."""

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from core.deps import Deps
from core.rpc import account, admin, conversation, router, usage, workspace
from core.rpc.access import Gate
from core.rpc.forsaken import Forsaken

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

# A request's body may be this much smaller than the message that carries it.
_ENVELOPE = 1024 * 1024


class Health(Protocol):
    """What tells clients whether to come (grpc.health.v1)."""

    async def set(self, service: str, status: health_pb2.HealthCheckResponse.ServingStatus.ValueType) -> None:
        """Sets a service's status, or the whole server's where the name is ""."""
        ...

    async def enter_graceful_shutdown(self) -> None:
        """Sets everything to NOT_SERVING for good."""
        ...


# Facades ask once a minute whether we are still here; gRPC would hang up on who asks more often than every five.
_OFTEN_ENOUGH_MS = 10_000


def build_server(deps: Deps, internal_token: str) -> tuple[grpc.aio.Server, Health, Sequence[str]]:
    """A server that is not bound or started yet, the servicer that tells its health, and its services' full names."""
    gate = Gate(deps.authenticator, internal_token, deps.clock, deps.new_id, Forsaken(deps.pipeline))
    limit = deps.settings.max_body + _ENVELOPE
    server = grpc.aio.server(
        interceptors=[gate],
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 1 if deps.settings.core_workers > 1 else 0),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.http2.min_ping_interval_without_data_ms", _OFTEN_ENOUGH_MS),
            ("grpc.keepalive_permit_without_calls", 1),
        ],
    )
    names = [add(server, deps) for add in _services()]
    healthy = cast("Health", health.aio.HealthServicer())  # pyright: ignore[reportAttributeAccessIssue] - there at run time
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server, healthy, names


def _services() -> Sequence[Callable[[grpc.aio.Server, Deps], str]]:
    """One function per service: adds it to the server and returns its full name."""
    return [account.add, admin.add, conversation.add, router.add, usage.add, workspace.add]
