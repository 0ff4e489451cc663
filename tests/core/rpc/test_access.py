"""Who may call which RPC: the table of rules is walked against the protobuf descriptors.

A new RPC that is about somebody's object needs a row in FOREIGN; a test says so.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from operator import methodcaller
from typing import Any

import grpc.aio
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from core.providers.objects import BATCHES, Body, Content, ProviderObjects
from core.providers.objects import FILES as FILES_PATH
from core.routing.catalog import Catalog
from core.routing.health import Health
from core.rpc.policy import RULES, Access
from core.store import provider_objects, providers
from core.store.database import Database
from core.store.provider_objects import BATCH, FILE, ProviderObject
from llmrouter.v1 import (
    account_pb2,
    admin_pb2,
    budget_pb2,
    conversation_pb2,
    router_pb2,
    usage_pb2,
    workspace_pb2,
)
from tests.support.clock import FakeClock
from tests.support.core import Core, CoreFactory, Metadata, Person
from tests.support.database import on_sqlite
from tests.support.failures import failure_of
from tests.support.upstreams import Shelf

FILES = (account_pb2, admin_pb2, conversation_pb2, router_pb2, usage_pb2, workspace_pb2)
METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


async def call(core: Core, path: str, metadata: Metadata, request: Message | None = None) -> str:
    """Calls an RPC, with an empty request unless another is given, and returns how it failed: "" for not at all.

    Of a stream it takes no more than the first answer.
    """
    method = METHODS[path]
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    answer: Any = GetMessageClass(method.output_type)
    make: Any = getattr(core.channel, kind)
    start: Any = make(path, methodcaller("SerializeToString"), answer.FromString)
    if request is None:
        request = GetMessageClass(method.input_type)()
    try:
        if not method.server_streaming:
            await start(request, metadata=metadata)
            return ""
        running = start(metadata=metadata) if method.client_streaming else start(request, metadata=metadata)
        if method.client_streaming:
            await running.done_writing()
        await running.read()
        running.cancel()
    except grpc.aio.AioRpcError as error:
        return failure_of(error).reason or error.code().name
    return ""


async def walk(core: Core, caller: Callable[[], Awaitable[Metadata]]) -> dict[str, str]:
    """How every RPC fails for a caller, whose credential is made anew for each because some end it."""
    return {path: await call(core, path, await caller()) for path in METHODS}


def credential(core: Core, person: Person, **fields: str) -> Callable[[], Awaitable[Metadata]]:
    async def make() -> Metadata:
        secret, _ = await core.credential(person.id, **fields)
        return (("x-api-key", secret),)

    return make


def test_every_rpc_has_a_rule_and_every_rule_an_rpc():
    assert set(RULES) == set(METHODS)


@on_sqlite
async def test_every_rpc_is_there(core: Core):
    admin = await core.admin()
    found = await walk(core, credential(core, admin, kind="session"))
    assert not [path for path, reason in found.items() if reason in ("UNIMPLEMENTED", "UNSUPPORTED", "INTERNAL")]


@on_sqlite
async def test_who_brings_no_credential_is_let_in_nowhere_but_at_the_door(core: Core):
    async def nobody() -> Metadata:
        return ()

    found = await walk(core, nobody)
    refused = {path for path, reason in found.items() if reason == "UNAUTHENTICATED"}
    assert refused == {path for path, rule in RULES.items() if rule.access is not Access.ANYONE}


@on_sqlite
async def test_a_user_is_kept_from_what_administrators_do_and_from_nothing_else(core: Core):
    user = await core.user()
    found = await walk(core, credential(core, user, kind="session"))
    refused = {path for path, reason in found.items() if reason in ("FORBIDDEN", "UNAUTHENTICATED")}
    assert refused == {path for path, rule in RULES.items() if rule.access in (Access.ADMIN, Access.OPERATOR)}


@on_sqlite
async def test_an_administrator_is_kept_from_nothing(core: Core):
    admin = await core.admin()
    found = await walk(core, credential(core, admin, kind="session"))
    assert not [path for path, reason in found.items() if reason in ("FORBIDDEN", "UNAUTHENTICATED")]


@on_sqlite
async def test_a_credential_that_may_only_read_changes_nothing(core: Core):
    admin = await core.admin()
    found = await walk(core, credential(core, admin, scopes="read"))
    refused = {path for path, reason in found.items() if reason == "FORBIDDEN"}
    assert refused == {path for path, rule in RULES.items() if rule.scope == "write"}


@on_sqlite
async def test_a_virtual_key_calls_models_and_does_nothing_else_whoever_its_user_is(core: Core):
    admin = await core.admin()
    found = await walk(core, credential(core, admin, kind="virtual_key"))
    let_in = {path for path, reason in found.items() if reason not in ("FORBIDDEN", "UNAUTHENTICATED")}
    doors = {path for path, rule in RULES.items() if rule.access is Access.ANYONE}
    assert let_in - doors == {
        path
        for path in METHODS
        if path.split(".")[-1].startswith(("RouterService/", "UsageService/", "AccountService/GetAccount"))
        and RULES[path].access not in (Access.ADMIN, Access.OPERATOR)
    }


# What belongs to somebody -----------------------------------------------------------------------

Foreign = Callable[[Core, Person], Awaitable[Message]]


async def _key(core: Core, owner: Person) -> int:
    request = account_pb2.CreateApiKeyRequest(name="mine")
    return (await core.account.CreateApiKey(request, metadata=owner.metadata)).api_key.id


async def _conversation(core: Core, owner: Person) -> int:
    request = conversation_pb2.CreateConversationRequest(title="mine")
    return (await core.conversations.CreateConversation(request, metadata=owner.metadata)).conversation.id


async def _goal(core: Core, owner: Person) -> str:
    request = workspace_pb2.CreateGoalRequest(title="mine")
    return (await core.workspace.CreateGoal(request, metadata=owner.metadata)).goal.id


async def _persona(core: Core, owner: Person) -> str:
    request = workspace_pb2.CreatePersonaRequest(name="mine", system_prompt="mine")
    return (await core.workspace.CreatePersona(request, metadata=owner.metadata)).persona.id


async def _delete_key(core: Core, owner: Person) -> Message:
    return account_pb2.DeleteApiKeyRequest(id=await _key(core, owner))


async def _get_conversation(core: Core, owner: Person) -> Message:
    return conversation_pb2.GetConversationRequest(id=await _conversation(core, owner))


async def _update_conversation(core: Core, owner: Person) -> Message:
    return conversation_pb2.UpdateConversationRequest(id=await _conversation(core, owner), title="stolen")


async def _delete_conversation(core: Core, owner: Person) -> Message:
    return conversation_pb2.DeleteConversationRequest(id=await _conversation(core, owner))


async def _list_messages(core: Core, owner: Person) -> Message:
    return conversation_pb2.ListMessagesRequest(conversation_id=await _conversation(core, owner))


async def _append_message(core: Core, owner: Person) -> Message:
    return conversation_pb2.AppendMessageRequest(conversation_id=await _conversation(core, owner), content="hello")


async def _update_goal(core: Core, owner: Person) -> Message:
    return workspace_pb2.UpdateGoalRequest(id=await _goal(core, owner), title="stolen")


async def _delete_goal(core: Core, owner: Person) -> Message:
    return workspace_pb2.DeleteGoalRequest(id=await _goal(core, owner))


async def _update_persona(core: Core, owner: Person) -> Message:
    return workspace_pb2.UpdatePersonaRequest(id=await _persona(core, owner), name="stolen")


async def _delete_persona(core: Core, owner: Person) -> Message:
    return workspace_pb2.DeletePersonaRequest(id=await _persona(core, owner))


async def _get_virtual_key(core: Core, owner: Person) -> Message:
    manager = await core.admin(f"manager{core.deps.new_id('')}")
    request = admin_pb2.CreateVirtualKeyRequest(name="theirs", user_email=owner.email)
    made = await core.administration.CreateVirtualKey(request, metadata=manager.metadata)
    return admin_pb2.GetVirtualKeyRequest(id=made.virtual_key.id)


async def _stats(core: Core, owner: Person) -> Message:
    return usage_pb2.GetStatsRequest(user_id=owner.id)


async def _records(core: Core, owner: Person) -> Message:
    return usage_pb2.ListUsageRecordsRequest(user_id=owner.id)


async def _export(core: Core, owner: Person) -> Message:
    return usage_pb2.ExportUsageRecordsRequest(user_id=owner.id, format=usage_pb2.EXPORT_FORMAT_CSV)


async def _watch(core: Core, owner: Person) -> Message:
    return usage_pb2.WatchUsageRequest(user_id=owner.id)


async def _reservation(core: Core, owner: Person) -> str:
    request = budget_pb2.ReserveRequest(amount_nanousd=1)
    return (await core.usage.Reserve(request, metadata=owner.metadata)).reservation.id


async def _settle(core: Core, owner: Person) -> Message:
    return budget_pb2.SettleRequest(id=await _reservation(core, owner))


async def _release(core: Core, owner: Person) -> Message:
    return budget_pb2.ReleaseRequest(id=await _reservation(core, owner))


# RPC → how to ask for what belongs to another user.
async def _response(core: Core, owner: Person) -> str:
    name = core.deps.new_id("resp")
    core.deps.responses.keep(owner.id, name, "", "[]", f'{{"id":"{name}","output":[]}}', ())
    return name


class _Objects(ProviderObjects):
    """Files and batches of a provider that says yes to everything."""

    def __init__(self) -> None:
        self.paths = frozenset({FILES_PATH, BATCHES})

    async def ask(self, method: str, path: str, query: Mapping[str, str], body: Body | None = None) -> bytes:
        return b'{"id": "any"}'

    @asynccontextmanager
    async def read(self, path: str) -> AsyncGenerator[Content]:
        async def pieces() -> AsyncGenerator[bytes]:
            yield b"{}"

        yield Content("application/json", pieces())


@pytest.fixture
async def core(core_factory: CoreFactory, database: Database) -> AsyncIterator[Core]:
    """A core whose providers keep files and batches."""
    clock, shelf = FakeClock(), Shelf()
    shelf.objects = _Objects()
    async with core_factory(clock=clock, catalog=Catalog(database, clock, Health(clock), shelf.make)) as core:
        yield core


async def _object(core: Core, owner: Person, kind: str) -> str:
    """A file or a batch, at a provider that is made with it."""
    deps, name, now = core.deps, core.deps.new_id(kind), core.deps.clock.now()
    columns: dict[str, Any] = {
        "type": "openai",
        "base_url": "http://127.0.0.1",
        "api_key": None,
        "enabled": True,
        "source": "api",
    }
    async with deps.database.write() as connection:
        provider = await providers.add(connection, name=name, now=now, **columns)
        row = ProviderObject(owner.id, name, kind, provider.id, name, "", 0, "grpc", "", now, None, "{}")
        assert await provider_objects.add(connection, deps.database, row)
    await deps.catalog.load()
    return name


async def _get_file(core: Core, owner: Person) -> Message:
    return router_pb2.GetFileRequest(id=await _object(core, owner, FILE))


async def _delete_file(core: Core, owner: Person) -> Message:
    return router_pb2.DeleteFileRequest(id=await _object(core, owner, FILE))


async def _get_file_content(core: Core, owner: Person) -> Message:
    return router_pb2.GetFileContentRequest(id=await _object(core, owner, FILE))


async def _get_batch(core: Core, owner: Person) -> Message:
    return router_pb2.GetBatchRequest(id=await _object(core, owner, BATCH))


async def _cancel_batch(core: Core, owner: Person) -> Message:
    return router_pb2.CancelBatchRequest(id=await _object(core, owner, BATCH))


async def _get_response(core: Core, owner: Person) -> Message:
    return router_pb2.GetResponseRequest(id=await _response(core, owner))


async def _delete_response(core: Core, owner: Person) -> Message:
    return router_pb2.DeleteResponseRequest(id=await _response(core, owner))


async def _list_input_items(core: Core, owner: Person) -> Message:
    return router_pb2.ListResponseInputItemsRequest(id=await _response(core, owner))


FOREIGN: dict[str, Foreign] = {
    "/llmrouter.v1.RouterService/GetResponse": _get_response,
    "/llmrouter.v1.RouterService/DeleteResponse": _delete_response,
    "/llmrouter.v1.RouterService/ListResponseInputItems": _list_input_items,
    "/llmrouter.v1.RouterService/GetFile": _get_file,
    "/llmrouter.v1.RouterService/DeleteFile": _delete_file,
    "/llmrouter.v1.RouterService/GetFileContent": _get_file_content,
    "/llmrouter.v1.RouterService/GetBatch": _get_batch,
    "/llmrouter.v1.RouterService/CancelBatch": _cancel_batch,
    "/llmrouter.v1.AccountService/DeleteApiKey": _delete_key,
    "/llmrouter.v1.ConversationService/GetConversation": _get_conversation,
    "/llmrouter.v1.ConversationService/UpdateConversation": _update_conversation,
    "/llmrouter.v1.ConversationService/DeleteConversation": _delete_conversation,
    "/llmrouter.v1.ConversationService/ListMessages": _list_messages,
    "/llmrouter.v1.ConversationService/AppendMessage": _append_message,
    "/llmrouter.v1.WorkspaceService/UpdateGoal": _update_goal,
    "/llmrouter.v1.WorkspaceService/DeleteGoal": _delete_goal,
    "/llmrouter.v1.WorkspaceService/UpdatePersona": _update_persona,
    "/llmrouter.v1.WorkspaceService/DeletePersona": _delete_persona,
    "/llmrouter.v1.AdminService/GetVirtualKey": _get_virtual_key,
    "/llmrouter.v1.UsageService/GetStats": _stats,
    "/llmrouter.v1.UsageService/ListUsageRecords": _records,
    "/llmrouter.v1.UsageService/Settle": _settle,
    "/llmrouter.v1.UsageService/Release": _release,
    "/llmrouter.v1.UsageService/ExportUsageRecords": _export,
    "/llmrouter.v1.UsageService/WatchUsage": _watch,
}

# Administrators see everybody's usage and virtual keys; everything else is its owner's alone.
SEEN_BY_ADMINISTRATORS = {
    "/llmrouter.v1.AdminService/GetVirtualKey",
    "/llmrouter.v1.UsageService/GetStats",
    "/llmrouter.v1.UsageService/ListUsageRecords",
    "/llmrouter.v1.UsageService/ExportUsageRecords",
    "/llmrouter.v1.UsageService/WatchUsage",
}


def test_every_rpc_about_somebodys_object_is_tried_by_somebody_else():
    about_objects = {
        path
        for path, method in METHODS.items()
        if RULES[path].access is Access.USER
        and any(field.name == "id" or field.name.endswith("_id") for field in method.input_type.fields)
    }
    assert set(FOREIGN) == about_objects


async def test_what_belongs_to_another_is_not_there(core: Core):
    owner, other, admin = await core.user("owner"), await core.user("other"), await core.admin()
    as_other: dict[str, str] = {}
    as_admin: dict[str, str] = {}
    as_owner: dict[str, str] = {}
    for path, make in FOREIGN.items():
        request = await make(core, owner)
        as_other[path] = await call(core, path, other.metadata, request)
        as_admin[path] = await call(core, path, admin.metadata, request)
        as_owner[path] = await call(core, path, owner.metadata, request)  # last: it may be a removal
    assert as_other == dict.fromkeys(FOREIGN, "NOT_FOUND")
    assert as_admin == {path: "" if path in SEEN_BY_ADMINISTRATORS else "NOT_FOUND" for path in FOREIGN}
    assert as_owner == dict.fromkeys(FOREIGN, "")
