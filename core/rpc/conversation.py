"""ConversationService: the caller's conversations and their messages.

What belongs to somebody else is not there: every statement names the caller beside the number.
"""

from typing import Any

import grpc.aio

from core.clock import micros
from core.deps import Deps
from core.errors import NoChanges, NotFound
from core.inputs import line, passage
from core.rpc import caller, paging
from core.rpc.belongings import writing
from core.rpc.masks import fields_to_change
from core.rpc.times import to_timestamp
from core.store import conversations, messages
from core.store.conversations import ConversationRow
from core.store.messages import MessageRow
from llmrouter.v1 import conversation_pb2, conversation_pb2_grpc

_PAGE = 100
_MAX_PAGE = 1000
_MAX_TITLE = 500
_MAX_CONTENT = 1_000_000
_UNTITLED = "New conversation"
_LAST = 2**63 - 1


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    conversation_pb2_grpc.add_ConversationServiceServicer_to_server(ConversationService(deps), server)
    return conversation_pb2.DESCRIPTOR.services_by_name["ConversationService"].full_name


class ConversationService(conversation_pb2_grpc.ConversationServiceServicer):
    """Conversations and messages."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps

    async def CreateConversation(
        self, request: conversation_pb2.CreateConversationRequest, context: Any
    ) -> conversation_pb2.CreateConversationResponse:
        title = line(request.title, "title", most=_MAX_TITLE) or _UNTITLED
        async with writing(self.deps.database) as connection:
            row = await conversations.add(
                connection, user_id=caller.current().principal.user_id, title=title, now=self.deps.clock.now()
            )
        return conversation_pb2.CreateConversationResponse(conversation=_conversation(row))

    async def ListConversations(
        self, request: conversation_pb2.ListConversationsRequest, context: Any
    ) -> conversation_pb2.ListConversationsResponse:
        size = paging.page_size(request.page_size, default=_PAGE, most=_MAX_PAGE)
        changed_at, number = paging.decode(request.page_token, _LAST, _LAST)
        title_contains = passage(request.title_contains, "title_contains", most=_MAX_TITLE)
        async with self.deps.database.read() as connection:
            found = await conversations.page(
                connection,
                caller.current().principal.user_id,
                before=(changed_at, number),
                limit=size + 1,
                title_contains=title_contains,
            )
        rows, more = paging.cut(found, size)
        return conversation_pb2.ListConversationsResponse(
            conversations=map(_conversation, rows),
            next_page_token=paging.encode(micros(rows[-1].updated_at), rows[-1].id) if more else "",
        )

    async def GetConversation(
        self, request: conversation_pb2.GetConversationRequest, context: Any
    ) -> conversation_pb2.GetConversationResponse:
        async with self.deps.database.read() as connection:
            row = await conversations.get(connection, request.id, caller.current().principal.user_id)
        if row is None:
            raise NotFound
        return conversation_pb2.GetConversationResponse(conversation=_conversation(row))

    async def UpdateConversation(
        self, request: conversation_pb2.UpdateConversationRequest, context: Any
    ) -> conversation_pb2.UpdateConversationResponse:
        if not fields_to_change(request, ("title",)):
            raise NoChanges
        title = line(request.title, "title", least=1, most=_MAX_TITLE)
        async with writing(self.deps.database) as connection:
            row = await conversations.rename(
                connection, request.id, caller.current().principal.user_id, title, self.deps.clock.now()
            )
        if row is None:
            raise NotFound
        return conversation_pb2.UpdateConversationResponse(conversation=_conversation(row))

    async def DeleteConversation(
        self, request: conversation_pb2.DeleteConversationRequest, context: Any
    ) -> conversation_pb2.DeleteConversationResponse:
        async with writing(self.deps.database) as connection:
            removed = await conversations.remove(connection, request.id, caller.current().principal.user_id)
        if not removed:
            raise NotFound
        return conversation_pb2.DeleteConversationResponse()

    async def ListMessages(
        self, request: conversation_pb2.ListMessagesRequest, context: Any
    ) -> conversation_pb2.ListMessagesResponse:
        size = paging.page_size(request.page_size, default=_PAGE, most=_MAX_PAGE)
        (after_id,) = paging.decode(request.page_token, 0)
        user_id = caller.current().principal.user_id
        async with self.deps.database.read() as connection:
            if await conversations.get(connection, request.conversation_id, user_id) is None:
                raise NotFound
            rows, more = await messages.page(connection, request.conversation_id, after_id=after_id, limit=size)
        return conversation_pb2.ListMessagesResponse(
            messages=map(_message, rows), next_page_token=paging.encode(rows[-1].id) if more else ""
        )

    async def AppendMessage(
        self, request: conversation_pb2.AppendMessageRequest, context: Any
    ) -> conversation_pb2.AppendMessageResponse:
        content, now = passage(request.content, "content", least=1, most=_MAX_CONTENT), self.deps.clock.now()
        user_id = caller.current().principal.user_id
        async with writing(self.deps.database) as connection:
            if not await conversations.touch(connection, request.conversation_id, user_id, now):
                raise NotFound
            row = await messages.add(
                connection, conversation_id=request.conversation_id, role="user", content=content, now=now
            )
        return conversation_pb2.AppendMessageResponse(message=_message(row))


def _conversation(row: ConversationRow) -> conversation_pb2.Conversation:
    return conversation_pb2.Conversation(
        id=row.id,
        title=row.title,
        created_at=to_timestamp(row.created_at),
        updated_at=to_timestamp(row.updated_at),
    )


def _message(row: MessageRow) -> conversation_pb2.Message:
    message = conversation_pb2.Message(
        id=row.id,
        conversation_id=row.conversation_id,
        role=f"ROLE_{row.role.upper()}",
        content=row.content,
        created_at=to_timestamp(row.created_at),
    )
    if row.input_tokens is not None or row.output_tokens is not None:
        message.usage.input_tokens = row.input_tokens or 0
        message.usage.output_tokens = row.output_tokens or 0
    return message
