"""RouterService.Relay as a service outside of this repository uses it: many calls over one stream of its own."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from llmrouter.v1 import router_pb2 as pb
from llmrouter.v1 import router_pb2_grpc, usage_pb2
from tests.e2e.accounts import Account, tokens_of
from tests.e2e.fake import wire
from tests.e2e.fake.process import FakeProvider
from tests.e2e.providers import Provider

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

MESSAGES = [{"role": "user", "content": "Who are you, and where do you run?"}]


class Client:
    """A client of Relay, no longer than it has to be: it sends frames, and sorts what comes by call."""

    def __init__(self, channel: grpc.aio.Channel, account: Account) -> None:
        stub: Any = router_pb2_grpc.RouterServiceStub(channel)  # its type wants an iterator, which is the other way
        self._call = stub.Relay(metadata=(("authorization", f"Bearer {account.key}"),))
        self._frames: defaultdict[int, asyncio.Queue[pb.RouterFrame]] = defaultdict(asyncio.Queue)
        self._reading = asyncio.ensure_future(self._read())

    async def send(self, *frames: pb.CallerFrame) -> None:
        await self._call.write(pb.RelayRequest(frames=frames))

    async def frame(self, call_id: int) -> pb.RouterFrame:
        """The next frame of a call."""
        return await self._frames[call_id].get()

    async def stream(self, call_id: int) -> tuple[pb.CallHead, bytes, pb.RouterFrame]:
        """A streamed answer to its end: the head, all data, and the frame that ends it."""
        head = (await self.frame(call_id)).head
        data = head.data
        while (frame := await self.frame(call_id)).HasField("data"):
            data += frame.data
        return head, data, frame

    async def end(self) -> None:
        """Ends the stream as a client does that is done; the router must end it too."""
        await self._call.done_writing()
        await self._reading
        assert await self._call.code() == grpc.StatusCode.OK

    async def _read(self) -> None:
        async for batch in self._call:
            for frame in batch.frames:
                self._frames[frame.call_id].put_nowait(frame)


@pytest.fixture
async def client(account: Account) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(account.service.grpc_target) as channel:
        client = Client(channel, account)
        yield client
        await client.end()


def opened(call_id: int, model: str, *, operation: pb.Operation = pb.OPERATION_CHAT_COMPLETION, **fields: Any) -> Any:
    """The frame that begins a call; fields: of the OpenAI body."""
    body = json.dumps({"model": model, "messages": MESSAGES, **fields}).encode()
    return pb.CallerFrame(call_id=call_id, open=pb.CallOpen(operation=operation, body=body))


def events(data: bytes) -> list[str]:
    """The payloads of a body of server-sent events."""
    return [line.removeprefix("data: ") for line in data.decode().split("\n\n") if line]


async def test_calls_of_all_kinds_share_a_stream(account: Account, provider: Provider, client: Client):
    await client.send(
        opened(1, provider.chat_model),
        opened(2, provider.chat_model, stream=True),
        opened(3, provider.embedding_model, operation=pb.OPERATION_EMBEDDING, input="a text"),
        opened(4, provider.chat_model, operation=pb.OPERATION_COMPLETION, prompt="Say it"),
    )
    plain = (await client.frame(1)).answer.head
    assert (plain.status, plain.content_type.partition(";")[0]) == (200, "application/json")
    assert (plain.provider, plain.model) == (provider.name, provider.chat_model)
    said = json.loads(plain.data)
    assert said["choices"][0]["message"]["content"] == provider.answer

    head, data, last = await client.stream(2)
    assert head.content_type.startswith("text/event-stream")
    assert last.HasField("end")
    *chunks, done = events(data)
    assert done == "[DONE]"
    deltas = [choice["delta"] for chunk in chunks for choice in json.loads(chunk)["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == provider.answer

    embedded = json.loads((await client.frame(3)).answer.head.data)
    assert len(embedded["data"][0]["embedding"]) == provider.dimensions
    completed = json.loads((await client.frame(4)).answer.head.data)
    assert completed["choices"][0]["text"] == provider.answer

    records = {(record.operation, record.streamed): record for record in await asyncio.to_thread(account.records, 4)}
    assert len(records) == 4
    usage = said["usage"]
    expected = (usage["prompt_tokens"], usage["completion_tokens"])
    assert tokens_of(records[pb.OPERATION_CHAT_COMPLETION, False])[:2] == expected
    assert tokens_of(records[pb.OPERATION_CHAT_COMPLETION, True])[:2] == expected
    assert {record.surface for record in records.values()} == {"grpc"}
    assert records[pb.OPERATION_CHAT_COMPLETION, False].cost_nanousd == plain.cost_nanousd


@pytest.mark.usefixtures("fake_provider")
async def test_a_cancelled_call_ends_at_the_provider_and_the_others_go_on(
    account: Account, fake: FakeProvider, client: Client
):
    for name in ("relayed and cancelled", "relayed"):
        fake.let(name, 2)
    await client.send(
        opened(1, wire.CHAT_MODEL, stream=True, x_hold="relayed and cancelled"),
        opened(2, wire.CHAT_MODEL, stream=True, x_hold="relayed"),
    )
    for call_id in (1, 2):
        assert (await client.frame(call_id)).HasField("head")
    await client.send(pb.CallerFrame(call_id=1, cancel=pb.CallCancel()))
    await asyncio.to_thread(fake.wait_hung_up, "relayed and cancelled")
    fake.let_all("relayed")
    while not (frame := await client.frame(2)).HasField("end"):
        assert frame.HasField("data")
    records = await asyncio.to_thread(account.records, 2)
    assert [record.outcome for record in records] == [usage_pb2.OUTCOME_HUNG_UP, usage_pb2.OUTCOME_ANSWERED]


async def test_each_call_fails_for_itself(account: Account, provider: Provider, client: Client):
    stranger = opened(2, provider.chat_model)
    stranger.open.authorization = "Bearer sk_00000000_wrongwrongwrongwrongwrong"
    await client.send(opened(1, "nobody has it"), stranger, opened(3, provider.chat_model))
    assert reason_of(await client.frame(1)) == "UNKNOWN_MODEL"
    assert reason_of(await client.frame(2)) == "UNAUTHENTICATED"
    assert (await client.frame(3)).answer.head.status == 200
    records = await asyncio.to_thread(account.records, 2)
    assert {record.status_code for record in records} == {400, 200}


async def test_what_only_the_facade_may_say_is_not_believed(account: Account, provider: Provider, client: Client):
    forged = opened(1, provider.chat_model)
    forged.open.request_id, forged.open.surface = "req_forged", "console"
    forged.open.session = account.service.session
    await client.send(forged)
    assert (await client.frame(1)).answer.head.status == 200
    record = await asyncio.to_thread(account.record)  # the account's own, not the session's
    assert record.surface == "grpc"
    assert record.request_id != "req_forged"


def reason_of(frame: pb.RouterFrame) -> str:
    """Why a call failed."""
    info = error_details_pb2.ErrorInfo()
    status = status_pb2.Status.FromString(frame.failure.status)
    assert any(detail.Unpack(info) for detail in status.details)
    return info.reason
