"""The link to the core for inference: one long-lived stream to each core process, shared by all calls.

    endpoint ─ call() ─► Link: outbox ─► one message for all that waits ─► core
    endpoint ◄─ first frame, then data ◄─ reader ◄────────────────────────────┘

A stream that breaks fails its calls cleanly and is opened again; the calls whose fate is unknown
are then reported to the same core, so that each has its usage record.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

import msgspec

from facade.problem import Problem, from_status
from facade.relay_call import RelayCall, RelayFailed, open_relay
from facade.settings import FacadeSettings
from llmrouter.v1 import router_pb2 as pb

log = logging.getLogger(__name__)

# Consumed bytes are reported in pieces of this size: a quarter of a call's window.
CREDIT_BYTES = 32 * 1024
_PATIENCE = 5.0  # seconds that a new call waits for a core that is just starting again
_OPENING = 10.0  # seconds that a core has to take the link
_UNAVAILABLE, _UNAUTHENTICATED = 14, 16  # codes of gRPC
_RECONNECT_FIRST, _RECONNECT_MAX = 0.05, 1.0
_MAX_ABANDONED = 100_000
_MAX_MODEL = 300

# Texts and not Problems: an exception that is raised again and again collects every frame it went through.
_LOST = "the service was interrupted while it answered; try again"
_STOPPING = "the service is stopping, and the time for it to finish is over; try again"
_ABSENT = "the service is not available right now"
_BROKEN = "the answer could not be passed on"
_UNKNOWN = "the core does not know this facade: LLMROUTER_SECRET_KEY must be the same for both"


class Exchange:
    """One call on its way.

    Await `first`, which is an answer, a head or a failure. After a head, the data comes to `sink`,
    and `done` says how it ended: None for a complete stream, else the Problem.
    """

    __slots__ = ("_link", "_pending", "body", "done", "first", "id", "opened", "opened_at", "sink")

    def __init__(
        self, link: "Link", call_id: int, opened: pb.CallOpen, body: bytes, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._link = link
        self._pending: list[bytes] = []
        self.id = call_id
        self.opened = opened
        self.body = body
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
        if frame.HasField("head"):  # its handler was cancelled a moment ago and is about to say so
            return False
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
        self._target = target
        self._call: RelayCall | None = None
        self._metadata = (("x-llmrouter-internal", internal_token),)
        self._loop = asyncio.get_running_loop()
        self._exchanges: dict[int, Exchange] = {}
        self._last_id = 0
        self._batch = pb.RelayRequest()
        self._flushing = False
        self._abandoned: deque[pb.CallAbandoned] = deque(maxlen=_MAX_ABANDONED)
        self._refused = ""  # why the core refused the link the last time, "" where it did not
        self._reported: list[pb.CallAbandoned] = []  # in this session, and not known to have arrived
        self.connected = asyncio.Event()

    @property
    def load(self) -> int:
        """How many calls are under way."""
        return len(self._exchanges)

    def open(self, opened: pb.CallOpen, body: bytes) -> Exchange:
        """Begins a call. opened: the call without its body, which must not be changed after this."""
        self._last_id += 1
        exchange = Exchange(self, self._last_id, opened, body, self._loop)
        self._exchanges[exchange.id] = exchange
        frame = self._batch.frames.add(call_id=exchange.id)
        frame.open.CopyFrom(opened)
        frame.open.body = body
        self._flush_soon()
        return exchange

    def abandon(self, opened: pb.CallOpen, body: bytes, opened_at: float) -> None:
        """Remembers a call that the core may not know of, to be reported when it can be reached."""
        self._abandoned.append(pb.CallAbandoned(open=opened, opened_at_ms=int(opened_at * 1000), model=_model_of(body)))

    def credit(self, call_id: int, size: int) -> None:
        if call_id in self._exchanges:
            self._batch.frames.add(call_id=call_id).credit = size
            self._flush_soon()

    def cancel(self, call_id: int) -> None:
        if self._exchanges.pop(call_id, None) is not None:
            self._batch.frames.add(call_id=call_id).cancel.SetInParent()
            self._flush_soon()

    def give_up(self) -> None:
        """Ends the calls under way, because the facade ends: their clients are told."""
        for exchange in list(self._exchanges.values()):
            self.cancel(exchange.id)
            exchange.break_off(Problem("UNAVAILABLE", _STOPPING))

    async def run(self) -> None:
        """Keeps the stream open for ever."""
        pause = _RECONNECT_FIRST
        while True:
            began = self._loop.time()
            try:
                await self._session()
            except RelayFailed as failed:
                log.debug("the link to the core broke: %s", failed.details)
                self._note_refusal(failed)
            except Exception:
                log.exception("a fault in the link to the core")
            finally:
                self._break_off()
            pause = _RECONNECT_FIRST if self._loop.time() - began > 5 else min(_RECONNECT_MAX, pause * 2)
            await asyncio.sleep(pause)

    async def _session(self) -> None:
        """One stream, from its opening to its end. Raises RelayFailed."""
        call = await open_relay(self._target, self._metadata, self._take_message, _OPENING)
        try:
            self._refused = ""
            self._call = call
            self._report_abandoned()
            self.connected.set()
            log.info("connected to the core")
            raise await call.over
        finally:
            self.connected.clear()
            self._call = None
            call.hang_up()

    def _note_refusal(self, failed: RelayFailed) -> None:
        """Tells why the core does not take the link: once, for it is asked again and again."""
        if failed.code == _UNAVAILABLE:
            return
        said = _UNKNOWN if failed.code == _UNAUTHENTICATED else f"the core refused the link: {failed.details}"
        if said != self._refused:
            log.warning(said)
        self._refused = said

    def _flush_soon(self) -> None:
        """What was added goes out when the loop has done what it is doing: that joins the batch."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._call is not None and self._batch.frames:
            batch, self._batch = self._batch, pb.RelayRequest()
            self._call.send_message(batch.SerializeToString())

    def _take_message(self, data: bytes) -> None:
        self._take(pb.RelayResponse.FromString(data))

    def _take(self, batch: pb.RelayResponse) -> None:
        exchanges = self._exchanges
        self._reported = []  # they were ahead of whatever this answers
        for frame in batch.frames:
            exchange = exchanges.get(frame.call_id)
            try:
                if exchange is not None and exchange.take(frame):
                    exchanges.pop(frame.call_id, None)
            except Exception:  # of one sink, which is no fault of the other calls
                log.exception("a frame could not be taken")
                self.cancel(frame.call_id)
                if exchange is not None:
                    exchange.break_off(Problem("INTERNAL", _BROKEN))

    def _break_off(self) -> None:
        """Fails the calls under way and remembers them, to be reported when the core is back."""
        lost, self._exchanges = list(self._exchanges.values()), {}
        self._batch = pb.RelayRequest()
        self._abandoned.extend(self._reported)  # twice does no harm
        self._reported = []
        for exchange in lost:
            self.abandon(exchange.opened, exchange.body, exchange.opened_at)
            exchange.break_off(Problem("UNAVAILABLE", _LOST))

    def _report_abandoned(self) -> None:
        self._reported = list(self._abandoned)
        self._abandoned.clear()
        for abandoned in self._reported:
            self._last_id += 1
            self._batch.frames.add(call_id=self._last_id).abandoned.CopyFrom(abandoned)
        if self._reported:
            self._flush_soon()


class _Named(msgspec.Struct):
    model: str = ""


_decode_named = msgspec.json.Decoder(_Named).decode


def _model_of(body: bytes) -> str:
    """The model that a request names, "" where that can't be read."""
    try:
        return _decode_named(body).model[:_MAX_MODEL]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


class Relay:
    """The links to all core processes."""

    def __init__(self, settings: FacadeSettings) -> None:
        self.links = [
            Link(target, settings.internal_token) for target in settings.relay_targets or settings.core_targets
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Opens the links, in the background."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(link.run()) for link in self.links]

    def give_up(self) -> None:
        """Ends all calls under way, because the facade ends: their clients are told."""
        for link in self.links:
            link.give_up()

    async def close(self) -> None:
        """Ends the links; calls that are still under way are cancelled in the core."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def ready(self) -> bool:
        """Whether a core can be reached."""
        return any(link.connected.is_set() for link in self.links)

    async def open(self, opened: pb.CallOpen, body: bytes) -> Exchange:
        """Begins a call at the least busy core. Raises Problem where there is none for some seconds.

        opened: the call without its body.
        """
        if len(self.links) == 1 and self.links[0].connected.is_set():
            return self.links[0].open(opened, body)
        link = self._least_busy()
        if link is None:
            arrived = time.time()
            try:
                link = await self._wait_for_one()
            except BaseException:  # its client too may have gone
                self.links[0].abandon(opened, body, arrived)
                raise
        return link.open(opened, body)

    def _least_busy(self) -> Link | None:
        connected = [link for link in self.links if link.connected.is_set()]
        return min(connected, key=lambda link: link.load) if connected else None

    async def _wait_for_one(self) -> Link:
        waiting = [asyncio.ensure_future(link.connected.wait()) for link in self.links]
        try:
            await asyncio.wait(waiting, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in waiting:
                future.cancel()
        link = self._least_busy()
        if link is None:
            raise Problem("UNAVAILABLE", _ABSENT)
        return link
