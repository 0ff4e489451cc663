"""RouterService.Relay: many calls over one long-lived stream, many frames to a message.

    reader ─► a task for each call ─► pipeline ─┬─► outbox ─► writer: one message for all that waits
                    ▲ credit, cancel            │
                    └───────────────────────────┘

A gRPC message costs the same whether it carries one frame or fifty, so frames wait for each other:
those that somebody waits for go out when the loop has done what it was doing, the rest of a stream
within three milliseconds. Each call has a window of its own: a caller that reads slowly holds up its
own provider and nobody else, and what waits here for one call has a bound.
"""

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

import grpc.aio

from core.auth import WRITE, Authenticator, Principal, Secrets
from core.dialects import openai_chat
from core.errors import InvalidArgument, RouterError, Unavailable
from core.ids import NewId
from core.routing.reply import Answer, Ask, Streamed
from core.routing.run import Pipeline
from core.rpc import caller, errors
from llmrouter.v1 import router_pb2 as pb

log = logging.getLogger(__name__)

WINDOW = 256 * 1024
"""How many bytes of a stream may be under way before the caller says that it has consumed some."""

_GATHER_SECONDS = 0.003
_MAX_CALLS = 10_000  # at once on one stream
_MAX_BATCH_BYTES = 1024 * 1024

OPERATIONS = {
    pb.OPERATION_CHAT_COMPLETION: openai_chat.CHAT,
    pb.OPERATION_COMPLETION: openai_chat.COMPLETION,
    pb.OPERATION_EMBEDDING: openai_chat.EMBEDDING,
}


class _Call:
    """One call of the stream."""

    __slots__ = ("id", "task", "wake", "window")

    def __init__(self, call_id: int) -> None:
        self.id = call_id
        self.window = WINDOW
        self.wake: asyncio.Future[None] | None = None  # waits for credit
        self.task: asyncio.Task[None] | None = None

    def credit(self, size: int) -> None:
        self.window = min(self.window + size, WINDOW)
        if self.wake is not None and not self.wake.done() and self.window > 0:
            self.wake.set_result(None)


class Outbox:
    """What goes to the caller: gathers frames and writes them in batches."""

    def __init__(self, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._batch = pb.RelayResponse()
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ready = asyncio.Event()
        self._closing = False

    def frame(self, call_id: int) -> pb.RouterFrame:
        """A new frame, to be filled and then announced by `urgent` or `soon`."""
        return self._batch.frames.add(call_id=call_id)

    def urgent(self) -> None:
        """Somebody waits for what was added: it goes out as soon as the loop comes round."""
        self._ready.set()

    def soon(self, size: int) -> None:
        """What was added may wait a moment for company. size: its bytes."""
        self._size += size
        if self._size >= _MAX_BATCH_BYTES:
            self._ready.set()
        elif self._timer is None and not self._ready.is_set():
            self._timer = self._loop.call_later(_GATHER_SECONDS, self._ready.set)

    def close(self) -> None:
        """Nothing more will be added; `write_all` returns when everything is written."""
        self._closing = True
        self._ready.set()

    async def write_all(self) -> None:
        """Writes batches until `close`. Raises whatever gRPC does where the stream is broken."""
        while not self._closing or self._batch.frames:
            await self._ready.wait()
            await asyncio.sleep(0)  # what the loop is about to do joins this batch
            if not self._closing:
                self._ready.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            batch, self._batch, self._size = self._batch, pb.RelayResponse(), 0
            if batch.frames:
                await self._context.write(batch)


class RelayStream:
    """One caller's stream."""

    def __init__(
        self,
        pipeline: Pipeline,
        authenticator: Authenticator,
        new_id: NewId,
        context: "grpc.aio.ServicerContext[Any, Any]",
    ) -> None:
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._new_id = new_id
        self._context = context
        self._caller = caller.current()
        self._calls: dict[int, _Call] = {}
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(context)
        self._background: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serves the stream until the caller ends it or goes away."""
        writer = self._loop.create_task(self._outbox.write_all())
        writer.add_done_callback(partial(_end_with, asyncio.current_task()))
        try:
            while True:
                batch = await self._context.read()
                if batch is grpc.aio.EOF:  # pyright: ignore[reportAttributeAccessIssue] - there at run time
                    break
                for frame in batch.frames:
                    self._take(frame)
            await self._finish(writer)
        finally:
            for call in self._calls.values():
                self._cancel(call)
            writer.cancel()

    async def _finish(self, writer: asyncio.Task[None]) -> None:
        """The caller will open no more calls; those that run end in peace."""
        running = [call.task for call in self._calls.values() if call.task is not None]
        if running:
            await asyncio.wait(running)
        self._outbox.close()
        await writer

    def _take(self, frame: pb.CallerFrame) -> None:
        if frame.HasField("open"):
            self._open(frame.call_id, frame.open)
        elif frame.HasField("credit"):
            call = self._calls.get(frame.call_id)
            if call is not None:
                call.credit(frame.credit)
        elif frame.HasField("cancel"):
            call = self._calls.get(frame.call_id)
            if call is not None:
                self._cancel(call)
        elif frame.HasField("abandoned") and self._caller.is_facade:
            self._in_background(self._abandoned(frame.abandoned))

    def _cancel(self, call: _Call) -> None:
        """Ends a call for which nobody waits any more.

        Not at once: a task that had not even begun would never do, and the request have no record.
        """
        if call.task is not None:
            self._loop.call_soon(call.task.cancel)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        self._background.add(task := self._loop.create_task(work))
        task.add_done_callback(self._background.discard)

    def _open(self, call_id: int, opened: pb.CallOpen) -> None:
        call = _Call(call_id)
        if call_id in self._calls:
            return self._fail(call_id, InvalidArgument("this call_id is in use", field="call_id"))
        if len(self._calls) >= _MAX_CALLS:
            error = Unavailable("too many calls at once on one stream")
            self._in_background(self._account(opened, error))
            return self._fail(call_id, error)
        self._calls[call_id] = call
        call.task = self._loop.create_task(self._serve(call, opened))
        return None

    async def _serve(self, call: _Call, opened: pb.CallOpen) -> None:
        request_id = opened.request_id if self._caller.is_facade else self._new_id("req")
        ask: Ask | None = None
        try:
            ask = self._ask(opened, request_id, await self._principal(opened))
            if not ask.operation:
                error = InvalidArgument("unknown operation", field="operation")
                self._pipeline.refused(ask, error, "")
                raise error  # noqa: TRY301 - one way to fail
            reply = await self._pipeline.run(ask)
            if isinstance(reply, Answer):
                self._answer(call.id, reply)
            else:
                await self._stream(call, reply)
        except asyncio.CancelledError:
            # Whoever cancelled knows; a frame for a call that is over would only be dropped.
            if ask is None:
                self._in_background(self._account(opened, None))
            return
        except Exception as error:
            self._fail(call.id, errors.known(error, request_id))
        finally:
            self._calls.pop(call.id, None)

    def _answer(self, call_id: int, reply: Answer) -> None:
        head = self._outbox.frame(call_id).answer.head
        _fill(head, reply)
        head.data = reply.body
        if reply.cost_nanousd is not None:
            head.cost_nanousd = reply.cost_nanousd
        self._outbox.urgent()

    async def _stream(self, call: _Call, reply: Streamed) -> None:
        try:
            head = self._outbox.frame(call.id).head
            _fill(head, reply)
            head.data = reply.first
            self._outbox.urgent()
            call.window -= len(reply.first)
            async for block in reply.rest:
                if call.window <= 0:
                    await self._wait_for_credit(call)
                call.window -= len(block)
                self._outbox.frame(call.id).data = block
                self._outbox.soon(len(block))
        finally:
            await reply.rest.aclose()  # settles the request now, whatever ended the loop
        self._outbox.frame(call.id).end.SetInParent()
        self._outbox.urgent()

    async def _wait_for_credit(self, call: _Call) -> None:
        while call.window <= 0:
            call.wake = self._loop.create_future()
            try:
                await call.wake
            finally:
                call.wake = None

    def _fail(self, call_id: int, error: RouterError) -> None:
        self._outbox.frame(call_id).failure.status = errors.status_of(error).SerializeToString()
        self._outbox.urgent()

    def _ask(self, opened: pb.CallOpen, request_id: str, principal: Principal) -> Ask:
        """What a call asks for; its operation is "" where that is unknown."""
        return Ask(
            request_id=request_id,
            operation=OPERATIONS.get(opened.operation, ""),
            surface=opened.surface if self._caller.is_facade else "grpc",
            principal=principal,
            body=opened.body,
            timeout=opened.timeout_ms / 1000,
            never_stream=opened.never_stream,
        )

    async def _account(self, opened: pb.CallOpen, error: RouterError | None) -> None:
        """Accounts for a call that ended before the pipeline had it; error: None where the caller hung up."""
        request_id = opened.request_id if self._caller.is_facade else self._new_id("req")
        try:
            ask = self._ask(opened, request_id, await self._principal(opened))
        except RouterError:
            return  # nobody's request never reached the router
        if error is None:
            self._pipeline.hung_up(ask)
        else:
            self._pipeline.refused(ask, error, "")

    async def _principal(self, opened: pb.CallOpen) -> Principal:
        """Who makes the call: by its own credentials, else by the stream's."""
        secrets = Secrets(
            opened.authorization,
            opened.api_key,
            opened.virtual_key,
            opened.session if self._caller.is_facade else "",
        )
        if not self._caller.is_facade and not secrets.secret():
            secrets = self._caller.secrets
        principal = self._authenticator.remembered(secrets)
        if principal is None:
            principal = await self._authenticator.authenticate(secrets)
        principal.require(WRITE)
        return principal

    async def _abandoned(self, abandoned: pb.CallAbandoned) -> None:
        """Accounts for a call that our facade lost sight of; it has a record already where we saw it."""
        opened = abandoned.open
        try:
            principal = await self._principal(opened)
        except RouterError:
            return  # nobody's request never reached the router
        operation = OPERATIONS.get(opened.operation, openai_chat.CHAT)
        ask = Ask(opened.request_id, operation, opened.surface, principal, body=b"")
        self._pipeline.abandoned(ask, abandoned.opened_at_ms * 1000, abandoned.model)


def _end_with(reader: asyncio.Task[Any] | None, writer: asyncio.Task[None]) -> None:
    """A stream that can't be written is over: its caller must not wait for frames that never come."""
    if not writer.cancelled() and (error := writer.exception()) is not None and reader is not None:
        log.debug("a relay stream can't be written: %s", error)
        reader.cancel()


def _fill(head: pb.CallHead, reply: Answer | Streamed) -> None:
    head.status = reply.status
    head.content_type = reply.content_type
    head.provider = reply.place.provider
    head.model = reply.place.model
    for name, value in reply.headers:
        head.headers.add(name=name, value=value)
