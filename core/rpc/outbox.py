"""What goes to the caller of a relay stream: frames, gathered and written in batches."""

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from llmrouter.v1 import router_pb2 as pb

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

MAX_WAITING_BYTES = 64 * 1024 * 1024  # for a caller that does not read


class Outbox(Protocol):
    """Takes frames."""

    def frame(self, call_id: int) -> pb.RouterFrame:
        """A new frame, to be filled and then announced by `ready`."""
        ...

    def count(self, size: int) -> None:
        """So many bytes were added."""
        ...

    def ready(self) -> None:
        """What was added goes out when the loop has done what it is doing: that joins the batch."""
        ...


class GrpcOutbox:
    """The way over an RPC of the gRPC library."""

    def __init__(self, context: "ServicerContext[Any, Any]") -> None:
        self._context = context
        self._batch = pb.RelayResponse()
        self._added = 0  # bytes of the batch
        self._waiting = 0  # bytes that are not written yet, those of the batch included
        self._room = asyncio.Event()
        self._room.set()
        self._ready = asyncio.Event()
        self._closing = False

    def frame(self, call_id: int) -> pb.RouterFrame:
        return self._batch.frames.add(call_id=call_id)

    def count(self, size: int) -> None:
        self._added += size
        self._waiting += size
        if self._waiting > MAX_WAITING_BYTES:
            self._room.clear()

    async def room(self) -> None:
        """Waits while too much waits to be written: who does not read shall not ask for more either."""
        await self._room.wait()

    def ready(self) -> None:
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
            if self._waiting <= MAX_WAITING_BYTES:
                self._room.set()
