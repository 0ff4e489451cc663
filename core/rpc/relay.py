"""RouterService.Relay: many calls over one long-lived stream, many frames to a message.

    reader ─► a task for each call ─► pipeline ─┬─► outbox ─► writer: one message for all that waits
                                                └─► live streams, looked at by one pump

A gRPC message costs the same whether it carries one frame or fifty, so frames wait for each other:
those that somebody waits for go out when the loop has done what it was doing; what has come of the
streams is collected every one to three milliseconds, by one task for all of them. Each call has a
window of its own: a caller that reads slowly holds up its own provider and nobody else, and what
waits here for one call has a bound.
"""

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

import grpc.aio

from core.auth import NOBODY, WRITE, Authenticator, Principal, Secrets
from core.dialects import openai_chat
from core.errors import DatabaseError, Internal, InvalidArgument, RouterError, Unavailable
from core.ids import NewId
from core.routing.reply import Answer, Ask
from core.routing.run import Pipeline
from core.routing.stream import Streamed
from core.rpc import caller, errors
from core.rpc.corrupt import refuse_corrupt
from llmrouter.v1 import router_pb2 as pb

log = logging.getLogger(__name__)

WINDOW = 128 * 1024
"""How many bytes of a stream may be under way before the caller says that it has consumed some."""

# Seconds from one look at the streams to the next: the more there are, the more goes into one message.
_TICK_OF_FEW, _TICK_OF_MANY = 0.001, 0.003
_FEW = 8
_MAX_CALLS = 10_000  # at once on one stream
_MAX_WAITING_BYTES = 64 * 1024 * 1024  # for a caller that does not read

OPERATIONS = {
    pb.OPERATION_CHAT_COMPLETION: openai_chat.CHAT,
    pb.OPERATION_COMPLETION: openai_chat.COMPLETION,
    pb.OPERATION_EMBEDDING: openai_chat.EMBEDDING,
}


class _Call:
    """One call of the stream."""

    __slots__ = ("id", "stream", "task", "window")

    def __init__(self, call_id: int) -> None:
        self.id = call_id
        self.window = WINDOW
        self.task: asyncio.Task[None] | None = None  # until it has its answer, or the head of it
        self.stream: Streamed | None = None  # from then on

    def credit(self, size: int) -> None:
        """The caller has consumed so many bytes."""
        held = self.window <= 0
        self.window = min(self.window + size, WINDOW)
        if held and self.window > 0 and self.stream is not None:
            self.stream.hold(False)

    def spend(self, size: int) -> None:
        """So many bytes go to the caller."""
        self.window -= size
        if self.window <= 0 and self.stream is not None:
            self.stream.hold(True)


class Outbox:
    """What goes to the caller: gathers frames and writes them in batches."""

    def __init__(self, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        self._context = context
        self._batch = pb.RelayResponse()
        self._added = 0  # bytes of the batch
        self._waiting = 0  # bytes that are not written yet, those of the batch included
        self._room = asyncio.Event()
        self._room.set()
        self._ready = asyncio.Event()
        self._closing = False

    def frame(self, call_id: int) -> pb.RouterFrame:
        """A new frame, to be filled and then announced by `ready`."""
        return self._batch.frames.add(call_id=call_id)

    def count(self, size: int) -> None:
        """So many bytes were added."""
        self._added += size
        self._waiting += size
        if self._waiting > _MAX_WAITING_BYTES:
            self._room.clear()

    async def room(self) -> None:
        """Waits while too much waits to be written: who does not read shall not ask for more either."""
        await self._room.wait()

    def ready(self) -> None:
        """What was added goes out as soon as the loop comes round."""
        self._ready.set()

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
            batch, self._batch = self._batch, pb.RelayResponse()
            going, self._added = self._added, 0
            if batch.frames:
                await self._context.write(batch)
            self._waiting -= going
            if self._waiting <= _MAX_WAITING_BYTES:
                self._room.set()


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
        self._live: dict[int, _Call] = {}  # those whose streams are being relayed
        self._pump: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(context)
        self._background: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serves the stream until the caller ends it or goes away."""
        self._reader = asyncio.current_task()
        writer = self._loop.create_task(self._outbox.write_all())
        writer.add_done_callback(partial(_end_with, self._reader))
        try:
            while True:
                await self._outbox.room()
                batch = await self._context.read()
                if batch is grpc.aio.EOF:  # pyright: ignore[reportAttributeAccessIssue] - there at run time
                    break
                refuse_corrupt(batch)
                for frame in batch.frames:
                    self._take(frame)
            await self._finish(writer)
        finally:
            for call in tuple(self._calls.values()):
                self._cancel(call)
            if self._pump is not None:
                self._pump.cancel()
            writer.cancel()

    async def _finish(self, writer: asyncio.Task[None]) -> None:
        """The caller will open no more calls; those that run end in peace."""
        running = [call.task for call in self._calls.values() if call.task is not None]
        if running:
            await asyncio.wait(running)
        if self._pump is not None:
            await self._pump
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
            self._loop.call_soon(self._end, call)
        else:
            self._end(call)

    def _end(self, call: _Call) -> None:
        if call.stream is not None:
            call.stream.close()
            self._over(call)
        elif call.task is not None:
            call.task.cancel()

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
                self._begin(call, reply)
        except asyncio.CancelledError:
            # Whoever cancelled knows; a frame for a call that is over would only be dropped.
            if ask is None:
                self._in_background(self._account(opened, None))
            return
        except Exception as error:
            self._fail(call.id, errors.known(error, request_id))
        finally:
            if call.stream is None:
                self._calls.pop(call.id, None)

    def _answer(self, call_id: int, reply: Answer) -> None:
        head = self._outbox.frame(call_id).answer.head
        _fill(head, reply)
        head.data = reply.body
        self._outbox.count(len(reply.body))
        if reply.cost_nanousd is not None:
            head.cost_nanousd = reply.cost_nanousd
        self._outbox.ready()

    def _begin(self, call: _Call, stream: Streamed) -> None:
        """Sends the head of a stream; the rest goes with all others at each tick."""
        try:
            head = self._outbox.frame(call.id).head
            _fill(head, stream)
            head.data = stream.first
        except Exception:
            stream.fail(Internal())
            raise
        self._outbox.ready()
        call.stream, call.task = stream, None
        call.spend(len(stream.first))
        self._live[call.id] = call
        if self._pump is None:
            self._pump = self._loop.create_task(self._relay_streams())
            self._pump.add_done_callback(partial(_end_with, self._reader))

    async def _relay_streams(self) -> None:
        """Relays what has come of every stream, tick by tick, as long as there are streams."""
        while self._live:
            await asyncio.sleep(_TICK_OF_FEW if len(self._live) <= _FEW else _TICK_OF_MANY)
            for call in tuple(self._live.values()):
                self._relay(call)
        self._pump = None

    def _relay(self, call: _Call) -> None:
        """Relays what has come of one stream, as far as its window goes."""
        stream = call.stream
        assert stream is not None
        try:
            while call.window > 0 or stream.stopped:
                block = stream.take()
                if block is None:
                    self._outbox.frame(call.id).end.SetInParent()
                    return self._over(call)
                if not block:
                    return None
                call.spend(len(block))
                self._outbox.frame(call.id).data = block
                self._outbox.count(len(block))
                self._outbox.ready()
        except Exception as error:
            self._fail(call.id, errors.known(error, stream.request_id))
            self._over(call)
        return None

    def _over(self, call: _Call) -> None:
        self._live.pop(call.id, None)
        self._calls.pop(call.id, None)
        self._outbox.ready()

    def _fail(self, call_id: int, error: RouterError) -> None:
        self._outbox.frame(call_id).failure.status = errors.status_of(error).SerializeToString()
        self._outbox.ready()

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

    async def _principal_of_lost(self, opened: pb.CallOpen) -> Principal:
        """Who made a call that was lost; nobody, where the credential has ended since. Waits for the database."""
        while True:
            try:
                return await self._principal(opened)
            except DatabaseError:
                await asyncio.sleep(1.0)
            except RouterError:
                return NOBODY

    async def _abandoned(self, abandoned: pb.CallAbandoned) -> None:
        """Accounts for a call that our facade lost sight of; it has a record already where we saw it."""
        opened = abandoned.open
        principal = await self._principal_of_lost(opened)
        operation = OPERATIONS.get(opened.operation, openai_chat.CHAT)
        ask = Ask(opened.request_id, operation, opened.surface, principal, body=b"")
        self._pipeline.abandoned(ask, abandoned.opened_at_ms * 1000, abandoned.model)


def _end_with(reader: asyncio.Task[Any] | None, worker: asyncio.Task[None]) -> None:
    """A stream whose writer or pump has failed is over: its caller must not wait for frames that never come."""
    if not worker.cancelled() and (error := worker.exception()) is not None and reader is not None:
        log.debug("a relay stream can't go on: %r", error)
        reader.cancel()


def _fill(head: pb.CallHead, reply: Answer | Streamed) -> None:
    head.status = reply.status
    head.content_type = reply.content_type
    head.provider = reply.place.provider
    head.model = reply.place.model
    for name, value in reply.headers:
        head.headers.add(name=name, value=value)
