"""Limits on the whole way of a request: who is refused and how, and that everything is given back."""

import asyncio
from typing import Any

import grpc
import pytest

from core.routing.lookup import Route, RouteTarget
from llmrouter.v1 import admin_pb2, router_pb2
from tests.support.database import on_sqlite
from tests.support.failures import failure
from tests.support.openai_upstream import MODEL, Gate, chat, error, stream
from tests.support.router import Router, until

pytestmark = on_sqlite

USER, CREDENTIAL = admin_pb2.LIMIT_SCOPE_USER, admin_pb2.LIMIT_SCOPE_CREDENTIAL
MODELS, DEPLOYMENT = admin_pb2.LIMIT_SCOPE_MODEL, admin_pb2.LIMIT_SCOPE_DEPLOYMENT

LIMITS = "x-ratelimit-"


async def limited(router: Router, scope: "admin_pb2.LimitScope", scope_id: str = "", **counts: int) -> int:
    """Sets a limit; its number."""
    inference = router.inference
    request = admin_pb2.CreateLimitRequest(scope=scope, scope_id=scope_id, **counts)  # pyright: ignore[reportArgumentType]
    made = await inference.core.administration.CreateLimit(request, metadata=inference.metadata)
    return made.limit.id


async def statuses(router: Router, times: int, **fields: Any) -> list[int]:
    return [(await router.answer(**fields))[0] for _ in range(times)]


async def test_one_too_many_is_refused_before_a_provider_is_asked(router: Router):
    await limited(router, USER, str(router.inference.person.id), requests_per_minute=2)
    router.upstream.always(chat("Hello."))
    async with router.chat() as answer:
        assert answer.headers[LIMITS + "limit-requests"] == "2"
        assert answer.headers[LIMITS + "remaining-requests"] == "1"
        assert answer.headers[LIMITS + "reset-requests"] == "1m1s"
        assert LIMITS + "limit-tokens" not in answer.headers
    assert await statuses(router, 1) == [200]
    async with router.chat() as answer:
        assert answer.status == 429
        said = (await answer.json())["error"]
        assert said["message"] == "rate limit reached: 2 requests per minute for this user"
        assert answer.headers["Retry-After"] == "61"
        assert answer.headers[LIMITS + "remaining-requests"] == "0"
    assert len(router.upstream.requests) == 2
    *_, record = await router.records(3)
    assert (record.status_code, record.outcome, record.error_reason) == (429, "failed", "RATE_LIMITED")
    assert (record.requested_model, record.provider, record.cost_nanousd) == (MODEL, "", None)
    router.inference.core.clock.advance(61)
    assert await statuses(router, 1) == [200]


async def test_without_a_limit_that_applies_nothing_is_said_of_limits(router: Router):
    await limited(router, MODELS, "another", requests_per_minute=1)
    router.upstream.always(chat("Hello."))
    for _ in range(2):
        async with router.chat() as answer:
            assert answer.status == 200
            assert not [name for name in answer.headers if name.lower().startswith(LIMITS)]


async def test_a_stream_says_what_is_left_and_keeps_its_place_until_its_end(router: Router):
    await limited(router, CREDENTIAL, str(router.key_id), concurrent_requests=1, tokens_per_minute=1000)
    gate = Gate()
    router.upstream.always(stream(["one ", "two ", "three "], gate=gate))
    gate.let(1)
    async with router.chat(stream=True, max_tokens=300) as answer:
        assert answer.headers[LIMITS + "limit-tokens"] == "1000"
        assert 600 < int(answer.headers[LIMITS + "remaining-tokens"]) < 700
        async with router.chat() as other:
            assert other.status == 429
            assert "1 requests at once for this key" in (await other.json())["error"]["message"]
        gate.open()
        await answer.read()
    async with router.chat(stream=True) as answer:
        assert answer.status == 200
        left = int(answer.headers[LIMITS + "remaining-tokens"])
        assert 900 < left < 1000  # what was not used is free again
        await answer.read()


@pytest.mark.parametrize("end", ["hang up", "failure", "cancel"])
async def test_a_place_is_given_back_however_a_request_ends(router: Router, end: str):
    await limited(router, DEPLOYMENT, concurrent_requests=1)
    gate = Gate()
    router.upstream.always(error(400) if end == "failure" else stream(["one ", "two "], gate=gate))
    gate.let(1)
    async with router.chat(stream=True) as answer:
        if end == "failure":
            assert answer.status == 400
        elif end == "cancel":
            (call,) = router.inference.active.all()
            router.inference.active.cancel(call.request_id)
            await answer.read()
    await until(lambda: not len(router.inference.active))
    router.upstream.always(chat("Hello."))
    assert await statuses(router, 2) == [200, 200]


async def test_requests_at_once_never_pass_the_limit(router: Router):
    await limited(router, DEPLOYMENT, concurrent_requests=3)
    gate = Gate()
    router.upstream.always(stream(["one "], gate=gate))
    asking = [asyncio.ensure_future(router.answer(stream=True)) for _ in range(12)]
    await until(lambda: sum(each.done() for each in asking) == 9)
    assert len(router.upstream.requests) == 3
    gate.open()
    found = sorted(status for status, _ in await asyncio.gather(*asking))
    assert found == [200] * 3 + [429] * 9


async def test_a_limit_for_everyone_counts_each_alone(router: Router):
    await limited(router, USER, "*", requests_per_minute=1)
    router.upstream.always(chat("Hello."))
    other = await router.inference.core.user("other")
    assert await statuses(router, 2) == [200, 429]
    router.key, _ = await router.inference.core.credential(other.id)
    assert await statuses(router, 2) == [200, 429]
    await limited(router, USER, str(other.id), requests_per_minute=3)
    assert await statuses(router, 3) == [200, 200, 429]  # the one of before still counts


async def test_an_alias_is_no_way_around_the_limit_of_a_model(router: Router):
    await limited(router, MODELS, MODEL, requests_per_minute=2)
    router.inference.core.deps.catalog.set_routes([Route("fast", (RouteTarget(MODEL),))])
    router.upstream.always(chat("Hello."))
    assert await statuses(router, 1, model="fast") == [200]
    assert await statuses(router, 1, model=f"upstream/{MODEL}") == [200]
    assert await statuses(router, 1, model="fast") == [429]


async def test_an_unknown_model_is_unknown_and_not_limited(router: Router):
    await limited(router, USER, "*", requests_per_minute=1)
    assert await statuses(router, 2, model="nowhere") == [400, 400]


async def test_a_limit_that_is_changed_or_removed_holds_no_more(router: Router):
    number = await limited(router, USER, "*", requests_per_minute=1)
    router.upstream.always(chat("Hello."))
    core, metadata = router.inference.core, router.inference.metadata
    assert await statuses(router, 2) == [200, 429]
    await core.administration.UpdateLimit(
        admin_pb2.UpdateLimitRequest(id=number, requests_per_minute=2), metadata=metadata
    )
    assert await statuses(router, 2) == [200, 429]
    await core.administration.DeleteLimit(admin_pb2.DeleteLimitRequest(id=number), metadata=metadata)
    assert await statuses(router, 2) == [200, 200]


async def test_a_grpc_caller_is_told_in_the_standard_forms(router: Router):
    await limited(router, USER, "*", tokens_per_day=40)
    router.upstream.always(chat("Hello."))
    message = router_pb2.ChatMessage(role=router_pb2.ROLE_USER, text="Hi")
    request = router_pb2.CompleteChatRequest(chat=router_pb2.ChatRequest(model=MODEL, messages=[message]))
    metadata = (("x-api-key", router.key),)
    await router.inference.router.CompleteChat(request, metadata=metadata)
    await router.inference.router.CompleteChat(request, metadata=metadata)
    failed = await failure(router.inference.router.CompleteChat(request, metadata=metadata))
    assert (failed.code, failed.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert "40 tokens per day for this user" in failed.message
    assert failed.metadata["counted"] == "tokens_per_day"
    assert (failed.metadata[LIMITS + "limit-tokens"], failed.metadata[LIMITS + "remaining-tokens"]) == ("40", "4")
    assert 24 * 3600 < (failed.retry_after or 0) <= 24 * 3600 + 1800
