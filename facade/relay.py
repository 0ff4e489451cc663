"""The link to the core for inference: one long-lived stream to each core process, shared by all calls.

    endpoint ─ call() ─► Link: outbox ─► one message for all that waits ─► core
    endpoint ◄─ first frame, then data ◄─ reader ◄────────────────────────────┘

A stream that breaks fails its calls cleanly and is opened again; the calls whose fate is unknown
are then reported to the same core, so that each has its usage record.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import grpc.aio

from facade.problem import Problem, from_status
from facade.settings import FacadeSettings
from llmrouter.v1 import router_pb2 as pb
from llmrouter.v1 import router_pb2_grpc

log = logging.getLogger(__name__)

# Consumed bytes are reported in pieces of this size: a quarter of a call's window.
CREDIT_BYTES = 64 * 1024
_PATIENCE = 5.0  # seconds that a new call waits for a core that is just starting again
_RECONNECT_FIRST, _RECONNECT_MAX = 0.05, 1.0
_MAX_ABANDONED = 100_000

_LOST = Problem("UNAVAILABLE", "the service was interrupted while it answered; try again")
_ABSENT = Problem("UNAVAILABLE", "the service is not available right now")


class Exchange:
    """One call on its way.

    Await `first`, which is an answer, a head or a failure. After a head, the data comes to `sink`,
    and `done` says how it ended: None for a complete stream, else the Problem.
    """

    __slots__ = ("_link", "_pending", "done", "first", "id", "opened", "opened_at", "sink")

    def __init__(self, link: "Link", call_id: int, opened: pb.CallOpen, loop: asyncio.AbstractEventLoop) -> None:
        self._link = link
        self._pending: list[bytes] = []
        self.id = call_id
        self.opened = opened
        self.opened_at = time.time()
        self.first: asyncio.Future[pb.RouterFrame] = loop.create_future()
        self.done: asyncio.Future[Problem | None] = loop.create_future()
        self.sink: Callable[[bytes], None] | None = None

    def attach(self, sink: Callable[[bytes], None]) -> None:
        """From now on data goes to `sink`, what has come already first."""
        pending, self._pending = self._pending, []
        for data in pending:
            sink(data)
        self.sink = sink

    def credit(self, size: int) -> None:
        """So many bytes were consumed; the core may send as many more."""
        self._link.credit(self.id, size)

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        self._link.cancel(self.id)

    def take(self, frame: pb.RouterFrame) -> bool:
        """Takes a frame from the core; true where the call is over with it."""
        if frame.HasField("data"):
            if self.sink is not None:
                self.sink(frame.data)
            else:
                self._pending.append(frame.data)
            return False
        if not self.first.done():
            self.first.set_result(frame)
            return not frame.HasField("head")
        if not self.done.done():
            self.done.set_result(from_status(frame.failure.status) if frame.HasField("failure") else None)
        return True

    def break_off(self, problem: Problem) -> None:
        """The link is gone."""
        for future in (self.first, self.done):
            if not future.done():
                if future is self.done and self.first.done():
                    self.done.set_result(problem)
                elif future is self.first:
                    future.set_exception(problem)


class Link:
    """One core process."""

    def __init__(self, target: str, internal_token: str) -> None:
        """target: a gRPC address, "unix:/…" or "host:port"."""
        self._channel = grpc.aio.insecure_channel(
            target,
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.initial_reconnect_backoff_ms", 50),
                ("grpc.min_reconnect_backoff_ms", 50),
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        self._stub: Any = router_pb2_grpc.RouterServiceStub(self._channel)
        self._metadata = (("x-llmrouter-internal", internal_token),)
        self._loop = asyncio.get_running_loop()
        self._exchanges: dict[int, Exchange] = {}
        self._last_id = 0
        self._batch = pb.RelayRequest()
        self._ready = asyncio.Event()
        self._abandoned: list[Exchange] = []
        self.connected = asyncio.Event()

    @property
    def load(self) -> int:
        """How many calls are under way."""
        return len(self._exchanges)

    def open(self, opened: pb.CallOpen) -> Exchange:
        """Begins a call."""
        self._last_id += 1
        exchange = Exchange(self, self._last_id, opened, self._loop)
        self._exchanges[exchange.id] = exchange
        self._batch.frames.add(call_id=exchange.id).open.CopyFrom(opened)
        opened.ClearField("body")
        self._ready.set()
        return exchange

    def credit(self, call_id: int, size: int) -> None:
        if call_id in self._exchanges:
            self._batch.frames.add(call_id=call_id).credit = size
            self._ready.set()

    def cancel(self, call_id: int) -> None:
        if self._exchanges.pop(call_id, None) is not None:
            self._batch.frames.add(call_id=call_id).cancel.SetInParent()
            self._ready.set()

    async def run(self) -> None:
        """Keeps the stream open for ever."""
        pause = _RECONNECT_FIRST
        while True:
            began = self._loop.time()
            try:
                await self._session()
            except grpc.aio.AioRpcError as error:
                log.debug("the link to the core broke: %s", error.details())
            finally:
                self._break_off()
            pause = _RECONNECT_FIRST if self._loop.time() - began > 5 else min(_RECONNECT_MAX, pause * 2)
            await asyncio.sleep(pause)

    async def close(self) -> None:
        await self._channel.close()

    async def _session(self) -> None:
        """One stream, from its opening to its end."""
        call: Any = self._stub.Relay(metadata=self._metadata, wait_for_ready=True)
        writer: asyncio.Task[None] | None = None
        try:
            await call.initial_metadata()
            if call.done():
                raise_for = await call.code()
                log.warning("the core refused the link: %s %s", raise_for, await call.details())
                return
            self._report_abandoned()
            self.connected.set()
            log.info("connected to the core")
            writer = self._loop.create_task(self._write_all(call))
            while True:
                batch = await call.read()
                if batch is grpc.aio.EOF:
                    return
                self._take(batch)
        finally:
            self.connected.clear()
            if writer is not None:
                writer.cancel()
            call.cancel()

    async def _write_all(self, call: Any) -> None:
        """Writes batches until the stream breaks; the reader then learns of it too."""
        while True:
            await self._ready.wait()
            await asyncio.sleep(0)  # what the loop is about to do joins this batch
            self._ready.clear()
            batch, self._batch = self._batch, pb.RelayRequest()
            if batch.frames:
                await call.write(batch)

    def _take(self, batch: pb.RelayResponse) -> None:
        exchanges = self._exchanges
        for frame in batch.frames:
            exchange = exchanges.get(frame.call_id)
            if exchange is not None and exchange.take(frame):
                exchanges.pop(frame.call_id, None)

    def _break_off(self) -> None:
        """Fails the calls under way and remembers them, to be reported when the core is back."""
        lost, self._exchanges = list(self._exchanges.values()), {}
        self._batch = pb.RelayRequest()
        self._abandoned = (self._abandoned + lost)[-_MAX_ABANDONED:]
        for exchange in lost:
            exchange.break_off(_LOST)

    def _report_abandoned(self) -> None:
        lost, self._abandoned = self._abandoned, []
        for exchange in lost:
            self._last_id += 1
            abandoned = self._batch.frames.add(call_id=self._last_id).abandoned
            abandoned.open.CopyFrom(exchange.opened)
            abandoned.opened_at_ms = int(exchange.opened_at * 1000)
        if lost:
            self._ready.set()


class Relay:
    """The links to all core processes."""

    def __init__(self, settings: FacadeSettings) -> None:
        self._links = [Link(target, settings.internal_token) for target in settings.core_targets]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Opens the links, in the background."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(link.run()) for link in self._links]

    async def close(self) -> None:
        """Ends the links; calls that are still under way are cancelled in the core."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self._links:
            await link.close()

    @property
    def ready(self) -> bool:
        """Whether a core can be reached."""
        return any(link.connected.is_set() for link in self._links)

    async def open(self, opened: pb.CallOpen) -> Exchange:
        """Begins a call at the least busy core. Raises Problem where there is none for some seconds."""
        if len(self._links) == 1 and self._links[0].connected.is_set():
            return self._links[0].open(opened)
        link = self._least_busy() or await self._wait_for_one()
        return link.open(opened)

    def _least_busy(self) -> Link | None:
        connected = [link for link in self._links if link.connected.is_set()]
        return min(connected, key=lambda link: link.load) if connected else None

    async def _wait_for_one(self) -> Link:
        waiting = [asyncio.ensure_future(link.connected.wait()) for link in self._links]
        try:
            await asyncio.wait(waiting, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()
        link = self._least_busy()
        if link is None:
            raise _ABSENT
        return link
