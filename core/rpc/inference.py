"""Typed inference: from a request that came as a message into the one pipeline, and back.

    message ─make_body─► Ask ─► Pipeline.run ─┬─ Answer    its status decides: a response, or an error
                                             └─ Streamed  deliver: a message for each event

A request that can't be made into a body has its usage record too. A stream is settled once, however
its RPC ends: what is left of it is closed, or told of its failure, before the RPC is over.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from core.errors import InvalidArgument, ProviderError, TooLarge
from core.routing.active import uncancel
from core.routing.reply import Answer, Ask
from core.routing.run import Pipeline
from core.routing.stream import Streamed
from core.routing.typed import TypedChat
from core.rpc import caller, upstream_error
from core.rpc.stream_events import Event, StreamEvents
from core.rpc.typed_paths import path_of

_T = TypeVar("_T")


class Context(Protocol):
    """What is needed of an RPC's context (grpc.aio.ServicerContext)."""

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline, None where there is none."""
        ...

    async def write(self, message: Any, /) -> None:
        """Sends a message of a streaming RPC."""
        ...


class Inference:
    """Runs typed requests."""

    def __init__(self, pipeline: Pipeline, max_body: int) -> None:
        """max_body: bytes that a request's JSON may have."""
        self._pipeline = pipeline
        self._max_body = max_body

    async def run(
        self,
        context: Context,
        operation: str,
        model: str,
        make_body: Callable[[], bytes],
        read: Callable[[bytes], object],
        typed: TypedChat | None = None,
    ) -> Answer | Streamed:
        """Answers a request of the RPC that runs now. model: what its record says where it has no body.

        read: reads a whole good answer, or raises ProviderError; one that it can't read is a failure of
        the provider's. typed: the same request, for providers that are asked without a body of OpenAI's wire.
        Raises RouterError; UpstreamStatus for a provider's own error answer.
        """
        who = caller.current()
        ask = Ask(
            request_id=who.request_id,
            operation=operation,
            surface=who.surface,
            principal=who.principal,
            body=b"",
            timeout=_time_left(context),
            typed=typed,
        )
        try:
            body = make_body()
            if len(body) > self._max_body:
                raise TooLarge(f"the request's JSON may have {self._max_body} bytes")
        except InvalidArgument as error:
            self._pipeline.refused(ask, error, model)
            raise
        try:
            reply = await self._pipeline.run(replace(ask, body=body, check=read))
        except InvalidArgument as error:
            if typed is not None:
                error.field = path_of(error.field)
            raise
        if isinstance(reply, Answer) and reply.status >= 400:
            raise upstream_error.answered(reply)
        return reply

    async def answer(
        self,
        context: Context,
        operation: str,
        model: str,
        make_body: Callable[[], bytes],
        read: Callable[[bytes], _T],
        typed: TypedChat | None = None,
    ) -> tuple[Answer, _T]:
        """The same for a body that asks for no stream; the answer, and what was read of it."""
        found: list[_T] = []
        reply = await self.run(context, operation, model, make_body, lambda body: found.append(read(body)), typed)
        assert isinstance(reply, Answer)
        return reply, found[-1]


async def deliver(context: Context, reply: Answer | Streamed, events: StreamEvents[Event]) -> None:
    """Sends a reply as events. Raises RouterError, and CancelledError where the caller went away."""
    if isinstance(reply, Answer):
        await _write(context, events.whole(reply))
        return
    rest = reply.blocks()
    try:
        block = reply.first
        while True:
            await _write(context, _translated(reply, events, block))
            try:
                block = await anext(rest)
            except StopAsyncIteration:
                break
        await _write(context, events.end(reply.tokens, reply.cost_nanousd))
    except asyncio.CancelledError:
        if not reply.stopped or uncancel():
            raise
        reply.take()  # raises why it was ended from outside
    finally:
        await rest.aclose()
        reply.close()  # settles the request now, whatever ended the loop


def _translated(reply: Streamed, events: StreamEvents[Event], block: bytes) -> list[Event]:
    try:
        return events.block(block)
    except ProviderError as error:
        # Told to the pipeline, so that it accounts for a failure of the provider's and not for a hang-up.
        reply.fail(error)
        raise


async def _write(context: Context, events: list[Event]) -> None:
    for event in events:
        await context.write(event)


def _time_left(context: Context) -> float:
    """Seconds until the caller's deadline, 0 where there is none."""
    remaining = context.time_remaining()
    return 0.0 if remaining is None else max(remaining, 0.001)
