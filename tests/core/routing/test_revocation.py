"""Requests whose credential, or whose user, ends while they run."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest

from core.auth import ALL_SCOPES, Principal, hash_secret
from core.errors import DatabaseError, Unauthenticated
from core.routing.active import ActiveCalls, Call
from core.routing.revocation import Revocation
from core.store import credentials, users
from core.store.database import Database
from llmrouter.v1 import account_pb2, admin_pb2
from llmrouter.v1 import router_pb2 as pb
from tests.support.clock import FakeClock
from tests.support.core import Core, CoreFactory
from tests.support.database import FlakyDatabase, on_sqlite
from tests.support.failures import failure
from tests.support.inference import Inference
from tests.support.openai_upstream import MODEL, PATIENCE, Gate, OpenAIUpstream, silent, stream
from tests.support.router import CHAT, Router, until


@asynccontextmanager
async def watching(revocation: Revocation) -> AsyncGenerator[None]:
    """Ends the calls of the revoked, as a core process does."""
    task = asyncio.create_task(revocation.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def end_of(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """The last event of a stream."""
    lines = [line for line in (await answer.content.read()).splitlines() if line.startswith(b"data:")]
    return json.loads(lines[-1][5:])


async def code_of(call: Any) -> grpc.StatusCode:
    """How a streaming RPC ends."""
    with suppress(grpc.aio.AioRpcError):
        while await call.read() is not grpc.aio.EOF:  # pyright: ignore[reportAttributeAccessIssue] - there at run time
            pass
    return await call.code()


async def delete_key(core: Core, router: Router) -> None:
    person = router.inference.person
    request = admin_pb2.DeleteUserApiKeyRequest(user_id=person.id, id=router.key_id)
    await core.administration.DeleteUserApiKey(request, metadata=person.metadata)


async def test_a_deleted_key_ends_its_streams_with_an_error_and_a_record(router: Router):
    router.upstream.always(stream(["Hel", "lo"], gate=Gate(2)))
    async with watching(router.inference.revocation), router.chat(stream=True) as answer:
        await answer.content.readuntil(b"\n\n")
        await delete_key(router.inference.core, router)
        said = await end_of(answer)
    assert "revoked" in said["error"]["message"]
    record = await router.record()
    assert (record.outcome, record.status_code, record.error_reason) == ("failed", 401, "UNAUTHENTICATED")
    assert (record.credential_id, record.output_tokens, record.token_source) == (router.key_id, 1, "counted")
    async with asyncio.timeout(PATIENCE):  # nobody goes on paying for it
        await (await router.upstream.received()).hung_up.wait()


async def test_what_another_process_deletes_ends_here(router: Router, core_factory: CoreFactory):
    router.upstream.always(stream(["Hel", "lo"], gate=Gate(2)))
    core = router.inference.core
    async with (
        core_factory() as other,
        watching(router.inference.revocation),
        router.chat(stream=True) as answer,
    ):
        await answer.content.readuntil(b"\n\n")
        await delete_key(other, router)
        assert len(router.inference.active) == 1
        await core.hear()
        assert "revoked" in (await end_of(answer))["error"]["message"]


@on_sqlite
@pytest.mark.parametrize("how", ["disabled", "deleted"])
async def test_a_user_who_goes_takes_the_running_requests_along(
    inference: Inference, openai_upstream: OpenAIUpstream, how: str
):
    openai_upstream.script(stream(["Hel", "lo"], gate=Gate(2)), silent())
    user = await inference.core.user("leaver")
    chat = pb.ChatRequest(model=MODEL, messages=[pb.ChatMessage(role=pb.ROLE_USER, text="Hi")])
    call: Any = inference.router.StreamChat(pb.StreamChatRequest(chat=chat), metadata=user.metadata)
    await call.read()
    waiting = asyncio.ensure_future(
        inference.router.CompleteChat(pb.CompleteChatRequest(chat=chat), metadata=user.metadata)
    )
    await until(lambda: len(inference.active) == 2)
    administration, admin = inference.core.administration, inference.metadata
    async with watching(inference.revocation):
        if how == "disabled":
            change = admin_pb2.UpdateUserRequest(id=user.id, disabled=True)
            change.update_mask.paths.append("disabled")
            await administration.UpdateUser(change, metadata=admin)
        else:
            await administration.DeleteUser(admin_pb2.DeleteUserRequest(id=user.id), metadata=admin)
        failed = await failure(waiting)
        assert (failed.code, failed.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
        assert await code_of(call) is grpc.StatusCode.UNAUTHENTICATED
    records = await inference.records()
    assert [(record.outcome, record.status_code) for record in records] == [("failed", 401)] * 2


@on_sqlite
async def test_a_key_that_expires_ends_its_streams(router: Router):
    router.upstream.always(stream(["Hel", "lo"], gate=Gate(2)))
    core, person = router.inference.core, router.inference.person
    request = account_pb2.CreateApiKeyRequest(name="short")
    request.expires_at.FromDatetime(core.clock.now() + timedelta(seconds=60))
    key = (await core.account.CreateApiKey(request, metadata=person.metadata)).value
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    async with router.post(CHAT, body, headers={"Authorization": f"Bearer {key}"}) as answer:
        await answer.content.readuntil(b"\n\n")
        router.inference.core.clock.advance(59)
        router.inference.active.sweep()
        assert len(router.inference.active) == 1
        router.pass_time(1)
        assert "expired" in (await end_of(answer))["error"]["message"]
    assert (await router.record()).status_code == 401


@on_sqlite
async def test_a_sign_out_ends_what_the_session_began(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(*(stream(["Hel", "lo"], gate=Gate(2)) for _ in range(2)))
    user = await inference.core.user("user")
    other, _ = await inference.core.credential(user.id, kind="session")
    chat = pb.ChatRequest(model=MODEL, messages=[pb.ChatMessage(role=pb.ROLE_USER, text="Hi")])
    calls: list[Any] = [
        inference.router.StreamChat(pb.StreamChatRequest(chat=chat), metadata=metadata)
        for metadata in (user.metadata, (("authorization", f"Bearer {other}"),))
    ]
    for call in calls:
        await call.read()
    assert len(inference.active) == 2
    async with watching(inference.revocation):
        await inference.core.account.Logout(account_pb2.LogoutRequest(), metadata=user.metadata)
        await until(lambda: len(inference.active) == 1)
    assert await code_of(calls[0]) is grpc.StatusCode.UNAUTHENTICATED
    calls[1].cancel()
    await until(lambda: not len(inference.active))


# By itself


async def make_key(database: Database, user_id: int) -> int:
    async with database.write() as connection:
        made = await credentials.add(
            connection,
            kind="api_key",
            secret_hash=hash_secret(f"key of {user_id}"),
            prefix="sk_",
            user_id=user_id,
            scopes=ALL_SCOPES,
            now=FakeClock().now(),
        )
    return made.id


async def make_user(database: Database, name: str) -> int:
    async with database.write() as connection:
        user = await users.add(
            connection, email=name, username=name, password_hash="", role="user", now=FakeClock().now()
        )
    return user.id


def call_of(active: ActiveCalls, user_id: int, credential_id: int) -> Call:
    kind = "api_key" if credential_id else "jwt"
    principal = Principal(user_id, "user", credential_id, kind, frozenset(), None)
    call = Call(f"req_{user_id}_{credential_id}", principal, 1e12)
    active.add(call)
    return call


async def test_only_those_who_may_not_any_more_are_ended(flaky_database: FlakyDatabase):
    clock = FakeClock()
    active = ActiveCalls(clock)
    revocation = Revocation(active, flaky_database, clock)
    stays, goes = await make_user(flaky_database, "stays"), await make_user(flaky_database, "goes")
    keys = await make_key(flaky_database, stays), await make_key(flaky_database, goes)
    good = [call_of(active, stays, keys[0]), call_of(active, stays, 0)]
    bad = [call_of(active, goes, keys[1]), call_of(active, goes, 0), call_of(active, goes, keys[0])]
    async with flaky_database.write() as connection:
        await users.change(connection, goes, {"disabled": True}, clock.now())
    revocation.changed(stays, 0)
    await revocation.look()
    assert not any(call.cause for call in good + bad)  # nobody has asked about the other yet
    revocation.changed(0, 0)
    await revocation.look()
    assert not any(call.cause for call in good)
    assert all(isinstance(call.cause, Unauthenticated) for call in bad)


async def test_what_the_database_does_not_answer_is_asked_again(flaky_database: FlakyDatabase):
    clock = FakeClock()
    active = ActiveCalls(clock)
    tries: list[float] = []

    async def sleep(seconds: float) -> None:
        tries.append(seconds)
        flaky_database.down = len(tries) < 3
        await asyncio.sleep(0)

    revocation = Revocation(active, flaky_database, clock, sleep)
    call = call_of(active, 77, 0)
    flaky_database.down = True
    revocation.changed(77, 0)
    with pytest.raises(DatabaseError):
        await revocation.look()
    async with watching(revocation):
        await until(lambda: call.cause is not None)
    assert len(tries) == 3
