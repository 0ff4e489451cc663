"""RouterService.Relay as an RPC of the gRPC library: for every caller but our own facades.

reader ─► RelayStream ─► GrpcOutbox ─► writer: one message for all that waits
"""

import asyncio
import logging
from functools import partial
from typing import Any

import grpc.aio

from core.deps import Deps
from core.rpc import caller
from core.rpc.corrupt import refuse_corrupt
from core.rpc.outbox import GrpcOutbox
from core.rpc.relay import RelayStream

log = logging.getLogger(__name__)


async def serve(deps: Deps, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    """Serves the stream until the caller ends it or goes away."""
    outbox = GrpcOutbox(context)
    stream = RelayStream(deps.pipeline, deps.authenticator, deps.new_id, outbox, caller.current())
    writer = asyncio.create_task(outbox.write_all())
    writer.add_done_callback(partial(_end_with, asyncio.current_task()))
    try:
        while True:
            await outbox.room()
            batch = await context.read()
            if batch is grpc.aio.EOF:  # pyright: ignore[reportAttributeAccessIssue] - there at run time
                break
            refuse_corrupt(batch)
            stream.receive(batch)
        await stream.finish()
        outbox.close()
        await writer
    finally:
        stream.break_off()
        writer.cancel()


def _end_with(reader: asyncio.Task[Any] | None, writer: asyncio.Task[None]) -> None:
    """A stream whose writer has failed is over: its caller must not wait for frames that never come."""
    if not writer.cancelled() and (error := writer.exception()) is not None and reader is not None:
        log.debug("a relay stream can't go on: %r", error)
        reader.cancel()
