"""Conversations and messages through ConversationService."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from core.store import conversations, messages
from llmrouter.v1 import router_pb2
from llmrouter.v1.conversation_pb2 import (
    AppendMessageRequest,
    Conversation,
    CreateConversationRequest,
    DeleteConversationRequest,
    GetConversationRequest,
    ListConversationsRequest,
    ListMessagesRequest,
    ListMessagesResponse,
    Message,
    UpdateConversationRequest,
)
from tests.support.core import Core, Person
from tests.support.database import on_sqlite
from tests.support.refusals import refused


async def create(core: Core, person: Person, title: str = "") -> Conversation:
    request = CreateConversationRequest(title=title)
    return (await core.conversations.CreateConversation(request, metadata=person.metadata)).conversation


async def read(core: Core, person: Person, number: int) -> Conversation:
    request = GetConversationRequest(id=number)
    return (await core.conversations.GetConversation(request, metadata=person.metadata)).conversation


async def rename(core: Core, person: Person, number: int, title: str, *paths: str) -> Conversation:
    request = UpdateConversationRequest(id=number, title=title, update_mask=FieldMask(paths=paths))
    return (await core.conversations.UpdateConversation(request, metadata=person.metadata)).conversation


async def titles(core: Core, person: Person, title_contains: str = "") -> list[str]:
    request = ListConversationsRequest(title_contains=title_contains)
    answer = await core.conversations.ListConversations(request, metadata=person.metadata)
    return [conversation.title for conversation in answer.conversations]


async def append(core: Core, person: Person, number: int, content: str) -> Message:
    request = AppendMessageRequest(conversation_id=number, content=content)
    return (await core.conversations.AppendMessage(request, metadata=person.metadata)).message


async def list_messages(
    core: Core, person: Person, number: int, size: int = 0, token: str = ""
) -> ListMessagesResponse:
    request = ListMessagesRequest(conversation_id=number, page_size=size, page_token=token)
    return await core.conversations.ListMessages(request, metadata=person.metadata)


async def test_a_conversation_is_begun_read_renamed_and_removed(core: Core):
    user = await core.user()
    made = await create(core, user, "  My first  ")
    assert made.title == "My first"
    assert made.created_at == made.updated_at
    assert await read(core, user, made.id) == made
    core.clock.advance(5)
    renamed = await rename(core, user, made.id, "Renamed")
    assert (renamed.id, renamed.title, renamed.created_at) == (made.id, "Renamed", made.created_at)
    assert renamed.updated_at.seconds == made.updated_at.seconds + 5
    assert await read(core, user, made.id) == renamed
    await core.conversations.DeleteConversation(DeleteConversationRequest(id=made.id), metadata=user.metadata)
    with refused("NOT_FOUND"):
        await read(core, user, made.id)


async def test_a_conversation_without_a_title_is_a_new_conversation(core: Core):
    assert (await create(core, await core.user())).title == "New conversation"


@on_sqlite
async def test_titles_have_bounds(core: Core):
    user = await core.user()
    made = await create(core, user, "t" * 500)
    with refused("INVALID_ARGUMENT", "title"):
        await create(core, user, "t" * 501)
    with refused("INVALID_ARGUMENT", "title"):
        await create(core, user, "a\0b")
    with refused("INVALID_ARGUMENT", "title"):
        await rename(core, user, made.id, "", "title")
    with refused("INVALID_ARGUMENT", "title"):
        await rename(core, user, made.id, "t" * 501)
    with refused("INVALID_ARGUMENT", "update_mask"):
        await rename(core, user, made.id, "new", "created_at")
    with refused("NO_CHANGES"):
        await rename(core, user, made.id, "")


async def test_the_list_begins_with_what_changed_last(core: Core):
    user = await core.user()
    first, second, third = [await create(core, user, title) for title in ("first", "second", "third")]
    assert await titles(core, user) == ["third", "second", "first"]
    core.clock.advance(1)
    await append(core, user, first.id, "hello")
    assert await titles(core, user) == ["first", "third", "second"]
    core.clock.advance(1)
    await rename(core, user, second.id, "second, renamed")
    assert await titles(core, user) == ["second, renamed", "first", "third"]
    assert third.id > second.id


async def test_the_list_comes_in_pages(core: Core):
    user = await core.user()
    names = [f"c{number}" for number in range(5)]
    for number, name in enumerate(names):
        await create(core, user, name)
        core.clock.advance(number % 2)  # some are of the same moment
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = ListConversationsRequest(page_size=2, page_token=token, title_contains="c")
        page = await core.conversations.ListConversations(request, metadata=user.metadata)
        found += [conversation.title for conversation in page.conversations]
        token, pages = page.next_page_token, pages + 1
    assert (found, pages) == (names[::-1], 3)


async def test_titles_are_searched_whatever_the_case_and_without_wildcards(core: Core):
    user = await core.user()
    for title in ("Über 100% Öl", "uber_100", "STRASSE", "a\\b"):
        await create(core, user, title)
    assert await titles(core, user, "über") == ["Über 100% Öl"]
    assert await titles(core, user, "ÖL") == ["Über 100% Öl"]
    assert await titles(core, user, "%") == ["Über 100% Öl"]
    assert await titles(core, user, "r_1") == ["uber_100"]
    assert await titles(core, user, "Straße") == ["STRASSE"]
    assert await titles(core, user, "\\") == ["a\\b"]
    assert await titles(core, user, "BER") == ["uber_100", "Über 100% Öl"]
    assert await titles(core, user, "nowhere") == []


async def test_a_renamed_conversation_is_found_by_its_new_title(core: Core):
    user = await core.user()
    made = await create(core, user, "before")
    await rename(core, user, made.id, "After")
    assert await titles(core, user, "before") == []
    assert await titles(core, user, "after") == ["After"]


async def test_messages_are_appended_and_listed_oldest_first(core: Core):
    user = await core.user()
    made = await create(core, user)
    core.clock.advance(3)
    said = [await append(core, user, made.id, content) for content in ("one\nline", "two", "three")]
    assert [(m.conversation_id, m.role, m.content) for m in said] == [
        (made.id, router_pb2.ROLE_USER, content) for content in ("one\nline", "two", "three")
    ]
    assert not said[0].HasField("usage")
    assert said[0].created_at.seconds == made.created_at.seconds + 3
    assert list((await list_messages(core, user, made.id)).messages) == said
    assert (await read(core, user, made.id)).updated_at == said[0].created_at


async def test_an_answer_that_was_kept_shows_its_role_and_what_it_used(core: Core):
    user = await core.user()
    made = await create(core, user)
    async with core.deps.database.write() as connection:
        await messages.add(
            connection,
            conversation_id=made.id,
            role="assistant",
            content="hello",
            now=core.clock.now(),
            input_tokens=7,
            output_tokens=1,
        )
    (message,) = (await list_messages(core, user, made.id)).messages
    assert (message.role, message.usage.input_tokens, message.usage.output_tokens) == (router_pb2.ROLE_ASSISTANT, 7, 1)


async def test_messages_come_in_pages(core: Core):
    user = await core.user()
    made = await create(core, user)
    said = [(await append(core, user, made.id, str(number))).content for number in range(5)]
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        page = await list_messages(core, user, made.id, 2, token)
        found += [message.content for message in page.messages]
        token, pages = page.next_page_token, pages + 1
    assert (found, pages) == (said, 3)


async def test_a_page_of_long_messages_ends_before_it_is_too_large_for_a_client(core: Core):
    user = await core.user()
    made = await create(core, user)
    longest = "\N{GRINNING FACE}" * 1_000_000  # four bytes each
    for content in (longest, "x" * 600_000, "y" * 600_000, "z"):
        await append(core, user, made.id, content)
    lengths: list[list[int]] = []
    token = ""
    while not lengths or token:
        page = await list_messages(core, user, made.id, 1000, token)
        lengths.append([len(message.content) for message in page.messages])
        token = page.next_page_token
    assert lengths == [[1_000_000], [600_000], [600_000, 1]]


@on_sqlite
@pytest.mark.parametrize("content", ["", "x" * 1_000_001, "a\0b"])
async def test_a_message_has_bounds(core: Core, content: str):
    user = await core.user()
    made = await create(core, user)
    with refused("INVALID_ARGUMENT", "content"):
        await append(core, user, made.id, content)
    assert await read(core, user, made.id) == made


async def test_what_belongs_to_somebody_else_is_not_there(core: Core):
    owner, other = await core.user("owner"), await core.admin("other")
    made = await create(core, owner, "mine")
    await append(core, owner, made.id, "hello")
    for number in (made.id, made.id + 1, 0, -1, 2**63 - 1):
        with refused("NOT_FOUND"):
            await read(core, other, number)
        with refused("NOT_FOUND"):
            await rename(core, other, number, "yours")
        with refused("NOT_FOUND"):
            await append(core, other, number, "hello")
        with refused("NOT_FOUND"):
            await list_messages(core, other, number)
        with refused("NOT_FOUND"):
            await core.conversations.DeleteConversation(DeleteConversationRequest(id=number), metadata=other.metadata)
    assert await titles(core, other) == []
    assert await titles(core, owner) == ["mine"]
    assert len((await list_messages(core, owner, made.id)).messages) == 1


async def test_a_conversation_goes_with_its_messages(core: Core):
    user = await core.user()
    made = await create(core, user)
    await append(core, user, made.id, "hello")
    await core.conversations.DeleteConversation(DeleteConversationRequest(id=made.id), metadata=user.metadata)
    async with core.deps.database.read() as connection:
        assert await messages.page(connection, made.id, after_id=0, limit=10) == ([], False)
        assert await conversations.get(connection, made.id, user.id) is None


@on_sqlite
async def test_bad_pages_and_searches_are_refused(core: Core):
    user = await core.user()
    made = await create(core, user)
    for token in ("?", "AAAA", "ä"):
        with refused("INVALID_ARGUMENT", "page_token"):
            request = ListConversationsRequest(page_token=token)
            await core.conversations.ListConversations(request, metadata=user.metadata)
        with refused("INVALID_ARGUMENT", "page_token"):
            await list_messages(core, user, made.id, 0, token)
    with refused("INVALID_ARGUMENT", "page_size"):
        await list_messages(core, user, made.id, -1)
    with refused("INVALID_ARGUMENT", "page_size"):
        request = ListConversationsRequest(page_size=-1)
        await core.conversations.ListConversations(request, metadata=user.metadata)
    with refused("INVALID_ARGUMENT", "title_contains"):
        await titles(core, user, "t" * 501)
