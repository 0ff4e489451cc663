"""Who may call which RPC: one table, walked by a test against the protobuf descriptors.

Authorisation of single objects (whose key, whose conversation) is the use case's: what is not the
caller's does not exist.
"""

from dataclasses import dataclass
from enum import Enum

from core.auth import READ, WRITE, Principal
from core.errors import Unauthenticated


class Access(Enum):
    """Who may call."""

    ANYONE = "anyone"
    USER = "user"  # anybody with a credential that counts
    ADMIN = "admin"
    OPERATOR = "operator"  # an administrator, or the facade in its own name
    PER_CALL = "per call"  # a stream of many calls, each with its own credential


@dataclass(frozen=True, slots=True)
class Rule:
    access: Access
    scope: str = READ  # what the credential must permit


_ANYONE = Rule(Access.ANYONE)
_READ = Rule(Access.USER, READ)
_WRITE = Rule(Access.USER, WRITE)
_ADMIN_READ = Rule(Access.ADMIN, READ)
_ADMIN_WRITE = Rule(Access.ADMIN, WRITE)

_RULES: dict[str, dict[str, Rule]] = {
    "AccountService": {
        "Login": _ANYONE,
        "Logout": _READ,
        "GetAccount": _READ,
        "UpdateAccount": _WRITE,
        "ListApiKeys": _READ,
        "CreateApiKey": _WRITE,
        "DeleteApiKey": _WRITE,
    },
    "AdminService": {
        "ListUsers": _ADMIN_READ,
        "GetUser": _ADMIN_READ,
        "CreateUser": _ADMIN_WRITE,
        "UpdateUser": _ADMIN_WRITE,
        "DeleteUser": _ADMIN_WRITE,
        "ListUserApiKeys": _ADMIN_READ,
        "DeleteUserApiKey": _ADMIN_WRITE,
        "ListProviders": _READ,
        "GetProvider": _ADMIN_READ,
        "CreateProvider": _ADMIN_WRITE,
        "UpdateProvider": _ADMIN_WRITE,
        "DeleteProvider": _ADMIN_WRITE,
        "RefreshProviderModels": _ADMIN_WRITE,
        "CreateModelEntry": _ADMIN_WRITE,
        "DeleteModelEntry": _ADMIN_WRITE,
        "GetMetrics": Rule(Access.OPERATOR),
    },
    "RouterService": {
        "CompleteChat": _WRITE,
        "StreamChat": _WRITE,
        "CompleteText": _WRITE,
        "StreamText": _WRITE,
        "Embed": _WRITE,
        "ListModels": _READ,
        "Relay": Rule(Access.PER_CALL, WRITE),
    },
    "UsageService": {
        "GetStats": _READ,
        "ListUsageRecords": _READ,
    },
    "ConversationService": {
        "CreateConversation": _WRITE,
        "ListConversations": _READ,
        "GetConversation": _READ,
        "UpdateConversation": _WRITE,
        "DeleteConversation": _WRITE,
        "ListMessages": _READ,
        "AppendMessage": _WRITE,
    },
    "WorkspaceService": {
        "ListGoals": _READ,
        "CreateGoal": _WRITE,
        "UpdateGoal": _WRITE,
        "DeleteGoal": _WRITE,
        "ListPersonas": _READ,
        "CreatePersona": _WRITE,
        "UpdatePersona": _WRITE,
        "DeletePersona": _WRITE,
    },
}

# Health checks and reflection are gRPC's own and tell nothing that needs a credential.
_OPEN_SERVICES = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1alpha.ServerReflection/",
    "/grpc.reflection.v1.ServerReflection/",
)

RULES = {
    f"/llmrouter.v1.{service}/{method}": rule for service, methods in _RULES.items() for method, rule in methods.items()
}


def rule_for(method: str) -> Rule | None:
    """The rule of a method by its full name; None where there is none, which means nobody may call it."""
    if method.startswith(_OPEN_SERVICES):
        return _ANYONE
    return RULES.get(method)


# Surfaces for people at a browser: a key that leaks from a program must not open them.
_SURFACES_OF_SESSIONS = frozenset({"console"})


def check_surface(surface: str, principal: Principal) -> None:
    """Raises Unauthenticated where a surface does not take this kind of credential."""
    if surface in _SURFACES_OF_SESSIONS and principal.kind != "session":
        raise Unauthenticated("sign in: the console takes a session, and no API key")
