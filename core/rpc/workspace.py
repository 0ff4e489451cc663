"""WorkspaceService: the caller's goals and personas.

WorkspaceService ─┬─ core/rpc/goals.py
                  └─ core/rpc/personas.py
"""

import grpc.aio

from core.deps import Deps
from core.rpc.goals import GoalMethods
from core.rpc.personas import PersonaMethods
from llmrouter.v1 import workspace_pb2, workspace_pb2_grpc


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    workspace_pb2_grpc.add_WorkspaceServiceServicer_to_server(WorkspaceService(deps), server)
    return workspace_pb2.DESCRIPTOR.services_by_name["WorkspaceService"].full_name


class WorkspaceService(GoalMethods, PersonaMethods, workspace_pb2_grpc.WorkspaceServiceServicer):
    """What people work with beside conversations."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
