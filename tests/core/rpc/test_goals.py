"""Goals through WorkspaceService."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from core.rpc import paging
from core.store import users
from llmrouter.v1 import workspace_pb2
from llmrouter.v1.workspace_pb2 import (
    CreateGoalRequest,
    DeleteGoalRequest,
    Goal,
    ListGoalsRequest,
    UpdateGoalRequest,
)
from tests.support.core import Core, Person
from tests.support.database import on_sqlite
from tests.support.refusals import refused


async def create(core: Core, person: Person, title: str = "Learn", description: str = "") -> Goal:
    request = CreateGoalRequest(title=title, description=description)
    return (await core.workspace.CreateGoal(request, metadata=person.metadata)).goal


async def update(core: Core, person: Person, goal_id: str, *paths: str, **fields: object) -> Goal:
    mask = FieldMask(paths=paths)
    request = UpdateGoalRequest(id=goal_id, update_mask=mask, **fields)  # pyright: ignore[reportArgumentType] - fields of the message
    return (await core.workspace.UpdateGoal(request, metadata=person.metadata)).goal


async def list_all(core: Core, person: Person) -> list[Goal]:
    return list((await core.workspace.ListGoals(ListGoalsRequest(), metadata=person.metadata)).goals)


async def test_a_goal_is_made_changed_and_removed(core: Core):
    user = await core.user()
    made = await create(core, user, " Learn TypeScript ", "A course\nin parts")
    assert made.id.startswith("goal_")
    assert (made.user_id, made.title, made.description) == (user.id, "Learn TypeScript", "A course\nin parts")
    assert made.status == workspace_pb2.GOAL_STATUS_PENDING
    assert made.created_at == made.updated_at
    assert await list_all(core, user) == [made]
    core.clock.advance(7)
    changed = await update(core, user, made.id, title="Learn Rust", status=workspace_pb2.GOAL_STATUS_COMPLETED)
    assert (changed.title, changed.description) == ("Learn Rust", "A course\nin parts")
    assert changed.status == workspace_pb2.GOAL_STATUS_COMPLETED
    assert changed.created_at == made.created_at
    assert changed.updated_at.seconds == made.updated_at.seconds + 7
    assert (await update(core, user, made.id, "description")).description == ""
    await core.workspace.DeleteGoal(DeleteGoalRequest(id=made.id), metadata=user.metadata)
    assert await list_all(core, user) == []


@on_sqlite
async def test_every_status_is_kept(core: Core):
    user = await core.user()
    made = await create(core, user)
    for number in workspace_pb2.GoalStatus.values():
        if number != workspace_pb2.GOAL_STATUS_UNSPECIFIED:
            assert (await update(core, user, made.id, status=number)).status == number
    for wrong in (workspace_pb2.GOAL_STATUS_UNSPECIFIED, 99):
        with refused("INVALID_ARGUMENT", "status", says="pending, in_progress, completed, cancelled"):
            await update(core, user, made.id, "status", status=wrong)


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "t" * 501}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"title": "t", "description": "d" * 20_001}, "description"),
        ({"title": "t", "description": "a\0b"}, "description"),
    ],
)
async def test_a_goal_has_bounds(core: Core, fields: dict[str, str], field: str):
    user = await core.user()
    made = await create(core, user, "t" * 500, "d" * 20_000)
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
        await update(core, user, made.id, "user_id")


async def test_what_belongs_to_somebody_else_is_not_there(core: Core):
    owner, other = await core.user("owner"), await core.admin("other")
    made = await create(core, owner)
    for goal_id in (made.id, "goal_none", "", "g" * 41, "goal_\0", "goal_é"):
        with refused("NOT_FOUND"):
            await update(core, other, goal_id, title="mine")
        with refused("NOT_FOUND"):
            await core.workspace.DeleteGoal(DeleteGoalRequest(id=goal_id), metadata=other.metadata)
    assert await list_all(core, other) == []
    assert await list_all(core, owner) == [made]


async def test_who_was_removed_a_moment_ago_makes_nothing(core: Core):
    user = await core.user()
    await create(core, user)  # from here on the credential is known without the database
    async with core.deps.database.write() as connection:
        await users.remove(connection, user.id)
    with refused("UNAUTHENTICATED"):
        await create(core, user)


async def test_the_list_comes_in_pages_newest_first(core: Core):
    user = await core.user()
    made: list[str] = []
    for number in range(5):
        core.clock.advance(number % 2)  # some are of the same moment
        made.append((await create(core, user)).id)
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = ListGoalsRequest(page_size=2, page_token=token)
        page = await core.workspace.ListGoals(request, metadata=user.metadata)
        found += [goal.id for goal in page.goals]
        token, pages = page.next_page_token, pages + 1
    assert (found, pages) == (made[::-1], 3)


async def test_a_page_of_long_goals_ends_before_it_is_too_large_for_a_client(core: Core):
    user = await core.user()
    for _ in range(52):
        await create(core, user, description="d" * 20_000)
    page = await core.workspace.ListGoals(ListGoalsRequest(page_size=1000), metadata=user.metadata)
    assert len(page.goals) == 50
    request = ListGoalsRequest(page_size=1000, page_token=page.next_page_token)
    page = await core.workspace.ListGoals(request, metadata=user.metadata)
    assert (len(page.goals), page.next_page_token) == (2, "")


@on_sqlite
async def test_a_bad_page_is_refused(core: Core):
    user = await core.user()
    for token in ("?", "AAAA", "ä", paging.encode_named(5, "goal_\0")):
        with refused("INVALID_ARGUMENT", "page_token"):
            await core.workspace.ListGoals(ListGoalsRequest(page_token=token), metadata=user.metadata)
    with refused("INVALID_ARGUMENT", "page_size"):
        await core.workspace.ListGoals(ListGoalsRequest(page_size=-1), metadata=user.metadata)
