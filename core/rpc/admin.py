"""AdminService, whose methods are in users.py, providers.py and metrics.py."""

import grpc.aio

from core.deps import Deps
from core.rpc.metrics import MetricsMethods
from core.rpc.providers import ProviderAdministration
from core.rpc.users import UserAdministration
from llmrouter.v1 import admin_pb2, admin_pb2_grpc


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    admin_pb2_grpc.add_AdminServiceServicer_to_server(AdminService(deps), server)
    return admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name


class AdminService(UserAdministration, ProviderAdministration, MetricsMethods, admin_pb2_grpc.AdminServiceServicer):
    """How administrators run the router."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
