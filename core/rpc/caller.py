"""Who calls, for the RPC that runs now."""

from contextvars import ContextVar
from dataclasses import dataclass

from core.auth import Principal, Secrets


@dataclass(frozen=True, slots=True)
class Caller:
    """What the interceptor found out about a call."""

    principal: Principal
    request_id: str
    client_address: str  # as the facade saw it, else the gRPC peer
    surface: str  # "grpc", or the facade's surface
    secrets: Secrets
    is_facade: bool  # it proved to be our own facade


_current: ContextVar[Caller] = ContextVar("caller")


def current() -> Caller:
    """The caller of the RPC that runs now."""
    return _current.get()


def enter(caller: Caller) -> None:
    """Sets the caller for the rest of this RPC; each runs in a context of its own."""
    _current.set(caller)
