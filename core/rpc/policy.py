"""Who may call which RPC: one table, walked by a test against the protobuf descriptors.

Authorisation of single objects (whose key, whose conversation) is the use case's: what is not the
caller's does not exist.
"""

from dataclasses import dataclass, replace
from enum import Enum

from core.auth import JWT, READ, WRITE, Principal
from core.errors import Forbidden, Unauthenticated
from core.store import virtual_keys


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
    by_virtual_key: bool = False  # whether a key that was given out to call models may do this


_ANYONE = Rule(Access.ANYONE)
_READ = Rule(Access.USER, READ)
_WRITE = Rule(Access.USER, WRITE)
_ADMIN_READ = Rule(Access.ADMIN, READ)
_ADMIN_WRITE = Rule(Access.ADMIN, WRITE)

_RULES: dict[str, dict[str, Rule]] = {
    "AccountService": {
        "Login": _ANYONE,
        "IssueToken": _ANYONE,
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
        "CreateVirtualKey": _ADMIN_WRITE,
        "ListVirtualKeys": _READ,
        "GetVirtualKey": _READ,
        "UpdateVirtualKey": _ADMIN_WRITE,
        "DeleteVirtualKey": _ADMIN_WRITE,
        "ListProviders": _READ,
        "GetProvider": _ADMIN_READ,
        "CreateProvider": _ADMIN_WRITE,
        "UpdateProvider": _ADMIN_WRITE,
        "DeleteProvider": _ADMIN_WRITE,
        "RefreshProviderModels": _ADMIN_WRITE,
        "CreateModelEntry": _ADMIN_WRITE,
        "DeleteModelEntry": _ADMIN_WRITE,
        "ListLimits": _ADMIN_READ,
        "GetLimit": _ADMIN_READ,
        "CreateLimit": _ADMIN_WRITE,
        "UpdateLimit": _ADMIN_WRITE,
        "DeleteLimit": _ADMIN_WRITE,
        "ListBudgets": _ADMIN_READ,
        "GetBudget": _ADMIN_READ,
        "CreateBudget": _ADMIN_WRITE,
        "UpdateBudget": _ADMIN_WRITE,
        "DeleteBudget": _ADMIN_WRITE,
        "AdjustBalance": _ADMIN_WRITE,
        "ListLedgerEntries": _ADMIN_READ,
        "ListPrices": _ADMIN_READ,
        "CreatePrice": _ADMIN_WRITE,
        "DeletePrice": _ADMIN_WRITE,
        "ListWebhooks": _ADMIN_READ,
        "CreateWebhook": _ADMIN_WRITE,
        "UpdateWebhook": _ADMIN_WRITE,
        "DeleteWebhook": _ADMIN_WRITE,
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
        "GetResponse": _READ,
        "DeleteResponse": _WRITE,
        "ListResponseInputItems": _READ,
        "UploadFile": _WRITE,
        "ListFiles": _READ,
        "GetFile": _READ,
        "DeleteFile": _WRITE,
        "GetFileContent": _READ,
        "CreateBatch": _WRITE,
        "ListBatches": _READ,
        "GetBatch": _READ,
        "CancelBatch": _WRITE,
    },
    "UsageService": {
        "GetStats": _READ,
        "ListUsageRecords": _READ,
        "GetOverview": _READ,
        "ExportUsageRecords": _READ,
        "WatchUsage": _READ,
        "Reserve": _WRITE,
        "Settle": _WRITE,
        "Release": _WRITE,
        "GetBalance": _READ,
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

# A virtual key calls models under its caps, and sees what that used. What else its user may do, making a
# key without caps above all, it may not.
_BY_VIRTUAL_KEY = ("RouterService", "UsageService", "AccountService/GetAccount")

RULES = {
    f"/llmrouter.v1.{service}/{method}": replace(rule, by_virtual_key=f"{service}/{method}".startswith(_BY_VIRTUAL_KEY))
    for service, methods in _RULES.items()
    for method, rule in methods.items()
}


def rule_for(method: str) -> Rule | None:
    """The rule of a method by its full name; None where there is none, which means nobody may call it."""
    if method.startswith(_OPEN_SERVICES):
        return _ANYONE
    return RULES.get(method)


# Surfaces for people: a key that leaks from a program must not open them.
_KINDS_OF_SURFACES = {
    "console": ("session",),
    "shared": ("session", JWT),  # paths that are the console's and cost control's
    "cost_control": ("session", JWT),
}


def check_surface(surface: str, principal: Principal) -> None:
    """Raises Unauthenticated where a surface does not take this kind of credential."""
    kinds = _KINDS_OF_SURFACES.get(surface)
    if kinds is not None and principal.kind not in kinds:
        raise Unauthenticated(f"sign in: this takes {' or '.join(_NAMES[kind] for kind in kinds)}, and no key")


_NAMES = {"session": "a session", JWT: "an access token"}


def check_kind(rule: Rule, principal: Principal) -> None:
    """Raises Forbidden for what a virtual key may not do, whatever its user may."""
    if principal.kind == virtual_keys.KIND and not rule.by_virtual_key:
        raise Forbidden("a virtual key calls models and does nothing else")
