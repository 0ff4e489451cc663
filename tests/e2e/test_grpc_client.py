"""The typed RPCs, called over TCP with an API key, as an internal service calls them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from llmrouter.v1 import router_pb2 as pb
from llmrouter.v1 import router_pb2_grpc, usage_pb2
from tests.e2e.accounts import Account, Tokens
from tests.e2e.fake import wire
from tests.e2e.fake.process import FakeProvider
from tests.e2e.providers import Provider
from tests.support.failures import Failure, failure

if TYPE_CHECKING:
    from llmrouter.v1.router_pb2_grpc import RouterServiceAsyncStub

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

CROWD = 50
HELLO = pb.ChatMessage(role=pb.ROLE_USER, text="Who are you, and where do you run?")
WEATHER = pb.Tool(
    name="weather",
    description="Tells the weather.",
    parameters_json='{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}',
)


@pytest.fixture
async def router(account: Account) -> AsyncIterator["RouterServiceAsyncStub"]:
    async with grpc.aio.insecure_channel(account.service.grpc_target) as channel:
        yield router_pb2_grpc.RouterServiceStub(channel)  # pyright: ignore[reportReturnType] - asynchronous by its channel


def bearer(account: Account) -> tuple[tuple[str, str], ...]:
    """The credentials of a call."""
    return (("authorization", f"Bearer {account.key}"),)


def counts(usage: pb.TokenUsage) -> Tokens:
    """The tokens of an answer or of a record, which the provider must have reported."""
    assert usage.source == pb.TOKEN_SOURCE_PROVIDER
    return usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.reasoning_tokens


def held(name: str) -> pb.StreamChatRequest:
    """A stream that the fake provider holds back."""
    extra = json.dumps({"x_hold": name})
    return pb.StreamChatRequest(chat=pb.ChatRequest(model=wire.CHAT_MODEL, messages=[HELLO], extra_json=extra))


async def record_of(account: Account) -> usage_pb2.UsageRecord:
    """The one record of an account, while the channel goes on working."""
    return await asyncio.to_thread(account.record)


async def test_a_chat_is_completed(account: Account, provider: Provider, router: "RouterServiceAsyncStub"):
    chat = pb.ChatRequest(model=provider.chat_model, messages=[HELLO])
    answer = await router.CompleteChat(
        pb.CompleteChatRequest(chat=chat, include_raw_json=True), metadata=bearer(account)
    )
    (choice,) = answer.choices
    assert (choice.message.text, choice.finish_reason) == (provider.answer, "stop")
    assert choice.message.role == pb.ROLE_ASSISTANT
    assert json.loads(answer.raw_json)["usage"]["prompt_tokens"] == answer.usage.input_tokens
    record = await record_of(account)
    assert counts(record.tokens) == counts(answer.usage)
    assert (answer.routing.request_id, answer.routing.provider) == (record.request_id, provider.name)
    assert answer.routing.cost_nanousd == record.cost_nanousd
    assert (record.surface, record.status_code, record.messages) == ("grpc", 200, 1)


async def test_an_api_key_may_come_as_metadata_of_its_own(
    account: Account, provider: Provider, router: "RouterServiceAsyncStub"
):
    request = pb.CompleteChatRequest(chat=pb.ChatRequest(model=provider.chat_model, messages=[HELLO]))
    answer = await router.CompleteChat(request, metadata=(("x-api-key", account.key),))
    assert answer.choices[0].message.text == provider.answer
    await record_of(account)


async def test_a_tool_is_called(account: Account, provider: Provider, router: "RouterServiceAsyncStub"):
    chat = pb.ChatRequest(
        model=provider.chat_model, messages=[HELLO], tools=[WEATHER], tool_choice=pb.ToolChoice(mode="required")
    )
    answer = await router.CompleteChat(pb.CompleteChatRequest(chat=chat), metadata=bearer(account))
    (call,) = answer.choices[0].message.tool_calls
    assert (call.name, json.loads(call.arguments_json)) == ("weather", {"city": provider.sample})
    stream = router.StreamChat(pb.StreamChatRequest(chat=chat), metadata=bearer(account))
    pieces = [event.tool_call_delta async for event in stream if event.HasField("tool_call_delta")]
    assert [piece.name for piece in pieces if piece.name] == ["weather"]
    assert json.loads("".join(piece.arguments_json for piece in pieces)) == {"city": provider.sample}
    whole, streamed = await asyncio.to_thread(account.records, 2)
    assert counts(whole.tokens)[:2] == counts(streamed.tokens)[:2]


async def test_a_chat_is_streamed(account: Account, provider: Provider, router: "RouterServiceAsyncStub"):
    chat = pb.ChatRequest(model=provider.chat_model, messages=[HELLO])
    events = [event async for event in router.StreamChat(pb.StreamChatRequest(chat=chat), metadata=bearer(account))]
    kinds = [event.WhichOneof("event") for event in events]
    assert (kinds[0], kinds[-2:]) == ("started", ["usage", "finished"])
    assert set(kinds[1:-2]) == {"delta"}
    assert "".join(event.delta.text for event in events) == provider.answer
    assert events[-1].finished.finish_reasons == ["stop"]
    record = await record_of(account)
    assert counts(record.tokens) == counts(events[-2].usage)
    assert events[0].started.routing.request_id == record.request_id
    assert events[-1].finished.routing.cost_nanousd == record.cost_nanousd
    assert record.streamed


async def test_events_arrive_as_they_are_made(
    account: Account, fake_provider: Provider, fake: FakeProvider, router: "RouterServiceAsyncStub"
):
    name = "one by one to gRPC"
    events = aiter(router.StreamChat(held(name), metadata=bearer(account)))
    fake.let(name)
    assert (await anext(events)).HasField("started")
    for piece in fake_provider.pieces:
        fake.let(name)
        assert (await anext(events)).delta.text == piece
    fake.let_all(name)
    assert [event.WhichOneof("event") async for event in events] == ["usage", "finished"]
    await record_of(account)


@pytest.mark.usefixtures("fake_provider")
async def test_cancelling_a_stream_ends_it_at_the_provider(
    account: Account, fake: FakeProvider, router: "RouterServiceAsyncStub"
):
    call = router.StreamChat(held("cancelled by gRPC"), metadata=bearer(account))
    events = aiter(call)
    fake.let("cancelled by gRPC", 2)
    assert [(await anext(events)).WhichOneof("event") for _ in range(2)] == ["started", "delta"]
    assert call.cancel()
    await asyncio.to_thread(fake.wait_hung_up, "cancelled by gRPC")
    record = await record_of(account)
    assert (record.outcome, record.status_code) == (usage_pb2.OUTCOME_HUNG_UP, 499)
    assert record.tokens.output_tokens > 0


@pytest.mark.usefixtures("fake_provider")
async def test_a_deadline_ends_a_request(account: Account, fake: FakeProvider, router: "RouterServiceAsyncStub"):
    chat = pb.ChatRequest(model=wire.SILENT_MODEL, messages=[HELLO], extra_json='{"x_hold": "late"}')
    call = router.CompleteChat(pb.CompleteChatRequest(chat=chat), metadata=bearer(account), timeout=0.3)
    assert (await failure(call)).code == grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.to_thread(fake.wait_hung_up, "late")
    record = await record_of(account)
    assert (record.outcome, record.status_code) == (usage_pb2.OUTCOME_FAILED, 504)
    assert record.error_reason == "DEADLINE_EXCEEDED"


async def test_a_text_is_completed_and_streamed(account: Account, provider: Provider, router: "RouterServiceAsyncStub"):
    text = pb.TextRequest(model=provider.chat_model, prompts=["Say where you come from"])
    answer = await router.CompleteText(pb.CompleteTextRequest(text=text), metadata=bearer(account))
    assert [choice.text for choice in answer.choices] == [provider.answer]
    stream = router.StreamText(pb.StreamTextRequest(text=text), metadata=bearer(account))
    events = [event async for event in stream]
    assert "".join(event.delta.text for event in events) == provider.answer
    assert [event.WhichOneof("event") for event in events[-2:]] == ["usage", "finished"]
    whole, streamed = await asyncio.to_thread(account.records, 2)
    assert counts(whole.tokens) == counts(answer.usage)
    assert counts(streamed.tokens) == counts(events[-2].usage)
    assert counts(whole.tokens)[:2] == counts(streamed.tokens)[:2]


async def test_texts_become_vectors(account: Account, provider: Provider, router: "RouterServiceAsyncStub"):
    request = pb.EmbedRequest(model=provider.embedding_model, inputs=["the first text", "the second one"])
    answer = await router.Embed(request, metadata=bearer(account))
    assert [each.index for each in answer.embeddings] == [0, 1]
    assert [len(each.values) for each in answer.embeddings] == [provider.dimensions] * 2
    record = await record_of(account)
    assert counts(record.tokens) == counts(answer.usage)
    assert record.operation == pb.OPERATION_EMBEDDING


async def test_models_are_listed_with_who_offers_them(
    account: Account, provider: Provider, router: "RouterServiceAsyncStub"
):
    listed = await router.ListModels(pb.ListModelsRequest(), metadata=bearer(account))
    models = {model.id: model for model in listed.models}
    assert [offer.provider_name for offer in models[provider.chat_model].offers] == [provider.name]
    assert list(models) == sorted(models)


async def refused(router: "RouterServiceAsyncStub", account: Account, model: str) -> Failure:
    """How a chat with that model fails, plain; and streamed it must fail alike."""
    chat = pb.ChatRequest(model=model, messages=[HELLO])
    plain = await failure(router.CompleteChat(pb.CompleteChatRequest(chat=chat), metadata=bearer(account)))
    stream = aiter(router.StreamChat(pb.StreamChatRequest(chat=chat), metadata=bearer(account)))
    assert await failure(anext(stream)) == plain
    return plain


async def test_an_unknown_model_is_not_found(account: Account, router: "RouterServiceAsyncStub"):
    failed = await refused(router, account, "nobody has it")
    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_MODEL")
    assert {record.status_code for record in await asyncio.to_thread(account.records, 2)} == {400}


@pytest.mark.usefixtures("fake_provider")
async def test_a_providers_rate_limit_says_when_to_come_back(account: Account, router: "RouterServiceAsyncStub"):
    failed = await refused(router, account, "answers-429")
    assert (failed.code, failed.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "UPSTREAM_STATUS")
    assert failed.retry_after == float(wire.RETRY_AFTER)
    assert failed.message == "the fake provider says 429"
    assert (failed.metadata["http_status"], failed.metadata["code"]) == ("429", "code_429")
    assert {record.status_code for record in await asyncio.to_thread(account.records, 2)} == {429}


@pytest.mark.usefixtures("fake_provider")
async def test_a_stream_that_breaks_off_ends_with_an_error(account: Account, router: "RouterServiceAsyncStub"):
    chat = pb.ChatRequest(model=wire.BREAKING_MODEL, messages=[HELLO])
    heard = ""

    async def listen() -> None:
        nonlocal heard
        async for event in router.StreamChat(pb.StreamChatRequest(chat=chat), metadata=bearer(account)):
            heard += event.delta.text

    failed = await failure(listen())
    assert (failed.code, failed.reason) == (grpc.StatusCode.ABORTED, "STREAM_INTERRUPTED")
    assert heard == "".join(wire.PIECES[:2])
    assert (await record_of(account)).error_reason == "STREAM_INTERRUPTED"


async def test_without_a_key_nothing_is_answered(account: Account, router: "RouterServiceAsyncStub"):
    failed = await failure(router.CompleteChat(pb.CompleteChatRequest()))
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    await asyncio.to_thread(account.records, 0)


async def test_many_streams_share_a_channel(
    account: Account, fake_provider: Provider, fake: FakeProvider, router: "RouterServiceAsyncStub"
):
    all_begun = asyncio.Barrier(CROWD)
    names = [f"gRPC crowd {number}" for number in range(CROWD)]

    def let(count: int) -> None:
        for name in names:
            fake.let(name, count)

    async def one(name: str) -> str:
        events = aiter(router.StreamChat(held(name), metadata=bearer(account)))
        assert (await anext(events)).HasField("started")
        if await all_begun.wait() == 0:
            await asyncio.to_thread(let, 100)
        return "".join([event.delta.text async for event in events])

    let(1)
    assert await asyncio.gather(*map(one, names)) == [fake_provider.answer] * CROWD
    records = await asyncio.to_thread(account.records, CROWD)
    assert {record.outcome for record in records} == {usage_pb2.OUTCOME_ANSWERED}
    assert len({counts(record.tokens) for record in records}) == 1
