"""RouterService.Relay: many calls over one long-lived stream, many frames to a message.

    reader ─► a task for each call ─► pipeline ─┬─► outbox ─► writer: one message for all that waits
                                                └─► streams, which tell when they have something

A gRPC message costs the same whether it carries one frame or fifty, so frames wait for each other:
those that somebody waits for go out when the loop has done what it was doing; what comes of the
streams goes at once where little comes, and is collected for up to five milliseconds where much
does. Each call has a window of its own: a caller that reads slowly holds up its own provider and
nobody else, and what waits here for one call has a bound.
"""

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any

from core.auth import NOBODY, WRITE, Authenticator, Principal, Secrets
from core.dialects.anthropic import messages as anthropic_messages
from core.dialects.gemini import generate as gemini
from core.dialects.openai import chat as openai_chat
from core.dialects.passthrough import endpoints
from core.dialects.responses.request import RESPONSES
from core.errors import DatabaseError, Internal, InvalidArgument, RouterError, Unavailable
from core.ids import NewId
from core.routing.reply import Answer, Ask
from core.routing.run import Pipeline
from core.routing.stream import Streamed
from core.rpc import errors
from core.rpc.caller import Caller
from core.rpc.outbox import Outbox
from core.rpc.relayed_headers import passed_on
from llmrouter.v1 import router_pb2 as pb

log = logging.getLogger(__name__)

WINDOW = 128 * 1024
"""How many bytes of a stream may be under way before the caller says that it has consumed some."""

# Seconds from one collection to the next: the more streams there are, the more goes into one message.
_SHORTEST_TICK, _TICK_PER_STREAM, _LONGEST_TICK = 0.001, 0.000_08, 0.005
_MAX_CALLS = 10_000  # at once on one stream

OPERATIONS = {
    pb.OPERATION_CHAT_COMPLETION: openai_chat.CHAT,
    pb.OPERATION_COMPLETION: openai_chat.COMPLETION,
    pb.OPERATION_EMBEDDING: openai_chat.EMBEDDING,
    pb.OPERATION_MESSAGES: anthropic_messages.MESSAGES,
    pb.OPERATION_COUNT_TOKENS: anthropic_messages.COUNT_TOKENS,
    pb.OPERATION_RESPONSE: RESPONSES,
    pb.OPERATION_GENERATE_CONTENT: gemini.GENERATE,
    pb.OPERATION_EMBED_CONTENT: gemini.EMBED,
    pb.OPERATION_EMBED_ONE_CONTENT: gemini.EMBED_ONE,
    pb.OPERATION_COUNT_CONTENT_TOKENS: gemini.COUNT_TOKENS,
    pb.OPERATION_IMAGE_GENERATION: endpoints.IMAGE,
    pb.OPERATION_IMAGE_EDIT: endpoints.IMAGE_EDIT,
    pb.OPERATION_SPEECH: endpoints.SPEECH,
    pb.OPERATION_TRANSCRIPTION: endpoints.TRANSCRIPTION,
    pb.OPERATION_TRANSLATION: endpoints.TRANSLATION,
    pb.OPERATION_MODERATION: endpoints.MODERATION,
    pb.OPERATION_RERANK: endpoints.RERANK,
}


class _Call:
    """One call of the stream."""

    __slots__ = ("id", "marked", "stream", "task", "window")

    def __init__(self, call_id: int) -> None:
        self.id = call_id
        self.window = WINDOW
        self.marked = False  # its stream has something
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


class RelayStream:
    """One caller's stream."""

    def __init__(
        self,
        pipeline: Pipeline,
        authenticator: Authenticator,
        new_id: NewId,
        outbox: Outbox,
        caller: Caller,
    ) -> None:
        self._pipeline = pipeline
        self._authenticator = authenticator
        self._new_id = new_id
        self._outbox = outbox
        self._caller = caller
        self._calls: dict[int, _Call] = {}
        self._streams = 0  # of the calls
        self._marked: list[_Call] = []  # those whose streams have something
        self._collecting = False
        self._collected_at = 0.0
        self._no_streams = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._background: set[asyncio.Task[None]] = set()

    def receive(self, batch: pb.RelayRequest) -> None:
        """Takes what the caller has sent."""
        for frame in batch.frames:
            self._take(frame)

    async def finish(self) -> None:
        """The caller will open no more calls; returns when those that run have ended in peace."""
        running = [call.task for call in self._calls.values() if call.task is not None]
        if running:
            await asyncio.wait(running)
        if self._streams:
            self._no_streams.clear()
            await self._no_streams.wait()

    def break_off(self) -> None:
        """The caller has gone."""
        for call in tuple(self._calls.values()):
            self._cancel(call)

    def _take(self, frame: pb.CallerFrame) -> None:
        if frame.HasField("open"):
            self._open(frame.call_id, frame.open)
        elif frame.HasField("credit"):
            call = self._calls.get(frame.call_id)
            if call is not None:
                call.credit(frame.credit)
                if call.stream is not None:
                    self._mark(call)
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
        self._streams += 1
        stream.notify(partial(self._mark, call))

    def _mark(self, call: _Call) -> None:
        """Its stream has something, which is collected soon."""
        if call.marked:
            return
        call.marked = True
        self._marked.append(call)
        if not self._collecting:
            self._collecting = True
            tick = min(max(_SHORTEST_TICK, self._streams * _TICK_PER_STREAM), _LONGEST_TICK)
            pause = self._collected_at + tick - self._loop.time()
            if pause > 0:
                self._loop.call_later(pause, self._collect)
            else:
                self._loop.call_soon(self._collect)

    def _collect(self) -> None:
        """Relays what the marked streams have."""
        self._collecting, self._collected_at = False, self._loop.time()
        marked, self._marked = self._marked, []
        for call in marked:
            call.marked = False
            if self._calls.get(call.id) is call:
                self._relay(call)

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
        self._streams -= 1
        if not self._streams:
            self._no_streams.set()
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
            headers=passed_on(opened) if opened.headers else (),
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


def _fill(head: pb.CallHead, reply: Answer | Streamed) -> None:
    head.status = reply.status
    head.content_type = reply.content_type
    head.provider = reply.place.provider
    head.model = reply.place.model
    for name, value in reply.headers:
        head.headers.add(name=name, value=value)
