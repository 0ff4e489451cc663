"""Personas through WorkspaceService."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from llmrouter.v1.workspace_pb2 import (
    CreatePersonaRequest,
    DeletePersonaRequest,
    ListPersonasRequest,
    Persona,
    UpdatePersonaRequest,
)
from tests.support.core import Core, Person
from tests.support.database import on_sqlite
from tests.support.refusals import refused


async def create(core: Core, person: Person, name: str = "Pirate", system_prompt: str = "Speak like one.") -> Persona:
    request = CreatePersonaRequest(name=name, system_prompt=system_prompt)
    return (await core.workspace.CreatePersona(request, metadata=person.metadata)).persona


async def update(core: Core, person: Person, persona_id: str, *paths: str, **fields: str) -> Persona:
    mask = FieldMask(paths=paths)
    request = UpdatePersonaRequest(id=persona_id, update_mask=mask, **fields)  # pyright: ignore[reportArgumentType] - fields of the message
    return (await core.workspace.UpdatePersona(request, metadata=person.metadata)).persona


async def list_all(core: Core, person: Person) -> list[Persona]:
    return list((await core.workspace.ListPersonas(ListPersonasRequest(), metadata=person.metadata)).personas)


async def test_a_persona_is_made_changed_and_removed(core: Core):
    user = await core.user()
    made = await create(core, user, " Pirate ", "Speak\nlike one. ")
    assert made.id.startswith("persona_")
    assert (made.user_id, made.name, made.system_prompt) == (user.id, "Pirate", "Speak\nlike one. ")
    assert made.created_at == made.updated_at
    assert await list_all(core, user) == [made]
    core.clock.advance(7)
    changed = await update(core, user, made.id, "name", name="Poet", system_prompt="not named by the mask")
    assert (changed.name, changed.system_prompt, changed.created_at) == ("Poet", made.system_prompt, made.created_at)
    assert changed.updated_at.seconds == made.updated_at.seconds + 7
    assert (await update(core, user, made.id, system_prompt="Rhyme.")).system_prompt == "Rhyme."
    await core.workspace.DeletePersona(DeletePersonaRequest(id=made.id), metadata=user.metadata)
    assert await list_all(core, user) == []


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 201}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "n", "system_prompt": ""}, "system_prompt"),
        ({"name": "n", "system_prompt": "p" * 100_001}, "system_prompt"),
        ({"name": "n", "system_prompt": "a\0b"}, "system_prompt"),
    ],
)
async def test_a_persona_has_bounds(core: Core, fields: dict[str, str], field: str):
    user = await core.user()
    made = await create(core, user, "n" * 200, "p" * 100_000)
    with refused("INVALID_ARGUMENT", field):
        await create(core, user, **fields)
    with refused("INVALID_ARGUMENT", field):
        await update(core, user, made.id, field, **fields)
    assert await list_all(core, user) == [made]


@on_sqlite
async def test_an_update_names_what_it_changes(core: Core):
    user = await core.user()
    made = await create(core, user)
    with refused("NO_CHANGES"):
        await update(core, user, made.id)
    with refused("INVALID_ARGUMENT", "update_mask"):
        await update(core, user, made.id, "id")


async def test_what_belongs_to_somebody_else_is_not_there(core: Core):
    owner, other = await core.user("owner"), await core.admin("other")
    made = await create(core, owner)
    for persona_id in (made.id, "persona_none", "", "p" * 41, "persona_\0"):
        with refused("NOT_FOUND"):
            await update(core, other, persona_id, name="mine")
        with refused("NOT_FOUND"):
            await core.workspace.DeletePersona(DeletePersonaRequest(id=persona_id), metadata=other.metadata)
    assert await list_all(core, other) == []
    assert await list_all(core, owner) == [made]


async def test_the_list_comes_in_pages_newest_first(core: Core):
    user = await core.user()
    made: list[str] = []
    for number in range(5):
        core.clock.advance(number % 2)  # some are of the same moment
        made.append((await create(core, user)).id)
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = ListPersonasRequest(page_size=2, page_token=token)
        page = await core.workspace.ListPersonas(request, metadata=user.metadata)
        found += [persona.id for persona in page.personas]
        token, pages = page.next_page_token, pages + 1
    assert (found, pages) == (made[::-1], 3)


async def test_a_page_of_long_prompts_ends_before_it_is_too_large_for_a_client(core: Core):
    user = await core.user()
    for _ in range(11):
        await create(core, user, system_prompt="p" * 100_000)
    page = await core.workspace.ListPersonas(ListPersonasRequest(page_size=1000), metadata=user.metadata)
    assert len(page.personas) == 10
    assert page.next_page_token


@on_sqlite
async def test_a_bad_page_is_refused(core: Core):
    user = await core.user()
    with refused("INVALID_ARGUMENT", "page_token"):
        await core.workspace.ListPersonas(ListPersonasRequest(page_token="?"), metadata=user.metadata)
    with refused("INVALID_ARGUMENT", "page_size"):
        await core.workspace.ListPersonas(ListPersonasRequest(page_size=-1), metadata=user.metadata)
