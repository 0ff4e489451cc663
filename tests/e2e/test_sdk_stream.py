"""Streamed chat completions through OpenAI's own client."""

import asyncio
import json
from collections.abc import Iterable

import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from llmrouter.v1 import usage_pb2
from tests.e2e.accounts import Account, tokens_in, tokens_of
from tests.e2e.fake.process import FakeProvider
from tests.e2e.providers import Provider
from tests.e2e.test_sdk_chat import MESSAGES, WEATHER

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

CROWD = 50


def texts(chunks: Iterable[ChatCompletionChunk]) -> list[str]:
    """What the chunks say, where they say something."""
    return [said for chunk in chunks for choice in chunk.choices if (said := choice.delta.content)]


def test_a_stream_brings_each_token_in_a_chunk_of_its_own(account: Account, provider: Provider, mount: str):
    client = account.client(mount)
    with client.chat.completions.create(model=provider.chat_model, messages=MESSAGES, stream=True) as stream:
        chunks = list(stream)
    assert texts(chunks) == list(provider.pieces)
    assert [choice.finish_reason for choice in chunks[-1].choices] == ["stop"]
    assert not any(chunk.usage for chunk in chunks), "nobody asked for the usage"

    plain = client.chat.completions.create(model=provider.chat_model, messages=MESSAGES)
    streamed, whole = account.records(2)
    assert tokens_of(streamed)[:2] == tokens_of(whole)[:2] == tokens_in(plain.usage)[:2]
    assert (streamed.streamed, whole.streamed) == (True, False)
    assert 0 < streamed.ttft_ms <= streamed.latency_ms


def test_the_usage_comes_last_where_it_is_asked_for(account: Account, provider: Provider, mount: str):
    stream = account.client(mount).chat.completions.create(
        model=provider.chat_model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = stream
    assert texts(chunks) == list(provider.pieces)
    assert not any(chunk.usage for chunk in chunks)
    assert last.choices == []
    assert tokens_of(account.record()) == tokens_in(last.usage)


def test_chunks_arrive_as_they_are_made(account: Account, fake_provider: Provider, fake: FakeProvider, mount: str):
    name = f"one by one at {mount}"
    fake.let(name)  # the first event; the head of the answer waits for it
    stream = account.client(mount).chat.completions.create(
        model=fake_provider.chat_model, messages=MESSAGES, stream=True, extra_body={"x_hold": name}
    )
    assert next(stream).choices[0].delta.role == "assistant"
    for piece in fake_provider.pieces:
        fake.let(name)
        assert next(stream).choices[0].delta.content == piece
    fake.let_all(name)
    assert [choice.finish_reason for chunk in stream for choice in chunk.choices] == ["stop"]
    assert fake.arrived(name)["stream_options"] == {"include_usage": True}, "the router asks for its own accounts"
    assert account.record().outcome == usage_pb2.OUTCOME_ANSWERED


async def test_the_asynchronous_client_has_chunks_as_they_are_made(
    account: Account, fake_provider: Provider, fake: FakeProvider
):
    fake.let("one by one", 2)
    async with account.async_client() as client:
        stream = await client.chat.completions.create(
            model=fake_provider.chat_model, messages=MESSAGES, stream=True, extra_body={"x_hold": "one by one"}
        )
        await anext(stream)
        assert (await anext(stream)).choices[0].delta.content == fake_provider.pieces[0]
        fake.let_all("one by one")
        assert texts([chunk async for chunk in stream]) == list(fake_provider.pieces[1:])
    assert account.record().outcome == usage_pb2.OUTCOME_ANSWERED


def test_a_tool_call_is_streamed(account: Account, provider: Provider, mount: str):
    stream = account.client(mount).chat.completions.create(
        model=provider.chat_model,
        messages=MESSAGES,
        tools=[WEATHER],
        tool_choice="required",
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = stream
    pieces = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    names = [call.function.name for call in pieces if call.function and call.function.name]
    arguments = [call.function.arguments or "" for call in pieces if call.function]
    assert names == ["weather"]
    assert len(arguments) > 1, "the arguments come in pieces"
    assert json.loads("".join(arguments)) == {"city": provider.sample}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert tokens_of(account.record()) == tokens_in(last.usage)


def test_the_clients_own_helper_puts_a_stream_together(account: Account, provider: Provider):
    asked = account.client().chat.completions.stream(
        model=provider.chat_model, messages=MESSAGES, stream_options={"include_usage": True}
    )
    with asked as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        completion = stream.get_final_completion()
    assert [delta for delta in deltas if delta] == list(provider.pieces)
    assert completion.choices[0].message.content == provider.answer
    assert tokens_of(account.record()) == tokens_in(completion.usage)


def test_a_stream_tells_where_it_comes_from_before_it_ends(account: Account, provider: Provider):
    raw = account.client().chat.completions.with_raw_response.create(
        model=provider.chat_model, messages=MESSAGES, stream=True
    )
    headers = raw.headers
    assert texts(raw.parse()) == list(provider.pieces)
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["x-request-id"] == account.record().request_id
    assert headers["x-llmrouter-provider"] == provider.name
    assert "x-llmrouter-cost-usd" not in headers, "what a stream costs is not known at its beginning"


def test_closing_a_stream_ends_it_at_the_provider(account: Account, fake_provider: Provider, fake: FakeProvider):
    fake.let("closed", 3)
    stream = account.client().chat.completions.create(
        model=fake_provider.chat_model, messages=MESSAGES, stream=True, extra_body={"x_hold": "closed"}
    )
    seen = [next(stream) for _ in range(3)]
    stream.close()
    fake.wait_hung_up("closed")
    record = account.record()
    assert (record.outcome, record.status_code) == (usage_pb2.OUTCOME_HUNG_UP, 499)
    assert record.provider == "fake"
    assert texts(seen) == list(fake_provider.pieces[:2])
    assert record.tokens.output_tokens > 0, "what was said before is accounted for"
    assert record.tokens.input_tokens > 0


async def test_cancelling_a_task_ends_its_request_at_the_provider(
    account: Account, fake_provider: Provider, fake: FakeProvider
):
    async with account.async_client() as client:
        asked = client.chat.completions.create(model="silent", messages=MESSAGES, extra_body={"x_hold": "cancelled"})
        task = asyncio.ensure_future(asked)
        await asyncio.to_thread(fake.arrived, "cancelled")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(fake.wait_hung_up, "cancelled")
    record = await asyncio.to_thread(account.record)
    assert (record.outcome, record.status_code) == (usage_pb2.OUTCOME_HUNG_UP, 499)


@pytest.mark.real
def test_a_real_model_stops_when_its_stream_is_closed(account: Account, real_provider: Provider):
    most = 4000
    stream = account.client().chat.completions.create(
        model=real_provider.chat_model,
        messages=MESSAGES,
        stream=True,
        max_tokens=most,
        extra_body={"ignore_eos": True},
    )
    seen = [next(stream) for _ in range(5)]  # so these came before the answer was complete
    stream.close()
    assert texts(seen)[0] == real_provider.pieces[0]
    record = account.record()
    assert record.outcome == usage_pb2.OUTCOME_HUNG_UP
    assert 0 < record.tokens.output_tokens < most


async def test_many_streams_run_at_once_and_none_is_lost_or_mixed_up(
    account: Account, fake_provider: Provider, fake: FakeProvider
):
    all_begun = asyncio.Barrier(CROWD)
    names = [f"crowd {number}" for number in range(CROWD)]
    for name in names:
        fake.let(name)

    def let_all() -> None:
        for name in names:
            fake.let_all(name)

    async with account.async_client() as client:

        async def one(number: int) -> list[str]:
            stream = await client.chat.completions.create(
                model=fake_provider.chat_model,
                messages=MESSAGES,
                stream=True,
                extra_body={"x_hold": names[number]},
            )
            first = await anext(stream)
            if await all_begun.wait() == 0:
                await asyncio.to_thread(let_all)
            chunks = [first, *[chunk async for chunk in stream]]
            assert all((chunk.model_extra or {})["x_received"] == {"x_hold": names[number]} for chunk in chunks)
            return texts(chunks)

        answers = await asyncio.gather(*map(one, range(CROWD)))
    assert answers == [list(fake_provider.pieces)] * CROWD
    records = await asyncio.to_thread(account.records, CROWD)
    assert {record.outcome for record in records} == {usage_pb2.OUTCOME_ANSWERED}
    assert len({tokens_of(record) for record in records}) == 1
    assert len({record.request_id for record in records}) == CROWD


@pytest.mark.real
async def test_a_real_model_answers_a_crowd(account: Account, real_provider: Provider):
    async with account.async_client() as client:

        async def one(number: int) -> list[str]:
            messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": f"Who is number {number:02}?"}]
            stream = await client.chat.completions.create(
                model=real_provider.chat_model, messages=messages, stream=True
            )
            return texts([chunk async for chunk in stream])

        answers = await asyncio.gather(*map(one, range(CROWD)))
    assert answers == [list(real_provider.pieces)] * CROWD
    records = await asyncio.to_thread(account.records, CROWD)
    assert {record.outcome for record in records} == {usage_pb2.OUTCOME_ANSWERED}
    assert len({tokens_of(record)[:2] for record in records}) == 1
