"""AdminService, whose methods are in users.py, virtual_keys.py, providers.py, limits.py, budgets.py, webhooks.py and
metrics.py."""

import grpc.aio

from core.deps import Deps
from core.rpc.budgets import BudgetAdministration
from core.rpc.limits import LimitAdministration
from core.rpc.metrics import MetricsMethods
from core.rpc.prices import PriceAdministration
from core.rpc.providers import ProviderAdministration
from core.rpc.users import UserAdministration
from core.rpc.virtual_keys import VirtualKeyAdministration
from core.rpc.webhooks import WebhookAdministration
from llmrouter.v1 import admin_pb2, admin_pb2_grpc


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    admin_pb2_grpc.add_AdminServiceServicer_to_server(AdminService(deps), server)
    return admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name


class AdminService(
    UserAdministration,
    VirtualKeyAdministration,
    ProviderAdministration,
    LimitAdministration,
    BudgetAdministration,
    WebhookAdministration,
    PriceAdministration,
    MetricsMethods,
    admin_pb2_grpc.AdminServiceServicer,
):
    """How administrators run the router."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
