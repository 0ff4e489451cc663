"""The personas of WorkspaceService: system prompts with a name."""

from typing import Any

from core.deps import Deps
from core.inputs import line, passage
from core.rpc import belongings, caller
from core.rpc.belongings import checked_id
from core.rpc.masks import fields_to_change
from core.rpc.times import to_timestamp
from core.store.personas import PERSONAS, PersonaRow
from llmrouter.v1 import workspace_pb2

_MAX_NAME = 200
_MAX_PROMPT = 100_000


class PersonaMethods:
    """Who the caller lets the model be."""

    deps: Deps

    async def ListPersonas(
        self, request: workspace_pb2.ListPersonasRequest, context: Any
    ) -> workspace_pb2.ListPersonasResponse:
        rows, token = await belongings.page(self.deps, PERSONAS, request)
        return workspace_pb2.ListPersonasResponse(personas=map(_message, rows), next_page_token=token)

    async def CreatePersona(
        self, request: workspace_pb2.CreatePersonaRequest, context: Any
    ) -> workspace_pb2.CreatePersonaResponse:
        now = self.deps.clock.now()
        persona = PersonaRow(
            id=self.deps.new_id("persona"),
            user_id=caller.current().principal.user_id,
            name=_name(request),
            system_prompt=_prompt(request),
            created_at=now,
            updated_at=now,
        )
        await belongings.add(self.deps, PERSONAS, persona)
        return workspace_pb2.CreatePersonaResponse(persona=_message(persona))

    async def UpdatePersona(
        self, request: workspace_pb2.UpdatePersonaRequest, context: Any
    ) -> workspace_pb2.UpdatePersonaResponse:
        persona_id, names = checked_id(request.id), fields_to_change(request, ("name", "system_prompt"))
        values: dict[str, str] = {}
        if "name" in names:
            values["name"] = _name(request)
        if "system_prompt" in names:
            values["system_prompt"] = _prompt(request)
        row = await belongings.change(self.deps, PERSONAS, persona_id, values)
        return workspace_pb2.UpdatePersonaResponse(persona=_message(row))

    async def DeletePersona(
        self, request: workspace_pb2.DeletePersonaRequest, context: Any
    ) -> workspace_pb2.DeletePersonaResponse:
        await belongings.remove(self.deps, PERSONAS, request.id)
        return workspace_pb2.DeletePersonaResponse()


def _name(request: workspace_pb2.CreatePersonaRequest | workspace_pb2.UpdatePersonaRequest) -> str:
    return line(request.name, "name", least=1, most=_MAX_NAME)


def _prompt(request: workspace_pb2.CreatePersonaRequest | workspace_pb2.UpdatePersonaRequest) -> str:
    return passage(request.system_prompt, "system_prompt", least=1, most=_MAX_PROMPT)


def _message(row: PersonaRow) -> workspace_pb2.Persona:
    return workspace_pb2.Persona(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        system_prompt=row.system_prompt,
        created_at=to_timestamp(row.created_at),
        updated_at=to_timestamp(row.updated_at),
    )
