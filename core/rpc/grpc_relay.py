"""RouterService.Relay as an RPC of the gRPC library: for every caller but our own facades.

reader ─► RelayStream ─► GrpcOutbox ─► writer: one message for all that waits
"""

import asyncio
import logging
from typing import Any

import grpc.aio

from core.deps import Deps
from core.errors import Unavailable
from core.rpc import caller
from core.rpc.corrupt import refuse_corrupt
from core.rpc.outbox import GrpcOutbox
from core.rpc.relay import RelayStream

log = logging.getLogger(__name__)


async def serve(deps: Deps, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    """Serves the stream until the caller ends it or goes away. Raises Unavailable where it can't be written."""
    outbox = GrpcOutbox(context)
    stream = RelayStream(deps.pipeline, deps.authenticator, deps.new_id, outbox, caller.current())
    reader = asyncio.create_task(_read(context, stream, outbox))
    writer = asyncio.create_task(_write(outbox))
    try:
        # The writer alone ends first only where it fails; its caller must not wait for frames that never come.
        await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        if reader.done():
            reader.result()
        await writer
    finally:
        stream.break_off()
        reader.cancel()
        writer.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)


async def _read(context: "grpc.aio.ServicerContext[Any, Any]", stream: RelayStream, outbox: GrpcOutbox) -> None:
    """Takes what the caller sends, and returns when all of that is answered."""
    while True:
        await outbox.room()
        batch = await context.read()
        if batch is grpc.aio.EOF:  # pyright: ignore[reportAttributeAccessIssue] - there at run time
            break
        refuse_corrupt(batch)
        stream.receive(batch)
    await stream.finish()
    outbox.close()


async def _write(outbox: GrpcOutbox) -> None:
    """Writes until all is written."""
    try:
        await outbox.write_all()
    except Exception as error:
        log.debug("a relay stream can't go on: %r", error)
        raise Unavailable from error
