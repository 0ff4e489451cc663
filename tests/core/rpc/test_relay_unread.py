"""A relay stream whose caller never reads: what waits for it has a bound, and its calls end with it."""

import asyncio
from typing import Any

import pytest

from core.rpc import outbox
from core.rpc.outbox import GrpcOutbox
from llmrouter.v1 import router_pb2 as pb
from tests.core.rpc.test_relay import opened
from tests.support.database import on_sqlite
from tests.support.inference import Inference
from tests.support.openai_upstream import OpenAIUpstream, chat
from tests.support.router import until

pytestmark = on_sqlite

ANSWER = 64 * 1024
BOUND = 256 * 1024
MANY = 400  # far more answers than all buffers on the way hold


async def test_what_waits_for_a_caller_who_never_reads_has_a_bound(
    inference: Inference, openai_upstream: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "MAX_WAITING_BYTES", BOUND)
    most = 0
    count = GrpcOutbox.count

    def watched(box: GrpcOutbox, size: int) -> None:
        nonlocal most
        count(box, size)
        most = max(most, box._waiting)  # pyright: ignore[reportPrivateUsage] - what the bound is about

    monkeypatch.setattr(GrpcOutbox, "count", watched)
    openai_upstream.always(chat("x" * ANSWER))
    router: Any = inference.router  # the stubs want an iterator, which is the other style
    rpc: Any = router.Relay(metadata=inference.metadata)

    async def send() -> None:
        """One call after the other: the next is opened when the one before has been answered."""
        for number in range(1, MANY):
            await rpc.write(pb.RelayRequest(frames=[opened(number)]))
            await until(lambda number=number: len(openai_upstream.requests) >= number and not len(inference.active))

    sending = asyncio.create_task(send())
    await until(lambda: most > BOUND)
    with pytest.raises(TimeoutError):  # no more calls are read, let alone asked of a provider
        await asyncio.wait_for(asyncio.shield(sending), 0.2)
    answered = len(openai_upstream.requests)
    assert answered < MANY - 1
    assert most < BOUND + 2 * ANSWER
    sending.cancel()
    rpc.cancel()
    await until(lambda: not len(inference.active))
    records = await inference.records()
    assert len(records) == answered
    assert {record.outcome for record in records} == {"answered"}
