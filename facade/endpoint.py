"""The one handler of inference for all surfaces.

    Call ─► credentials + body ─► relay ─► first frame ─┬─ answer   the provider's status, type and bytes
                                                       ├─ failure  a Problem in the surface's shape
                                                       └─ head     a stream, relayed as it arrives

The first frame is awaited before anything is sent to the client, so that an early error keeps its
HTTP status. A stream that fails later ends with an error event in the surface's shape and without
the end mark of a complete one.
"""

from collections.abc import Callable, Sequence

from aiohttp import web
from multidict import CIMultiDict

from facade.answer import event_of
from facade.body import read_body
from facade.call import Call
from facade.credentials import credentials_of
from facade.dollars import as_text
from facade.event_array import CONTENT_TYPE, EventArray
from facade.problem import from_status
from facade.relay import Exchange, Relay
from facade.route import EVENT_STREAM, Handler
from facade.settings import FacadeSettings
from facade.sse import ChunkWriter
from facade.surface import Surface
from llmrouter.v1 import router_pb2 as pb

_ALWAYS_PASSED = ("x-llmrouter-drop-unsupported",)
"""What callers may say to the router itself with any inference call."""


class Inference:
    """Makes the handlers of inference endpoints."""

    def __init__(self, relay: Relay, settings: FacadeSettings) -> None:
        self._relay = relay
        self._settings = settings

    def handler(
        self,
        surface: Surface,
        operation: pb.Operation,
        *,
        never_stream: bool = False,
        passes: Sequence[str] = (),
        body_of: Callable[[Call, bytes], bytes] | None = None,
        form: Callable[[Call], EventArray | None] | None = None,
    ) -> Handler:
        """The handler of one endpoint.

        never_stream: its document knows no streaming; passes: headers that go on to the provider, in lower case;
        body_of: makes what the core shall have of a call and its body; form: what a stream shall be for a call, None
        for the events as they come, may raise Problem.
        """

        passes = (*_ALWAYS_PASSED, *passes)

        async def handle(call: Call) -> web.StreamResponse:
            body = await read_body(call, self._settings.max_body, self._settings.body_timeout)
            array = None if form is None else form(call)
            if body_of is not None:
                body = body_of(call, body)
            credentials = credentials_of(call, surface.query_key)
            call.make_request_id_unique()
            if surface.request_id:
                call.extra_headers = (*call.extra_headers, (surface.request_id, call.request_id))
            exchange = await self._relay.open(
                pb.CallOpen(
                    request_id=call.request_id,
                    operation=operation,
                    surface=surface.name,
                    authorization=credentials.authorization,
                    api_key=credentials.api_key,
                    virtual_key=credentials.virtual_key,
                    session=credentials.session,
                    never_stream=never_stream,
                    headers=_passed(call, passes),
                ),
                body,
            )
            try:
                frame = await exchange.first
                if frame.HasField("answer"):
                    return _answer(frame.answer.head)
                if frame.HasField("failure"):
                    raise from_status(frame.failure.status)
                return await _stream(call, surface, exchange, frame.head, array)
            finally:
                exchange.cancel()  # nothing where it is over; but a client can go away in more ways than one

        return handle


def _passed(call: Call, names: Sequence[str]) -> list[pb.Header]:
    """Those of a call's headers; one that comes several times is a list."""
    values = {name: ",".join(call.headers.getall(name)) for name in names if name in call.headers}
    return [pb.Header(name=name, value=_plain(value)) for name, value in values.items() if value]


def _answer(head: pb.CallHead) -> web.Response:
    headers = _headers(head)
    if head.HasField("cost_nanousd"):
        headers["x-llmrouter-cost-usd"] = as_text(head.cost_nanousd)
    return web.Response(body=head.data, status=head.status, headers=headers)


async def _stream(
    call: Call, surface: Surface, exchange: Exchange, head: pb.CallHead, array: EventArray | None
) -> web.StreamResponse:
    headers = _headers(head)
    if array is not None:
        headers["Content-Type"] = CONTENT_TYPE
    headers["Cache-Control"] = "no-cache"
    headers["X-Accel-Buffering"] = "no"
    response = web.StreamResponse(status=head.status, headers=headers)
    chunked = call.version >= (1, 1)
    if chunked:
        response.enable_chunked_encoding()
    await response.prepare(call)
    first = head.data
    await response.write(first if array is None else array.put(first))
    writer = ChunkWriter(call, exchange, chunked=chunked, form=array)
    try:
        writer.count(len(first))
        exchange.attach(writer.write)
        problem = await exchange.done
        if problem is not None:
            if not head.content_type.startswith(EVENT_STREAM):
                return _broken_off(call, response)
            writer.write(event_of(surface, problem))
        await response.write_eof(b"" if array is None else array.end())
    finally:
        writer.close()
    return response


def _broken_off(call: Call, response: web.StreamResponse) -> web.StreamResponse:
    """Ends an answer that has no words for a failure: the client must not take what it has for all of it."""
    if call.transport is not None:
        call.transport.abort()
    return response


def _headers(head: pb.CallHead) -> "CIMultiDict[str]":
    headers: CIMultiDict[str] = CIMultiDict()
    headers["Content-Type"] = head.content_type or "application/octet-stream"
    headers["x-llmrouter-provider"] = _plain(head.provider)
    headers["x-llmrouter-model"] = _plain(head.model)
    for header in head.headers:
        headers[header.name] = _plain(header.value)
    return headers


def _plain(value: str) -> str:
    """A header's value: what HTTP can't carry is replaced."""
    return value if value.isascii() and value.isprintable() else value.encode("ascii", "backslashreplace").decode()
