"""Requests that are ended from outside at every point of their way: each has one record, and nothing is left of it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from core.auth import ALL_SCOPES, NOBODY, Principal
from core.clock import SystemClock
from core.dialects.openai import chat as openai_chat
from core.errors import Cancelled, DeadlineExceeded, ProviderTimeout, RouterError
from core.routing.active import ActiveCalls, Call
from core.routing.reply import Ask
from core.routing.stream import Streamed
from tests.support.clock import FakeClock
from tests.support.database import on_sqlite
from tests.support.inference import Inference
from tests.support.openai_upstream import MODEL, Gate, OpenAIUpstream, stream
from tests.support.router import until

STEPS = 40


def ask(name: str, *, streamed: bool) -> Ask:
    body = f'{{"model": "{MODEL}", "messages": [], "stream": {str(streamed).lower()}}}'
    principal = Principal(1, "user", 2, "api_key", frozenset(ALL_SCOPES.split()), None)
    return Ask(name, openai_chat.CHAT, "openai", principal, body.encode())


async def consume(inference: Inference, one: Ask) -> str:
    """Runs a request to its end; how that was."""
    try:
        reply = await inference.core.deps.pipeline.run(one)
        if isinstance(reply, Streamed):
            async for _ in reply.blocks():
                pass
    except RouterError as error:
        return error.reason
    return "ANSWERED"


Ending = Callable[["asyncio.Task[str]", Call | None], None]


def cancel(task: "asyncio.Task[str]", call: Call | None) -> None:
    task.cancel()


def stop(task: "asyncio.Task[str]", call: Call | None) -> None:
    if call is not None:
        call.stop(Cancelled())


def time_out(task: "asyncio.Task[str]", call: Call | None) -> None:
    if call is not None:
        call.stop(ProviderTimeout())


def time_out_and_cancel(task: "asyncio.Task[str]", call: Call | None) -> None:
    time_out(task, call)
    task.cancel()


def cancel_and_time_out(task: "asyncio.Task[str]", call: Call | None) -> None:
    task.cancel()
    time_out(task, call)


@on_sqlite
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("end", [cancel, stop, time_out, time_out_and_cancel, cancel_and_time_out])
async def test_a_request_that_is_ended_anywhere_has_one_record(
    inference: Inference, openai_upstream: OpenAIUpstream, streamed: bool, end: Ending
):
    openai_upstream.always(stream(["a", "b"]))
    begun: list[str] = []
    for steps in range(1, STEPS):
        name = f"req_{steps}"
        task = asyncio.create_task(consume(inference, ask(name, streamed=streamed)))
        for _ in range(steps):
            await asyncio.sleep(0)
        call = next((call for call in inference.active.all() if call.request_id == name), None)
        end(task, call)
        if end is time_out and call is None:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        begun.append(name)
    assert not len(inference.active)
    assert inference.core.deps.metrics.in_flight == 0
    records = await inference.records()
    assert Counter(record.request_id for record in records) == Counter(begun)
    await until(lambda: openai_upstream.connections <= 2)


@on_sqlite
async def test_a_stream_that_is_closed_anywhere_has_one_record(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.always(stream(["a", "b"]))
    for steps in range(STEPS):
        reply = await inference.core.deps.pipeline.run(ask(f"req_{steps}", streamed=True))
        assert isinstance(reply, Streamed)
        for _ in range(steps):
            await asyncio.sleep(0)
        if steps % 3 == 0:
            reply.take()
        reply.close()
        reply.close()
        assert reply.take() is None
    assert not len(inference.active)
    records = await inference.records()
    assert Counter(record.request_id for record in records) == Counter({f"req_{steps}": 1 for steps in range(STEPS)})


@on_sqlite
async def test_a_stream_that_nobody_begins_to_take_is_one_call_that_can_be_closed(
    inference: Inference, openai_upstream: OpenAIUpstream
):
    openai_upstream.always(stream(["a", "b"], gate=Gate(2)))
    reply = await inference.core.deps.pipeline.run(ask("req_1", streamed=True))
    assert isinstance(reply, Streamed)
    assert len(inference.active) == 1
    assert await inference.records() == []
    reply.close()
    record = await inference.record()
    assert (record.outcome, record.output_tokens) == ("hung_up", 1)
    assert not len(inference.active)


@on_sqlite
async def test_a_fault_while_a_stream_is_taken_is_accounted_for(
    inference: Inference, openai_upstream: OpenAIUpstream, monkeypatch: pytest.MonkeyPatch
):
    gate = Gate(2)
    openai_upstream.always(stream(["a", "b"], gate=gate))
    reply = await inference.core.deps.pipeline.run(ask("req_1", streamed=True))
    assert isinstance(reply, Streamed)

    def fail(*_: Any) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr("core.dialects.openai.stream.StreamMeter.feed", fail)
    gate.open()
    with pytest.raises(ZeroDivisionError):
        async for _ in reply.blocks():
            pass
    record = await inference.record()
    assert (record.outcome, record.error_reason) == ("failed", "INTERNAL")


# Supervision


class Watched:
    """A call whose task waits."""

    def __init__(self, active: ActiveCalls, deadline: float, name: str = "req_1") -> None:
        self.call = Call(name, NOBODY, deadline)
        self.task = asyncio.create_task(self._wait())
        self.call.task = self.task
        active.add(self.call)

    async def _wait(self) -> object:
        return await asyncio.Event().wait()

    async def ended(self) -> RouterError | None:
        """Why it was ended, None where it was not."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not self.task.cancelled():
            self.task.cancel()
            return None
        return self.call.cause


async def test_a_call_is_ended_at_its_deadline():
    clock = FakeClock()
    active = ActiveCalls(clock)
    watched = Watched(active, clock.monotonic() + 10)
    clock.advance(10)
    active.sweep()
    clock.advance(0.1)
    active.sweep()
    assert isinstance(await watched.ended(), DeadlineExceeded)


@pytest.mark.parametrize("cause", [ProviderTimeout, DeadlineExceeded])
async def test_a_call_is_ended_when_nothing_happens_for_too_long(cause: type[RouterError]):
    clock = FakeClock()
    active = ActiveCalls(clock)
    watched = Watched(active, clock.monotonic() + 1000)
    watched.call.expect(5.0, cause)
    for _ in range(10):
        active.sweep()
        clock.advance(4.0)
        watched.call.activity += 1
    active.sweep()
    clock.advance(5.1)
    active.sweep()
    assert isinstance(await watched.ended(), cause)


async def test_a_call_of_which_nothing_is_expected_may_take_its_time():
    clock = FakeClock()
    active = ActiveCalls(clock)
    watched = Watched(active, clock.monotonic() + 1000)
    watched.call.expect(0.0)
    active.sweep()
    clock.advance(500)
    active.sweep()
    assert await watched.ended() is None


async def test_the_first_reason_counts():
    clock = FakeClock()
    active = ActiveCalls(clock)
    watched = Watched(active, clock.monotonic() + 1)
    assert active.cancel("req_1")
    clock.advance(2)
    active.sweep()
    assert isinstance(await watched.ended(), Cancelled)
    assert not active.cancel("req_2")


async def test_two_calls_of_one_name_do_not_end_each_other():
    active = ActiveCalls(FakeClock())
    first, second = Call("same", NOBODY, 0.0), Call("same", NOBODY, 0.0)
    active.add(first)
    active.add(second)
    active.remove(first)
    assert list(active.all()) == [second]
    active.remove(second)
    active.remove(second)
    assert not len(active)


async def test_the_last_call_wakes_who_waits_for_it():
    active = ActiveCalls(SystemClock())
    calls = [Call(f"req_{number}", NOBODY, 0.0) for number in range(3)]
    for call in calls:
        active.add(call)
    waiting = asyncio.create_task(active.wait_idle(10))
    for call in calls:
        await asyncio.sleep(0)
        assert not waiting.done()
        active.remove(call)
    await waiting
    await active.wait_idle(10)
    active.add(calls[0])
    await active.wait_idle(0.01)
    assert len(active) == 1
