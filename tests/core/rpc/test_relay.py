"""RouterService.Relay, frame by frame: windows, cancels, broken streams, and callers who are not to be trusted."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from core.rpc import outbox, relay
from core.rpc.relay import WINDOW
from llmrouter.v1 import router_pb2 as pb
from tests.support.core import Metadata
from tests.support.database import on_sqlite
from tests.support.inference import Inference
from tests.support.openai_upstream import MODEL, PATIENCE, Gate, OpenAIUpstream, chat, silent, sse, stream
from tests.support.router import until

pytestmark = on_sqlite


class Client:
    """One relay stream, from its caller's side."""

    def __init__(self, inference: Inference, metadata: Metadata) -> None:
        router: Any = inference.router  # the stubs want an iterator, which is the other style
        self.rpc: Any = router.Relay(metadata=metadata)
        self.frames: dict[int, list[pb.RouterFrame]] = defaultdict(list)
        self._came = asyncio.Event()
        self.reading = asyncio.create_task(self._read())

    async def send(self, *frames: pb.CallerFrame) -> None:
        await self.rpc.write(pb.RelayRequest(frames=frames))

    async def frame(self, call_id: int, number: int = 0) -> pb.RouterFrame:
        """The frame of a call at that place, as soon as it has come."""
        async with asyncio.timeout(PATIENCE):
            while len(self.frames[call_id]) <= number:
                self._came.clear()
                await self._came.wait()
        return self.frames[call_id][number]

    async def last(self, call_id: int) -> pb.RouterFrame:
        """The frame that ends a call."""
        number = 0
        while (frame := await self.frame(call_id, number)).WhichOneof("frame") in ("head", "data"):
            number += 1
        return frame

    async def reason(self, call_id: int) -> str:
        """Why a call failed."""
        status, info = status_pb2.Status(), error_details_pb2.ErrorInfo()
        status.ParseFromString((await self.last(call_id)).failure.status)
        for detail in status.details:
            detail.Unpack(info)
        return info.reason

    def received(self, call_id: int) -> int:
        """How many bytes of a stream have come."""
        return sum(len(frame.head.data) + len(frame.data) for frame in self.frames[call_id])

    async def _read(self) -> None:
        try:
            async for batch in self.rpc:
                for frame in batch.frames:
                    self.frames[frame.call_id].append(frame)
                self._came.set()
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            pass


@asynccontextmanager
async def connect(inference: Inference, *, metadata: Metadata | None = None) -> AsyncGenerator[Client]:
    """A relay stream of the person's own, or of the facade's."""
    client = Client(inference, inference.metadata if metadata is None else metadata)
    try:
        yield client
    finally:
        client.rpc.cancel()
        await client.reading
        await until(lambda: not len(inference.active))


def opened(call_id: int, body: Any = None, **fields: Any) -> pb.CallerFrame:
    """The frame that begins a call. fields: of CallOpen."""
    data = json.dumps({"model": MODEL, "messages": []} | (body or {})).encode()
    fields = {"operation": pb.OPERATION_CHAT_COMPLETION, "body": data, **fields}
    return pb.CallerFrame(call_id=call_id, open=pb.CallOpen(**fields))


def cancelled(call_id: int) -> pb.CallerFrame:
    return pb.CallerFrame(call_id=call_id, cancel=pb.CallCancel())


# Callers who are not to be trusted


async def test_a_client_of_its_own_can_not_pose_as_the_facade(inference: Inference):
    async with connect(inference) as client:
        await client.send(opened(1, request_id="chosen", surface="console"))
        assert (await client.last(1)).HasField("answer")
        abandoned = pb.CallAbandoned(open=pb.CallOpen(request_id="made up"), opened_at_ms=1, model="m")
        await client.send(pb.CallerFrame(call_id=2, abandoned=abandoned), opened(3))
        await client.last(3)
    records = await inference.records()
    assert len(records) == 2
    assert {record.surface for record in records} == {"grpc"}
    assert not {record.request_id for record in records} & {"chosen", "made up"}
    assert len({record.request_id for record in records}) == 2


async def test_a_session_cookie_counts_from_the_facade_alone(inference: Inference):
    other = await inference.core.user("other")
    async with connect(inference) as client:
        await client.send(opened(1, session=other.token))
        assert (await client.last(1)).HasField("answer")
    async with connect(inference, metadata=inference.core.as_facade) as client:
        await client.send(opened(1, session=other.token, request_id="req_2", surface="console"))
        assert (await client.last(1)).HasField("answer")
    first, second = await inference.records()
    assert (first.user_id, second.user_id) == (inference.person.id, other.id)
    assert (second.request_id, second.surface) == ("req_2", "console")


async def test_a_call_may_bring_its_own_credential(inference: Inference):
    other = await inference.core.user("other")
    key, key_id = await inference.core.credential(other.id)
    reader, _ = await inference.core.credential(other.id, scopes="read")
    async with connect(inference) as client:
        await client.send(opened(1, api_key=key), opened(2, api_key="sk_wrong"), opened(3, api_key=reader))
        assert (await client.last(1)).HasField("answer")
        assert await client.reason(2) == "UNAUTHENTICATED"
        assert await client.reason(3) == "FORBIDDEN"
    record = await inference.record()
    assert (record.user_id, record.credential_id) == (other.id, key_id)


async def test_who_has_no_credential_opens_no_stream(inference: Inference):
    client = Client(inference, ())
    await client.reading
    assert await client.rpc.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_frames_for_calls_that_are_not_there_do_nothing(inference: Inference):
    async with connect(inference) as client:
        await client.send(cancelled(7), pb.CallerFrame(call_id=8, credit=2**32 - 1), pb.CallerFrame(call_id=9))
        await client.send(opened(7))
        assert (await client.last(7)).HasField("answer")


async def test_an_unknown_operation(inference: Inference):
    async with connect(inference) as client:
        await client.send(opened(1, operation=pb.OPERATION_UNSPECIFIED))
        assert await client.reason(1) == "INVALID_ARGUMENT"
    record = await inference.record()
    assert (record.error_reason, record.requested_model, record.operation) == ("INVALID_ARGUMENT", MODEL, "")


async def test_a_call_id_that_is_in_use(inference: Inference, openai_upstream: OpenAIUpstream):
    gate = Gate()
    openai_upstream.always(stream(gate=gate))
    async with connect(inference) as client:
        await client.send(opened(1))
        await openai_upstream.received()
        await client.send(opened(1))
        assert await client.reason(1) == "INVALID_ARGUMENT"
        gate.open()
        assert (await client.frame(1, 1)).HasField("answer")
        await client.send(opened(1))  # now it is free
        assert (await client.frame(1, 2)).HasField("answer")
    assert [record.outcome for record in await inference.records()] == ["answered", "answered"]


async def test_too_many_calls_at_once(
    inference: Inference, openai_upstream: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(relay, "_MAX_CALLS", 2)
    openai_upstream.always(silent())
    async with connect(inference) as client:
        await client.send(opened(1), opened(2), opened(3))
        assert await client.reason(3) == "UNAVAILABLE"
        await until(lambda: len(inference.active) == 2)
    records = await inference.records()
    assert sorted(record.outcome for record in records) == ["failed", "hung_up", "hung_up"]


async def test_a_message_beyond_the_limit_ends_the_stream_and_nothing_else(inference: Inference):
    async with connect(inference) as client, connect(inference) as other:
        await client.send(opened(1, body={"x": "x" * (34 * 1024 * 1024)}))
        await client.reading
        assert await client.rpc.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await other.send(opened(1))
        assert (await other.last(1)).HasField("answer")
    await inference.record()


# Windows


# More than sockets take before they hold up who writes.
BEYOND_ALL_BUFFERS = 64 * 1024 * 1024


def much(size: int) -> list[bytes]:
    """A stream of so many bytes, in events of 8 kB."""
    event = b'data: {"choices":[{"delta":{"content":"' + b"x" * 8100 + b'"}}]}\n\n'
    return [event] * (size // len(event)) + [b"data: [DONE]\n\n"]


async def test_a_caller_gets_no_more_than_it_has_room_for(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(sse(much(BEYOND_ALL_BUFFERS)), chat())
    async with connect(inference) as client:
        await client.send(opened(1, {"stream": True}))
        received = await openai_upstream.received()
        await until(lambda: client.received(1) >= WINDOW)
        await client.send(opened(2))  # whose answer comes after all that was on its way
        await client.last(2)
        held = client.received(1)
        assert WINDOW <= held < 2 * WINDOW
        await client.send(pb.CallerFrame(call_id=1, credit=WINDOW))
        await until(lambda: client.received(1) > held)
        assert not received.answered.is_set()  # the provider is held up too
    assert [record.outcome for record in await inference.records()] == ["answered", "hung_up"]


async def test_a_caller_who_says_what_it_has_consumed_gets_everything(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    pieces = much(8 * WINDOW)
    openai_upstream.always(sse(pieces))
    async with connect(inference) as client:
        await client.send(opened(1, {"stream": True}))
        await until(lambda: client.received(1) >= WINDOW)
        while (last := client.frames[1][-1]).HasField("data") or last.HasField("head"):
            before = client.received(1)
            await client.send(pb.CallerFrame(call_id=1, credit=64 * 1024))
            await until(lambda before=before: client.received(1) > before or client.frames[1][-1].HasField("end"))
    assert client.received(1) == sum(map(len, pieces))
    assert (await inference.record()).outcome == "answered"


async def test_credit_beyond_what_was_received_opens_no_larger_window(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.script(sse(much(BEYOND_ALL_BUFFERS)), chat())
    async with connect(inference) as client:
        await client.send(opened(1, {"stream": True}), pb.CallerFrame(call_id=1, credit=2**32 - 1))
        await until(lambda: client.received(1) >= WINDOW)
        await client.send(pb.CallerFrame(call_id=1, credit=2**32 - 1), opened(2))
        await client.last(2)
        assert client.received(1) < 4 * WINDOW


async def test_a_caller_who_never_reads_is_given_up(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.always(sse(much(BEYOND_ALL_BUFFERS)))
    async with connect(inference) as client:
        await client.send(opened(1, {"stream": True}))
        await until(lambda: client.received(1) >= WINDOW)
        inference.active.sweep()
        inference.core.clock.advance(601)
        inference.active.sweep()
        assert await client.reason(1) == "DEADLINE_EXCEEDED"
    record = await inference.record()
    assert (record.outcome, record.status_code, record.token_source) == ("failed", 504, "counted")
    await until(lambda: openai_upstream.hang_ups == 1)


# Ends


async def test_a_call_that_is_cancelled_with_its_opening_has_its_record(inference: Inference):
    async with connect(inference) as client:
        await client.send(opened(1), cancelled(1), opened(2))
        await client.last(2)
    records = {record.outcome: record for record in await inference.records()}
    assert set(records) == {"hung_up", "answered"}
    assert client.frames[1] == []


async def test_a_call_that_is_cancelled_while_its_key_is_looked_up_has_its_record(inference: Inference):
    key, key_id = await inference.core.credential(inference.person.id)
    async with connect(inference) as client:
        await client.send(opened(1, api_key=key), cancelled(1))
        await client.send(opened(2))
        await client.last(2)
    while len(records := await inference.records()) < 2:
        await asyncio.sleep(0.01)
    (record,) = [record for record in records if record.outcome == "hung_up"]
    assert (record.credential_id, record.requested_model, record.status_code) == (key_id, MODEL, 499)


async def test_a_cancel_ends_that_call_alone(inference: Inference, openai_upstream: OpenAIUpstream):
    gate = Gate(2)
    openai_upstream.script(stream(["a", "b"], gate=gate), silent())
    async with connect(inference) as client:
        await client.send(opened(1, {"stream": True}))
        await client.frame(1)
        await openai_upstream.received()
        await client.send(opened(2))
        received = await openai_upstream.received()
        await client.send(cancelled(2))
        async with asyncio.timeout(PATIENCE):
            await received.hung_up.wait()
        gate.open()
        assert (await client.last(1)).HasField("end")
        assert client.frames[2] == []
    assert [record.outcome for record in await inference.records()] == ["hung_up", "answered"]


async def test_a_caller_who_will_open_no_more_calls_has_all_its_answers(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    gate = Gate()
    openai_upstream.script(chat("x" * 3_000_000), stream(["a", "b"], gate=gate))
    async with connect(inference) as client:
        await client.send(opened(1))
        await openai_upstream.received()
        await client.send(opened(2, {"stream": True}))
        await openai_upstream.received()
        await client.rpc.done_writing()
        gate.open()
        await client.reading
        assert await client.rpc.code() is grpc.StatusCode.OK
        assert len((await client.last(1)).answer.head.data) > 3_000_000
        assert (await client.last(2)).HasField("end")
    assert [record.outcome for record in await inference.records()] == ["answered", "answered"]


async def test_a_stream_that_breaks_hangs_up_its_calls(inference: Inference, openai_upstream: OpenAIUpstream):
    gate = Gate(2)
    openai_upstream.script(silent(), stream(["a", "b"], gate=gate))
    async with connect(inference) as client:
        await client.send(opened(1))
        await openai_upstream.received()
        await client.send(opened(2, {"stream": True}))
        await client.frame(2)
        client.rpc.cancel()
        await until(lambda: openai_upstream.hang_ups == 2)
    records = await inference.records()
    assert {record.outcome for record in records} == {"hung_up"}
    assert sorted(record.token_source for record in records) == ["counted", "estimated"]


async def test_a_stream_that_can_not_be_written_ends(inference: Inference, monkeypatch: pytest.MonkeyPatch):
    async def fail(self: object) -> None:
        raise RuntimeError("cannot serialise")

    async with connect(inference) as client:
        await client.send(opened(1))
        await client.last(1)
    monkeypatch.setattr(outbox.GrpcOutbox, "write_all", fail)
    async with connect(inference) as client:
        assert await asyncio.wait_for(client.rpc.code(), PATIENCE) is grpc.StatusCode.UNAVAILABLE


async def test_a_head_that_can_not_be_sent_leaves_no_stream_behind(
    inference: Inference, openai_upstream: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

    openai_upstream.script(stream(gate=Gate(2)))
    monkeypatch.setattr(relay, "_fill", fail)
    async with connect(inference) as client:
        await client.send(opened(1, {"stream": True}))
        await until(lambda: openai_upstream.hang_ups == 1)
        await until(lambda: not len(inference.active))
    record = await inference.record()
    assert (record.outcome, record.error_reason) == ("failed", "INTERNAL")


# What the facade lost sight of


def abandoned(call_id: int, request_id: str, **fields: Any) -> pb.CallerFrame:
    opening = pb.CallOpen(operation=pb.OPERATION_CHAT_COMPLETION, request_id=request_id, surface="openai", **fields)
    return pb.CallerFrame(
        call_id=call_id, abandoned=pb.CallAbandoned(open=opening, opened_at_ms=1_764_000_000_123, model="m")
    )


async def test_an_abandoned_call_has_one_record(inference: Inference):
    token = inference.person.token
    async with connect(inference, metadata=inference.core.as_facade) as client:
        await client.send(opened(1, request_id="answered", api_key=token))
        await client.last(1)
        await client.send(
            abandoned(2, "answered", api_key=token),
            abandoned(3, "unseen", api_key=token),
            abandoned(4, "unseen", api_key=token),
            abandoned(5, "nobody's", api_key="sk_wrong"),
            opened(6, request_id="last", api_key=token),
        )
        await client.last(6)
    records = {record.request_id: record for record in await inference.records()}
    assert set(records) == {"answered", "unseen", "nobody's", "last"}
    assert records["nobody's"].user_id == 0
    assert records["answered"].outcome == "answered"
    unseen = records["unseen"]
    assert (unseen.outcome, unseen.status_code, unseen.requested_model) == ("lost", 503, "m")
    assert unseen.created_at.timestamp() == pytest.approx(1_764_000_000.123)


async def test_a_call_that_still_runs_is_not_abandoned(inference: Inference, openai_upstream: OpenAIUpstream):
    gate = Gate()
    openai_upstream.always(stream(gate=gate))
    token = inference.person.token
    async with connect(inference, metadata=inference.core.as_facade) as client:
        await client.send(opened(1, request_id="running", api_key=token))
        await openai_upstream.received()
        await client.send(abandoned(2, "running", api_key=token), opened(3, request_id="other", api_key=token))
        await openai_upstream.received()
        gate.open()
        assert (await client.last(1)).HasField("answer")
        await client.last(3)
    assert {record.outcome for record in await inference.records()} == {"answered"}
