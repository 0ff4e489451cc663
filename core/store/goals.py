"""Goals: what users want to reach."""

from dataclasses import dataclass
from datetime import datetime

from core.store.belongings import Belongings
from core.store.tables import goals


@dataclass(frozen=True, slots=True)
class GoalRow:
    id: str
    user_id: int
    title: str
    description: str
    status: str  # "pending", "in_progress", "completed" or "cancelled"
    created_at: datetime
    updated_at: datetime


GOALS = Belongings(goals, GoalRow, text="description")
