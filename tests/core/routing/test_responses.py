"""Responses that are kept: in memory at once, in the database a moment later, for their user alone."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from core.dialects.request import Request
from core.dialects.responses.request import PREVIOUS, RESPONSES, read_request
from core.errors import InvalidArgument, TooLarge
from core.ledger.response_expiry import ResponseExpiry
from core.routing.keeping import Keeping
from core.routing.responses import Responses
from core.store import users
from core.store.database import Database
from tests.support.clock import FakeClock, FakeIds


def request(**fields: Any) -> Request:
    return read_request(RESPONSES, json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def answer(name: str, text: str, **fields: Any) -> bytes:
    content = [{"type": "output_text", "text": text}]
    item = {"type": "message", "id": f"msg_{name}", "role": "assistant", "content": content}
    return json.dumps({"id": name, "previous_response_id": None, "output": [item], **fields}).encode()


class Kept:
    """Two of them on one database, as two processes have them."""

    def __init__(self, database: Database, clock: FakeClock, user_id: int, **options: Any) -> None:
        self.pauses: list[float] = []
        chosen: dict[str, Any] = {"days": 30, "largest": 10_000, "alone": True, "sleep": self._sleep, **options}
        self.one = Responses(database, clock, FakeIds(), **chosen)
        self.two = Responses(database, clock, FakeIds(), **chosen)
        self.user_id = user_id

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.one.write()

    async def said(self, name: str, asked: str, text: str, previous: str = "", **fields: Any) -> bytes:
        """A request of the user's, and its answer; returns what the caller gets."""
        more = {"previous_response_id": previous} if previous else {}
        _, keeping = await self.one.prepared(self.user_id, request(input=asked, **more, **fields))
        return keeping.whole(answer(name, text)) if keeping is not None else b""


async def add_user(database: Database, clock: FakeClock, name: str) -> int:
    async with database.write() as connection:
        row = await users.add(
            connection,
            email=name,
            username=name,
            password_hash="",
            role="user",
            now=clock.now(),
        )
    return row.id


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def kept(database: Database, clock: FakeClock) -> Kept:
    return Kept(database, clock, await add_user(database, clock, "ann"))


def texts(asked: Request) -> list[str]:
    return [item["content"][0]["text"] for item in json.loads(asked.body)["input"]]


async def test_a_conversation_is_put_together_from_memory_and_database(kept: Kept):
    await kept.said("resp_1", "1", "one")
    await kept.one.write()
    told = await kept.said("resp_2", "2", "two", previous="resp_1")
    assert json.loads(told)[PREVIOUS] == "resp_1"
    found, _ = await kept.one.prepared(kept.user_id, request(input="3", previous_response_id="resp_2"))
    assert texts(found) == ["1", "one", "2", "two", "3"]
    assert PREVIOUS not in json.loads(found.body)
    await kept.one.write()
    found, _ = await kept.two.prepared(kept.user_id, request(input="3", previous_response_id="resp_2"))
    assert texts(found) == ["1", "one", "2", "two", "3"]


async def test_two_may_go_on_from_one(kept: Kept):
    await kept.said("resp_1", "1", "one")
    await kept.said("resp_a", "a", "A", previous="resp_1")
    await kept.said("resp_b", "b", "B", previous="resp_1")
    await kept.one.write()
    found, _ = await kept.two.prepared(kept.user_id, request(input="?", previous_response_id="resp_b"))
    assert texts(found) == ["1", "one", "b", "B", "?"]


async def test_what_another_process_is_about_to_write_is_waited_for(database: Database, clock: FakeClock):
    kept = Kept(database, clock, await add_user(database, clock, "ann"), alone=False)
    await kept.said("resp_1", "1", "one")
    found, _ = await kept.two.prepared(kept.user_id, request(input="2", previous_response_id="resp_1"))
    assert texts(found) == ["1", "one", "2"]
    assert len(kept.pauses) == 1
    with pytest.raises(InvalidArgument):
        await kept.two.prepared(kept.user_id, request(previous_response_id="resp_none"))
    assert len(kept.pauses) == 6


async def test_a_conversation_without_its_beginning_is_refused(kept: Kept):
    await kept.said("resp_1", "1", "one")
    await kept.said("resp_2", "2", "two", previous="resp_1")
    await kept.one.write()
    assert await kept.one.remove(kept.user_id, "resp_1")
    assert not await kept.one.remove(kept.user_id, "resp_1")
    with pytest.raises(InvalidArgument, match="no longer kept"):
        await kept.one.prepared(kept.user_id, request(previous_response_id="resp_2"))


async def test_others_see_nothing_in_memory_nor_in_the_database(kept: Kept, database: Database, clock: FakeClock):
    other = await add_user(database, clock, "bob")
    await kept.said("resp_1", "1", "one")
    for _ in range(2):
        assert await kept.one.find(other, "resp_1") is None
        assert not await kept.one.remove(other, "resp_1")
        with pytest.raises(InvalidArgument, match="there is no response"):
            await kept.one.prepared(other, request(previous_response_id="resp_1"))
        with pytest.raises(InvalidArgument, match="there is no item"):
            await kept.one.prepared(other, request(input=[{"type": "item_reference", "id": "msg_resp_1"}]))
        assert await kept.one.find(kept.user_id, "resp_1") is not None
        await kept.one.write()


@pytest.mark.parametrize("name", ["resp_\0", "x" * 201, "\n"])
async def test_what_no_database_takes_as_an_id_is_not_there(kept: Kept, name: str):
    assert await kept.one.find(kept.user_id, name) is None
    assert not await kept.one.remove(kept.user_id, name)
    with pytest.raises(InvalidArgument, match="there is no response"):
        await kept.one.prepared(kept.user_id, request(previous_response_id=name))
    await kept.said(name, "1", "one")
    await kept.one.write()


async def test_an_item_that_is_referred_to_is_put_in_its_place(kept: Kept):
    await kept.said("resp_1", "1", "one")
    for _ in range(2):
        found, _ = await kept.one.prepared(
            kept.user_id, request(input=[{"type": "item_reference", "id": "msg_resp_1"}])
        )
        assert texts(found) == ["one"]
        await kept.one.write()


async def test_what_shall_not_be_stored_is_not(kept: Kept):
    found, keeping = await kept.one.prepared(kept.user_id, request(store=False))
    assert keeping is None
    assert found.answer_id
    await kept.said("resp_1", "1", "one")
    _, keeping = await kept.one.prepared(kept.user_id, request(store=False, previous_response_id="resp_1"))
    assert keeping is not None
    keeping.whole(answer("resp_2", "two"))
    assert await kept.one.find(kept.user_id, "resp_2") is None


async def test_where_none_are_kept_an_answer_says_so(database: Database, clock: FakeClock):
    kept = Kept(database, clock, await add_user(database, clock, "ann"), days=0)
    found, keeping = await kept.one.prepared(kept.user_id, request())
    assert keeping is None
    assert bytes(found.fields["store"]) == b"false"
    with pytest.raises(InvalidArgument, match="no responses are kept here"):
        await kept.one.prepared(kept.user_id, request(previous_response_id="resp_1"))


async def test_a_conversation_has_a_bound(kept: Kept):
    await kept.said("resp_1", "x" * 9_000, "one")
    with pytest.raises(TooLarge):
        await kept.one.prepared(kept.user_id, request(input="y" * 2_000, previous_response_id="resp_1"))


async def test_a_user_who_is_gone_holds_up_nobody(kept: Kept):
    kept.one.keep(999_999, "resp_x", "", "[]", "{}", ())
    await kept.said("resp_1", "1", "one")
    await kept.one.write()
    assert await kept.two.find(kept.user_id, "resp_1") is not None


async def test_a_response_of_the_same_id_takes_the_place_of_the_one_before(kept: Kept):
    for text in ("one", "two"):
        await kept.said("resp_1", "1", text)
        await kept.one.write()
    row = await kept.two.find(kept.user_id, "resp_1")
    assert row is not None
    assert "two" in row.response


async def test_what_is_no_response_is_not_kept(kept: Kept):
    kept_ids: list[str] = []

    def keep(user_id: int, name: str, previous_id: str, asked: str, response: str, items: Any) -> None:
        kept_ids.append(name)

    keeping = Keeping(keep, kept.user_id, "", [msgspec.Raw(b"{}")], store=True)
    for body in (b"", b"[]", b"{}", b'{"id":7}', b'{"id":"resp_1","output":{}}', b'{"id":"%b"}' % (b"x" * 201)):
        assert keeping.whole(body) == body
    assert kept_ids == []


async def test_old_responses_are_deleted_with_their_items(kept: Kept, database: Database, clock: FakeClock):
    await kept.said("resp_1", "1", "one")
    await kept.one.write()
    clock.advance(timedelta(days=20).total_seconds())
    await kept.said("resp_2", "2", "two")
    await kept.one.write()
    expiry = ResponseExpiry(database, clock, 30)
    assert await expiry.tidy() == 0
    clock.advance(timedelta(days=11).total_seconds())
    assert await expiry.tidy() == 1
    assert await kept.two.find(kept.user_id, "resp_1") is None
    assert await kept.two.find(kept.user_id, "resp_2") is not None
    with pytest.raises(InvalidArgument):
        await kept.two.prepared(kept.user_id, request(input=[{"type": "item_reference", "id": "msg_resp_1"}]))
