"""Personas: system prompts with a name."""

from dataclasses import dataclass
from datetime import datetime

from core.store.belongings import Belongings
from core.store.tables import personas


@dataclass(frozen=True, slots=True)
class PersonaRow:
    id: str
    user_id: int
    name: str
    system_prompt: str
    created_at: datetime
    updated_at: datetime


PERSONAS = Belongings(personas, PersonaRow, text="system_prompt")
