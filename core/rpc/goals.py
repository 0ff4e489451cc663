"""The goals of WorkspaceService."""

from typing import Any

from core.deps import Deps
from core.errors import InvalidArgument
from core.inputs import line, passage
from core.rpc import belongings, caller
from core.rpc.belongings import checked_id
from core.rpc.masks import fields_to_change
from core.rpc.times import to_timestamp
from core.store.goals import GOALS, GoalRow
from llmrouter.v1 import workspace_pb2

_MAX_TITLE = 500
_MAX_DESCRIPTION = 20_000

_STATUSES = {
    workspace_pb2.GOAL_STATUS_PENDING: "pending",
    workspace_pb2.GOAL_STATUS_IN_PROGRESS: "in_progress",
    workspace_pb2.GOAL_STATUS_COMPLETED: "completed",
    workspace_pb2.GOAL_STATUS_CANCELLED: "cancelled",
}
_NUMBERS = {text: number for number, text in _STATUSES.items()}


class GoalMethods:
    """What the caller wants to reach."""

    deps: Deps

    async def ListGoals(self, request: workspace_pb2.ListGoalsRequest, context: Any) -> workspace_pb2.ListGoalsResponse:
        rows, token = await belongings.page(self.deps, GOALS, request)
        return workspace_pb2.ListGoalsResponse(goals=map(_message, rows), next_page_token=token)

    async def CreateGoal(
        self, request: workspace_pb2.CreateGoalRequest, context: Any
    ) -> workspace_pb2.CreateGoalResponse:
        now = self.deps.clock.now()
        goal = GoalRow(
            id=self.deps.new_id("goal"),
            user_id=caller.current().principal.user_id,
            title=_title(request),
            description=_description(request),
            status="pending",
            created_at=now,
            updated_at=now,
        )
        await belongings.add(self.deps, GOALS, goal)
        return workspace_pb2.CreateGoalResponse(goal=_message(goal))

    async def UpdateGoal(
        self, request: workspace_pb2.UpdateGoalRequest, context: Any
    ) -> workspace_pb2.UpdateGoalResponse:
        goal_id, names = checked_id(request.id), fields_to_change(request, ("title", "description", "status"))
        values: dict[str, str] = {}
        if "title" in names:
            values["title"] = _title(request)
        if "description" in names:
            values["description"] = _description(request)
        if "status" in names:
            values["status"] = _status(request)
        row = await belongings.change(self.deps, GOALS, goal_id, values)
        return workspace_pb2.UpdateGoalResponse(goal=_message(row))

    async def DeleteGoal(
        self, request: workspace_pb2.DeleteGoalRequest, context: Any
    ) -> workspace_pb2.DeleteGoalResponse:
        await belongings.remove(self.deps, GOALS, request.id)
        return workspace_pb2.DeleteGoalResponse()


def _title(request: workspace_pb2.CreateGoalRequest | workspace_pb2.UpdateGoalRequest) -> str:
    return line(request.title, "title", least=1, most=_MAX_TITLE)


def _description(request: workspace_pb2.CreateGoalRequest | workspace_pb2.UpdateGoalRequest) -> str:
    return passage(request.description, "description", most=_MAX_DESCRIPTION)


def _status(request: workspace_pb2.UpdateGoalRequest) -> str:
    status = _STATUSES.get(request.status)
    if status is None:
        raise InvalidArgument(f"status must be one of {', '.join(_NUMBERS)}", field="status")
    return status


def _message(row: GoalRow) -> workspace_pb2.Goal:
    return workspace_pb2.Goal(
        id=row.id,
        user_id=row.user_id,
        title=row.title,
        description=row.description,
        status=_NUMBERS[row.status],
        created_at=to_timestamp(row.created_at),
        updated_at=to_timestamp(row.updated_at),
    )
