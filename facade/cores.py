"""The core processes: one gRPC channel to each, and calls to whichever is ready.

The inference link is facade/relay.py; this is the way of everything else.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from facade.problem import from_rpc_error
from llmrouter.v1 import account_pb2, admin_pb2, conversation_pb2, router_pb2, usage_pb2, workspace_pb2

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

Metadata = Sequence[tuple[str, str]]

_FILES = (account_pb2, admin_pb2, conversation_pb2, router_pb2, usage_pb2, workspace_pb2)
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),  # the core bounds what it sends
    ("grpc.enable_http_proxy", 0),  # the environment's proxy is for the way out, not for the way to the core
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.keepalive_time_ms", 60_000),
)


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method of the core, found by its name in the protobuf descriptors."""

    path: str
    request: type[Message]
    reply: type[Message]
    idempotent: bool  # a read, which may be tried again
    paged: bool  # its answer may be one page of many


@cache
def rpc(name: str) -> Rpc:
    """The method of a name such as "AccountService.Login". Raises KeyError where there is none."""
    service_name, _, method_name = name.partition(".")
    services = {name: service for file in _FILES for name, service in file.DESCRIPTOR.services_by_name.items()}
    service = services[service_name]
    method: MethodDescriptor = service.methods_by_name[method_name]
    return Rpc(
        path=f"/{service.full_name}/{method_name}",
        request=GetMessageClass(method.input_type),
        reply=GetMessageClass(method.output_type),
        idempotent=method_name.startswith(("Get", "List")),
        paged="next_page_token" in method.output_type.fields_by_name,
    )


class Cores:
    """Calls the cores. Made and closed in the event loop that uses it."""

    def __init__(self, targets: Sequence[str], internal_token: str, *, patience: float = 5.0) -> None:
        """targets: gRPC targets, at least one; internal_token: proves that this is the core's own facade.

        patience: how many seconds a call waits for a core that is just starting.
        """
        self._patience = patience
        self._internal = ("x-llmrouter-internal", internal_token)
        self.names = [_name(place, target) for place, target in enumerate(targets)]
        self.channels = [grpc.aio.insecure_channel(target, options=_OPTIONS) for target in targets]
        self._callables: list[dict[str, Any]] = [{} for _ in targets]
        self._turn = 0

    async def close(self) -> None:
        for channel in self.channels:
            await channel.close(None)

    async def connected(self, *, to_all: bool) -> None:
        """Returns as soon as all of the cores, or one of them, can be reached."""
        waiting = [asyncio.ensure_future(channel.channel_ready()) for channel in self.channels]
        try:
            await asyncio.wait(waiting, return_when=asyncio.ALL_COMPLETED if to_all else asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def call(self, method: Rpc, request: Message, metadata: Metadata, timeout: float) -> Any:
        """One call on one of the cores; where the answer is a list, all of its pages. Raises Problem.

        metadata: beside the proof that this is the facade; timeout: seconds for all of it.
        """
        ends = time.monotonic() + timeout
        reply = await self._call_any(method, request, metadata, timeout)
        while method.paged and (token := reply.next_page_token):
            following = method.request()
            following.CopyFrom(request)
            following.page_token = token  # pyright: ignore[reportAttributeAccessIssue] - what is paged has one
            page = await self._call_any(method, following, metadata, ends - time.monotonic())
            reply.ClearField("next_page_token")
            reply.MergeFrom(page)  # appends what is repeated
        return reply

    async def call_on(self, core: int, method: Rpc, request: Message, metadata: Metadata, timeout: float) -> Any:
        """One call on one core, by its place among the targets. Raises grpc.aio.AioRpcError."""
        callables = self._callables[core]
        call: Any = callables.get(method.path)
        if call is None:
            channel: Any = self.channels[core]  # its stubs don't know what types a method has
            call = callables[method.path] = channel.unary_unary(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.reply.FromString,
            )
        return await call(request, metadata=(self._internal, *metadata), timeout=max(timeout, 0.001))

    async def stream(self, method: Rpc, request: Message, metadata: Metadata) -> AsyncGenerator[Any]:
        """The messages of a server-streaming method, for as long as it takes. Raises Problem.

        Whoever stops reading ends the call with `aclose`.
        """
        await self._wait_for_one(self._patience)
        channel: Any = self.channels[self._order()[0]]
        start: Any = channel.unary_stream(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.reply.FromString,
        )
        call = start(request, metadata=(self._internal, *metadata))
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()  # nothing where it is over

    async def _call_any(self, method: Rpc, request: Message, metadata: Metadata, timeout: float) -> Any:
        await self._wait_for_one(timeout)
        first, *others = self._order()
        try:
            return await self.call_on(first, method, request, metadata, timeout)
        except grpc.aio.AioRpcError as error:
            if not (others and method.idempotent and _unreachable(error)):
                raise from_rpc_error(error) from error
        try:
            return await self.call_on(others[0], method, request, metadata, timeout)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def _wait_for_one(self, timeout: float) -> None:
        """Where no core can be reached, waits for one: gRPC itself fails at once between two tries to connect."""
        if any(map(_is_ready, self.channels)):
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self.connected(to_all=False), min(self._patience, timeout))

    def _order(self) -> list[int]:
        """The cores in the order in which to ask them: in turn, those that are connected first."""
        count = len(self.channels)
        if count == 1:
            return [0]
        self._turn = (self._turn + 1) % count
        turned = [(self._turn + i) % count for i in range(count)]
        return sorted(turned, key=lambda core: not _is_ready(self.channels[core]))


def _is_ready(channel: grpc.aio.Channel) -> bool:
    """Whether it is connected; where it is not, it begins to connect."""
    return channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY


def _name(place: int, target: str) -> str:
    """The process behind a target: what its socket is named after, because each facade has its own core first."""
    match = re.search(r"core-\d+(?=\.sock$)", target)
    return match[0] if match else f"core-{place}"


def _unreachable(error: grpc.aio.AioRpcError) -> bool:
    """Whether gRPC itself failed, and not the core behind it."""
    trailers: Iterable[tuple[str, Any]] = cast("Any", error.trailing_metadata()) or ()
    return error.code() is grpc.StatusCode.UNAVAILABLE and all(key != "grpc-status-details-bin" for key, _ in trailers)
