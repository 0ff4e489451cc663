"""Streams through RouterService: events in order, and one settlement however a stream ends."""

import asyncio
import json
from typing import Any

import grpc
import grpc.aio
import pytest

from core.clock import SystemClock
from llmrouter.v1 import router_pb2 as pb
from tests.support.database import on_sqlite
from tests.support.failures import Failure, failure_of
from tests.support.inference import Inference, InferenceFactory
from tests.support.openai_upstream import (
    MODEL,
    Gate,
    OpenAIUpstream,
    chat,
    error,
    events,
    resplit,
    sse,
    stream,
)

pytestmark = on_sqlite

HELLO = pb.ChatMessage(role=pb.ROLE_USER, text="hello")
STREAM = pb.StreamChatRequest(chat=pb.ChatRequest(model=MODEL, messages=[HELLO]))
STREAM_TEXT = pb.StreamTextRequest(text=pb.TextRequest(model=MODEL, prompts=["once"]))

# How long a test waits for what must happen, in seconds.
PATIENCE = 10


class Listener:
    """A streaming RPC and what it brings."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self._events = aiter(call)

    async def event(self) -> Any:
        """The next event."""
        async with asyncio.timeout(PATIENCE):
            return await anext(self._events)

    async def hears(self, text: str) -> None:
        """Returns when the stream has brought this text, from here on, and no more."""
        heard = ""
        while len(heard) < len(text):
            heard += (await self.event()).delta.text
        assert heard == text

    async def rest(self) -> list[Any]:
        """All further events of a stream that ends well."""
        async with asyncio.timeout(PATIENCE):
            return [event async for event in self._events]

    async def broken(self) -> tuple[list[Any], Failure]:
        """All further events of a stream that fails, and how it fails."""
        found: list[Any] = []
        try:
            while True:
                found.append(await self.event())
        except grpc.aio.AioRpcError as error:
            return found, failure_of(error)
        except StopAsyncIteration:
            pytest.fail("the stream ended well")


def begin(inference: Inference, **options: Any) -> Listener:
    return Listener(inference.router.StreamChat(STREAM, metadata=inference.metadata, **options))


def kinds(found: list[Any]) -> list[str]:
    return [event.WhichOneof("event") for event in found]


def text_of(found: list[Any]) -> str:
    return "".join(event.delta.text for event in found if event.HasField("delta"))


async def test_a_chat_is_streamed(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(stream(["Hel", "lo"]))
    found = await begin(inference).rest()
    assert kinds(found)[0] == "started"
    assert kinds(found)[-2:] == ["usage", "finished"]
    assert set(kinds(found)[1:-2]) == {"delta"}
    assert text_of(found) == "Hello"
    started, usage, finished = found[0].started, found[-2].usage, found[-1].finished
    assert (started.id, started.model) == ("chatcmpl-1", MODEL)
    assert (started.routing.provider, started.routing.model) == ("upstream", MODEL)
    assert (usage.input_tokens, usage.output_tokens, usage.source) == (11, 7, pb.TOKEN_SOURCE_PROVIDER)
    assert (list(finished.finish_reasons), finished.routing.request_id) == (["stop"], started.routing.request_id)
    sent = await openai_upstream.received()
    assert sent.json["stream"] is True
    assert sent.asks_usage
    record = await inference.record()
    assert record.request_id == started.routing.request_id
    assert (record.outcome, record.status_code, record.streamed, record.surface) == ("answered", 200, True, "grpc")
    assert (record.input_tokens, record.output_tokens, record.token_source) == (11, 7, "provider")
    assert record.ttft_us is not None


async def test_events_arrive_as_the_provider_makes_them(inference: Inference, openai_upstream: OpenAIUpstream):
    gate = Gate(passes=2)
    openai_upstream.script(stream(["a", "b"], gate=gate))
    call = begin(inference)
    assert (await call.event()).WhichOneof("event") == "started"
    await call.hears("a")
    gate.let()
    await call.hears("b")
    gate.open()
    assert kinds(await call.rest()) == ["usage", "finished"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
async def test_however_the_network_cuts_a_stream(
    inference: Inference, openai_upstream: OpenAIUpstream, line_end: str, size: int
):
    whole = b"".join(events(["Grü", "ße 🙂"], line_end=line_end, comments=True))
    openai_upstream.script(sse(resplit(whole, size)))
    found = await begin(inference).rest()
    assert text_of(found) == "Grüße 🙂"
    assert kinds(found)[-2:] == ["usage", "finished"]
    assert kinds(found).count("started") == kinds(found).count("usage") == 1


async def test_usage_is_counted_where_the_provider_does_not_report_it(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.script(stream(["one two ", "three"], reports="never"))
    found = await begin(inference).rest()
    usage, record = found[-2].usage, await inference.record()
    assert usage.source == pb.TOKEN_SOURCE_COUNTED
    assert (usage.input_tokens, usage.output_tokens) == (record.input_tokens, record.output_tokens)
    assert usage.output_tokens == 3


async def test_tools_are_streamed_for_each_of_several_answers(inference: Inference, openai_upstream: OpenAIUpstream):
    def chunk(index: int, finish: str | None = None, **delta: Any) -> bytes:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
        return f"data: {json.dumps({'id': 'c1', 'model': 'm', 'choices': [choice]})}\n\n".encode()

    def piece(number: int, arguments: str, **fields: Any) -> dict[str, Any]:
        name = {"name": fields.pop("name")} if "name" in fields else {}
        return {"index": number, "function": {"arguments": arguments, **name}, **fields}

    pieces = [
        chunk(0, role="assistant", tool_calls=[piece(0, "", id="call_1", name="look")]),
        chunk(1, role="assistant", content="no tool"),
        chunk(0, tool_calls=[piece(0, '{"a":')]),
        chunk(0, tool_calls=[piece(0, "1}"), piece(1, "{}", id="call_2", name="find")]),
        chunk(1, "stop"),
        chunk(0, "tool_calls"),
        b"data: [DONE]\n\n",
    ]
    openai_upstream.script(sse(pieces))
    request = pb.StreamChatRequest()
    request.CopyFrom(STREAM)
    request.chat.tools.add(name="look", parameters_json='{"type":"object"}')
    found = await Listener(inference.router.StreamChat(request, metadata=inference.metadata)).rest()
    calls: dict[tuple[int, int], list[str]] = {}
    for event in found:
        if event.HasField("tool_call_delta"):
            delta = event.tool_call_delta
            call = calls.setdefault((delta.index, delta.call_index), ["", "", ""])
            call[0] += delta.id
            call[1] += delta.name
            call[2] += delta.arguments_json
    assert calls == {(0, 0): ["call_1", "look", '{"a":1}'], (0, 1): ["call_2", "find", "{}"]}
    assert [event.delta.index for event in found if event.HasField("delta")] == [1]
    assert list(found[-1].finished.finish_reasons) == ["tool_calls", "stop"]
    sent = await openai_upstream.received()
    assert sent.json["tools"] == [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


async def test_a_provider_that_answers_in_one_piece_is_streamed_all_the_same(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.script(chat("hello there"))
    found = await begin(inference).rest()
    assert kinds(found) == ["started", "delta", "usage", "finished"]
    assert (text_of(found), found[2].usage.output_tokens) == ("hello there", 7)


async def test_a_text_is_streamed(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(stream(["upon ", "a time"]))
    found = await Listener(inference.router.StreamText(STREAM_TEXT, metadata=inference.metadata)).rest()
    assert kinds(found)[0] == "started"
    assert kinds(found)[-2:] == ["usage", "finished"]
    assert text_of(found) == "upon a time"
    sent = await openai_upstream.received()
    assert (sent.path, sent.json["prompt"]) == ("/v1/completions", "once")
    record = await inference.record()
    assert (record.operation, record.request_id) == ("completion", found[0].started.routing.request_id)


async def test_an_error_before_the_first_event_is_the_rpcs_status(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.always(error(400, "too many messages"))
    found, failed = await begin(inference).broken()
    assert (found, failed.code, failed.message) == ([], grpc.StatusCode.INVALID_ARGUMENT, "too many messages")
    assert failed.metadata["http_status"] == "400"


async def test_a_violation_is_the_rpcs_status(inference: Inference):
    found, failed = await Listener(
        inference.router.StreamText(pb.StreamTextRequest(), metadata=inference.metadata)
    ).broken()
    assert (found, failed.reason, failed.field) == ([], "MODEL_REQUIRED", "text.model")


async def test_a_stream_that_breaks_off_is_no_success(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(stream(["one ", "two ", "three"], cut_after=3))
    found, failed = await begin(inference).broken()
    assert (failed.code, failed.reason) == (grpc.StatusCode.ABORTED, "STREAM_INTERRUPTED")
    assert text_of(found) == "one two "
    assert kinds(found).count("finished") == kinds(found).count("usage") == 0
    record = await inference.record()
    assert (record.outcome, record.status_code, record.error_reason) == ("failed", 502, "STREAM_INTERRUPTED")
    assert (record.token_source, record.output_tokens) == ("counted", 2)


async def test_a_stream_that_ends_early_with_good_manners_is_no_success_either(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.script(sse(events(["one"], finish=None, done=False)))
    _, failed = await begin(inference).broken()
    assert failed.reason == "STREAM_INTERRUPTED"


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n"])
async def test_an_error_event_is_the_providers_failure(
    inference: Inference, openai_upstream: OpenAIUpstream, tail: bytes
):
    gate = Gate(passes=2)
    wrong = b'data: {"error":{"message":"out of memory","type":"server_error","code":500}}\n\n'
    openai_upstream.script(sse([*events(["one"], finish=None, done=False), wrong, tail], gate=gate))
    call = begin(inference)
    await call.hears("one")
    gate.let(1)
    _, failed = await call.broken()
    assert (failed.reason, failed.message) == ("UPSTREAM_STATUS", "out of memory")
    assert failed.metadata == {"http_status": "500", "type": "server_error", "code": "500"}
    record = await inference.record()
    assert (record.outcome, record.status_code, record.error_reason) == ("failed", 500, "UPSTREAM_STATUS")
    assert record.output_tokens == 1


async def test_an_event_that_is_no_json_is_the_providers_failure(inference: Inference, openai_upstream: OpenAIUpstream):
    gate = Gate(passes=1)
    openai_upstream.script(sse([events(["one"])[1], b"data: {nonsense}\n\n"], gate=gate))
    call = begin(inference)
    assert (await call.event()).WhichOneof("event") == "started"
    gate.open()
    _, failed = await call.broken()
    assert failed.reason == "PROVIDER_ERROR"
    record = await inference.record()
    assert (record.outcome, record.error_reason) == ("failed", "PROVIDER_ERROR")


async def test_an_event_that_is_nested_too_deeply_is_the_providers_failure(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.script(sse([b'data: {"error":' + b"[" * 100_000 + b"\n\n"]))
    _, failed = await begin(inference).broken()
    assert failed.reason == "PROVIDER_ERROR"
    assert (await inference.record()).error_reason == "PROVIDER_ERROR"


async def test_who_cancels_between_two_events_ends_the_providers_work(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.script(stream(["one ", "two ", "three"], gate=Gate(passes=3)))
    call = begin(inference)
    sent = await openai_upstream.received()
    await call.hears("one two ")
    call.call.cancel()
    await asyncio.wait_for(sent.hung_up.wait(), PATIENCE)
    record = await inference.record()
    assert (record.outcome, record.status_code, record.error_reason) == ("hung_up", 499, "CANCELLED")
    assert (record.output_tokens, record.token_source) == (2, "counted")
    assert len(inference.active) == 0


async def test_who_reads_nothing_and_cancels_is_accounted_for(inference: Inference, openai_upstream: OpenAIUpstream):
    # More than the connection buffers hold, so that the router waits for its caller when the cancel comes.
    openai_upstream.script(stream(["x" * 10_000] * 1000))
    call = begin(inference)
    sent = await openai_upstream.received()
    assert (await call.event()).WhichOneof("event") == "started"
    call.call.cancel()
    await asyncio.wait_for(sent.hung_up.wait(), PATIENCE)
    record = await inference.record()
    assert (record.outcome, record.status_code) == ("hung_up", 499)
    assert len(inference.active) == 0


async def test_the_callers_deadline_holds_for_the_whole_stream(
    inference_factory: InferenceFactory, openai_upstream: OpenAIUpstream
):
    openai_upstream.script(stream(["one"], gate=Gate(passes=2)))
    async with inference_factory(clock=SystemClock()) as inference:
        found, failed = await begin(inference, timeout=1.0).broken()
        assert failed.code == grpc.StatusCode.DEADLINE_EXCEEDED
        assert text_of(found) == "one"
        sent = await openai_upstream.received()
        await asyncio.wait_for(sent.hung_up.wait(), PATIENCE)
        record = await inference.record()
        assert (record.outcome, record.status_code, record.error_reason) == ("failed", 504, "DEADLINE_EXCEEDED")


async def test_without_a_deadline_a_stream_may_take_as_long_as_it_likes(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    gate = Gate(passes=2)
    openai_upstream.script(stream(["one"], gate=gate))
    call = begin(inference)
    assert (await call.event()).WhichOneof("event") == "started"
    inference.core.clock.advance(24 * 3600)
    inference.active.sweep()
    gate.open()
    assert kinds(await call.rest())[-1] == "finished"


async def test_a_stream_can_be_cancelled_from_outside(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(stream(["one"], gate=Gate(passes=2)))
    call = begin(inference)
    request_id = (await call.event()).started.routing.request_id
    assert inference.active.cancel(request_id)
    _, failed = await call.broken()
    assert (failed.code, failed.reason) == (grpc.StatusCode.CANCELLED, "CANCELLED")
    record = await inference.record()
    assert (record.outcome, record.error_reason) == ("cancelled", "CANCELLED")


async def test_the_built_in_echo_streams_too(inference: Inference):
    chat_request = pb.ChatRequest(model="echo", messages=[HELLO])
    found = await Listener(
        inference.router.StreamChat(pb.StreamChatRequest(chat=chat_request), metadata=inference.metadata)
    ).rest()
    assert text_of(found) == "hello"
    text_request = pb.TextRequest(model="echo", prompts=["a b c"])
    found = await Listener(
        inference.router.StreamText(pb.StreamTextRequest(text=text_request), metadata=inference.metadata)
    ).rest()
    assert text_of(found) == "a b c"
    assert found[-1].finished.routing.HasField("cost_nanousd")
