"""The gate that every RPC passes."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from core.auth import Principal, Secrets
from core.rpc import policy
from core.store import users
from llmrouter.v1 import router_pb2 as pb
from llmrouter.v1.account_pb2 import GetAccountRequest, LoginRequest
from llmrouter.v1.admin_pb2 import GetMetricsRequest
from tests.support.core import Core, Metadata
from tests.support.database import on_sqlite
from tests.support.failures import failure
from tests.support.inference import Inference
from tests.support.openai_upstream import PATIENCE
from tests.support.refusals import refused

pytestmark = on_sqlite


async def request_id(core: Core, metadata: Metadata) -> str:
    """The id that the answer to a call carries."""
    call = core.account.GetAccount(GetAccountRequest(), metadata=metadata)
    await call
    return dict(await call.initial_metadata())["x-request-id"]  # type: ignore[arg-type,call-overload] - text both


async def enter(core: Core, *metadata: tuple[str, str]) -> int:
    return (await core.account.GetAccount(GetAccountRequest(), metadata=metadata)).user.id


async def test_an_answer_carries_the_requests_id(core: Core):
    user = await core.user()
    assert (await request_id(core, user.metadata)).startswith("req_")


async def test_a_request_has_the_id_that_our_facade_gave_it_and_no_other(core: Core):
    user = await core.user()
    given = (*user.metadata, ("x-request-id", "abc 1"))
    assert await request_id(core, (*given, *core.as_facade)) == "abc 1"
    assert (await request_id(core, given)).startswith("req_")
    for unfit in ("", "x" * 101):
        metadata = (*user.metadata, *core.as_facade, ("x-request-id", unfit))
        assert (await request_id(core, metadata)).startswith("req_")


async def test_a_credential_comes_in_any_of_the_headers(core: Core):
    user = await core.user()
    for metadata in (
        ("authorization", f"Bearer {user.token}"),
        ("x-api-key", user.token),
        ("x-virtual-key", user.token),
    ):
        assert await enter(core, metadata) == user.id


async def test_a_cookie_counts_only_where_our_facade_brings_it(core: Core):
    user = await core.user()
    cookie = ("x-llmrouter-session", user.token)
    with refused("UNAUTHENTICATED"):
        await enter(core, cookie)
    with refused("UNAUTHENTICATED"):
        await enter(core, cookie, ("x-llmrouter-internal", "guessed"))
    assert await enter(core, cookie, *core.as_facade) == user.id


async def test_our_facade_reads_the_metrics_in_its_own_name(core: Core):
    metrics = await core.administration.GetMetrics(GetMetricsRequest(), metadata=core.as_facade)
    assert "llmrouter" in metrics.text
    with refused("UNAUTHENTICATED"):
        await core.administration.GetMetrics(GetMetricsRequest())


async def test_a_method_without_a_rule_is_open_to_nobody(core: Core, monkeypatch: pytest.MonkeyPatch):
    admin = await core.admin()
    monkeypatch.delitem(policy.RULES, "/llmrouter.v1.AccountService/GetAccount")
    for metadata in (admin.metadata, core.as_facade):
        with refused("UNSUPPORTED"):
            await core.account.GetAccount(GetAccountRequest(), metadata=metadata)


async def test_a_method_that_does_not_exist_is_told_as_such(core: Core):
    channel: Any = core.channel  # to call what no stub has
    call = channel.unary_unary("/llmrouter.v1.AccountService/Nothing")
    assert (await failure(call(b""))).code is grpc.StatusCode.UNIMPLEMENTED


async def test_health_needs_no_credential(core: Core):
    stub = health_pb2_grpc.HealthStub(core.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest())  # type: ignore[misc] - an aio channel's stub
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_fault_of_ours_tells_nothing_but_the_requests_id(
    core: Core, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    user = await core.user()

    async def broken(*_args: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(users, "get", broken)
    failed = await failure(enter(core, *user.metadata, *core.as_facade, ("x-request-id", "abc")))
    assert (failed.code, failed.reason, failed.domain) == (grpc.StatusCode.INTERNAL, "INTERNAL", "llmrouter")
    assert failed.message == "internal error; request id abc"
    assert "hunter2" in caplog.text


async def test_no_secret_is_logged(core: Core, caplog: pytest.LogCaptureFixture):
    user = await core.user("alice")
    with caplog.at_level("DEBUG"):
        await enter(core, *user.metadata)
        await core.account.Login(LoginRequest(login=user.email, password="correct horse"))
        await failure(core.account.Login(LoginRequest(login=user.email, password="wrong horse")))
    ours = [record for record in caplog.records if record.name.startswith(("core", "llmrouter"))]
    told = "".join(record.getMessage() + repr(vars(record)) for record in ours)
    assert not any(secret in told for secret in (user.token, "ses_", "correct horse", "wrong horse"))
    assert "/llmrouter.v1.AccountService/Login" in told


# Callers who go away while the gate asks who they are


RPCS = {
    "CompleteChat": pb.CompleteChatRequest(chat=pb.ChatRequest(model="m")),
    "StreamChat": pb.StreamChatRequest(chat=pb.ChatRequest(model="m")),
    "CompleteText": pb.CompleteTextRequest(text=pb.TextRequest(model="m")),
    "StreamText": pb.StreamTextRequest(text=pb.TextRequest(model="m")),
    "Embed": pb.EmbedRequest(model="m"),
}


def hold_first(inference: Inference, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Holds the next authentication up for ever; the event tells that it has begun."""
    authenticator = inference.core.deps.authenticator
    authenticate, begun = authenticator.authenticate, asyncio.Event()

    async def held(secrets: Secrets) -> Principal:
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return await authenticate(secrets)

    monkeypatch.setattr(authenticator, "authenticate", held)
    return begun


@pytest.mark.parametrize("rpc", RPCS)
async def test_who_goes_away_at_the_gate_has_a_record_too(
    inference: Inference, monkeypatch: pytest.MonkeyPatch, rpc: str
):
    begun = hold_first(inference, monkeypatch)
    call: Any = getattr(inference.router, rpc)(RPCS[rpc], metadata=inference.metadata)
    await asyncio.wait_for(begun.wait(), PATIENCE)
    call.cancel()
    async with asyncio.timeout(PATIENCE):
        while not (records := await inference.records()):
            await asyncio.sleep(0.002)
    (record,) = records
    assert (record.outcome, record.status_code, record.surface) == ("hung_up", 499, "grpc")
    assert (record.user_id, record.requested_model) == (inference.person.id, "m")


async def test_a_stranger_who_goes_away_at_the_gate_has_none(inference: Inference, monkeypatch: pytest.MonkeyPatch):
    begun = hold_first(inference, monkeypatch)
    metadata = (("authorization", "Bearer nobody's"),)
    call: Any = inference.router.Embed(pb.EmbedRequest(model="m"), metadata=metadata)
    await asyncio.wait_for(begun.wait(), PATIENCE)
    call.cancel()
    with refused("UNAUTHENTICATED"):
        await inference.router.Embed(pb.EmbedRequest(model="m"), metadata=metadata)
    assert await inference.records() == []
