"""Kept responses through RouterService."""

import json
from typing import Any

import pytest

from llmrouter.v1 import router_pb2 as pb
from tests.support.core import Core, Person
from tests.support.refusals import refused

ITEMS: list[dict[str, Any]] = [
    {"type": "message", "id": f"item_{number}", "role": "user", "content": []} for number in range(5)
]


async def items(core: Core, person: Person, **fields: object) -> tuple[list[str], bool]:
    """The ids of a page of them, and whether there are more."""
    request = pb.ListResponseInputItemsRequest(id="resp_1", **fields)  # pyright: ignore[reportArgumentType] - fields of the message
    reply = await core.router.ListResponseInputItems(request, metadata=person.metadata)
    return [json.loads(item)["id"] for item in reply.items_json], reply.has_more


@pytest.fixture
async def person(core: Core) -> Person:
    """One with a response."""
    user = await core.user()
    core.deps.responses.keep(user.id, "resp_1", "", json.dumps(ITEMS), '{"id": "resp_1",  "output": []}', ())
    return user


async def test_a_response_comes_to_the_letter_until_it_is_deleted(core: Core, person: Person):
    for _ in range(2):
        got = await core.router.GetResponse(pb.GetResponseRequest(id="resp_1"), metadata=person.metadata)
        assert got.response_json == '{"id": "resp_1",  "output": []}'
        await core.deps.responses.write()
    await core.router.DeleteResponse(pb.DeleteResponseRequest(id="resp_1"), metadata=person.metadata)
    with refused("NOT_FOUND"):
        await core.router.GetResponse(pb.GetResponseRequest(id="resp_1"), metadata=person.metadata)


async def test_its_input_is_listed_in_pages_in_both_directions(core: Core, person: Person):
    assert await items(core, person) == ([f"item_{number}" for number in (4, 3, 2, 1, 0)], False)
    assert await items(core, person, ascending=True, page_size=2) == (["item_0", "item_1"], True)
    assert await items(core, person, ascending=True, page_size=2, after="item_1") == (["item_2", "item_3"], True)
    assert await items(core, person, ascending=True, after="item_3") == (["item_4"], False)
    with refused("INVALID_ARGUMENT", "after"):
        await items(core, person, after="item_9")
