"""Mock provider with OpenAI's wire format, on asyncio.Protocol so that it is never what limits a run.

    POST …/chat/completions   plain, or SSE when "stream" is true
    POST …/embeddings
    GET  …/models, /health

A message text may steer one answer, since gateways pass message text through: "@mock n=200 delay=20 first=50"
asks for 200 content chunks, 20 ms between them and 50 ms before the first byte. A paced chunk carries the
CLOCK_MONOTONIC second at which it was sent, which is comparable between the processes of one machine.
"""

import argparse
import asyncio
import gc
import re
import time
from collections.abc import Iterator
from typing import cast

import uvloop

from . import payloads

DIRECTIVE = re.compile(rb"@mock((?: (?:n|delay|first)=\d+)+)")
SETTING = re.compile(rb"(n|delay|first)=(\d+)")
STREAMED = re.compile(rb'"stream"\s*:\s*true')
WITH_USAGE = re.compile(rb'"include_usage"\s*:\s*true')
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
DEFAULT_CHUNKS = 32


class Provider(asyncio.Protocol):
    """One keep-alive connection: answers one request at a time, in order."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio.Transport
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.parse()

    def parse(self) -> None:
        while self.buffer and not self.busy:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head, start = self.buffer[:end], end + 4
            length = LENGTH.search(head)
            stop = start + int(length[1]) if length else start
            if len(self.buffer) < stop:
                return
            body, self.buffer = self.buffer[start:stop], self.buffer[stop:]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].partition(b"?")[0]
        if CHUNKED.search(head):
            self.refuse()
        elif path.endswith(b"/chat/completions"):
            self.chat(body)
        elif path.endswith(b"/embeddings"):
            self.write(payloads.EMBEDDINGS)
        elif path.endswith(b"/models"):
            self.write(payloads.MODELS)
        elif path.endswith(b"/health"):
            self.write(payloads.HEALTHY)
        else:
            self.write(payloads.NO_ROUTE)

    def chat(self, body: bytes) -> None:
        directive = DIRECTIVE.search(body)
        asked = {m[1]: int(m[2]) for m in SETTING.finditer(directive[1])} if directive else {}
        self.busy = True
        if STREAMED.search(body):
            script = payloads.SCRIPTS[WITH_USAGE.search(body) is not None]
            reply = Stream(self, script, asked.get(b"n", DEFAULT_CHUNKS), asked.get(b"delay", 0) / 1000)
            start = reply.begin
        else:
            start = self.plain
        if first := asked.get(b"first", 0):
            self.loop.call_later(first / 1000, start)
        else:
            start()

    def refuse(self) -> None:
        """A body in HTTP chunks is not understood, so where the next request begins is not known either."""
        self.write(payloads.NO_LENGTH)
        self.buffer = b""
        if self.transport:
            self.transport.close()

    def plain(self) -> None:
        self.write(payloads.CHAT)
        self.ended()

    def write(self, data: bytes) -> None:
        if self.transport:
            self.transport.write(data)

    def ended(self) -> None:
        self.busy = False
        # only what the client had pipelined is waiting; usually nothing is
        if self.buffer:
            self.parse()


class Stream:
    """One streamed answer: one write in a turn of the loop, for uvloop joins the writes of one turn."""

    def __init__(self, provider: Provider, script: payloads.Script, chunks: int, delay: float) -> None:
        self.provider, self.script, self.chunks, self.delay = provider, script, chunks, delay
        self.sent = 0
        self.began = 0.0

    def begin(self) -> None:
        self.began = self.provider.loop.time()
        self.provider.write(self.script.opening)
        self.provider.loop.call_soon(self.next_chunk)

    def next_chunk(self) -> None:
        provider, script = self.provider, self.script
        if provider.transport is None:
            return
        if self.sent == self.chunks:
            self.close(iter(script.closing(self.chunks)))
        elif self.delay:
            provider.transport.write(script.stamped.replace(payloads.STAMP, b"%015.6f" % time.monotonic(), 1))
            self.sent += 1
            # counted from the beginning, so that late timers don't add up
            provider.loop.call_at(self.began + self.sent * self.delay, self.next_chunk)
        else:
            provider.transport.write(script.plain[self.sent % len(script.plain)])
            self.sent += 1
            provider.loop.call_soon(self.next_chunk)

    def close(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces, None)
        if piece is None:
            self.provider.ended()
        else:
            self.provider.write(piece)
            self.provider.loop.call_soon(self.close, pieces)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)  # with port 0 the orchestrator learns it here
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one; it is printed")
    port: int = parser.parse_args().port
    gc.freeze()  # collections then look only at what a run allocates
    uvloop.run(serve(port))


if __name__ == "__main__":
    main()
