"""CRUD operations as rows of a table, and the one handler that carries them out.

    Call ─► body ─► decode ─► RPC ─► encode ─► answer
                      │         └─ AioRpcError ─► Problem
                      └─ Problem, but 401 and 403 come first

A row names a method, a path, an RPC and two pure functions. Adding an operation is adding a row.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from google.protobuf.message import Message

from facade.address import ClientAddresses
from facade.answer import answer_json
from facade.body import read_body
from facade.call import Call
from facade.cores import Cores, rpc
from facade.credentials import SESSION_COOKIE, credentials_of
from facade.payload import Incoming, Payload, parse
from facade.problem import Problem
from facade.route import JSON, Access, Doc, Handler, Route
from facade.settings import FacadeSettings
from facade.surface import Schema, Surface

# Nobody needs more for an e-mail address and a password, in bytes.
_MAX_BODY = 1024 * 1024
# For an operation with all its RPCs, in seconds; pulling a provider's models takes longest.
_TIMEOUT = 60.0

# The reason of a failure whose words are the operation's own; no surface's table has it.
DOCUMENTED = "DOCUMENTED"

# What tells whether a caller may call at all, where the request itself could not be read.
_PROBES: Mapping[Access, tuple[str, Mapping[str, Any]]] = {
    Access.USER: ("AccountService.GetAccount", {}),
    Access.ADMIN: ("AdminService.ListUsers", {"page_size": 1}),
}


@dataclass(frozen=True, slots=True)
class SetSession:
    """Sets the session cookie. expires_at: seconds since 1970."""

    token: str = field(repr=False)
    expires_at: float


class ClearSession:
    """Takes the session cookie away."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an encoder makes of the RPC's reply."""

    body: Any = None
    session: SetSession | ClearSession | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A row.

    path: as in Route; rpc: "Service.Method"; decode: raises Problem; encode: may raise Problem too,
    where the RPC's reply does not have what was asked for; status: of success, 204 has no body;
    first: an RPC that must succeed before, with its decoder; failures: reason → status and message
    where this operation's documentation differs from its surface's.
    request, response: schemas of the bodies; errors: the statuses that the documentation names.
    """

    method: str
    path: str
    rpc: str
    decode: Callable[[Incoming], Message]
    encode: Callable[[Any, Incoming], Reply]
    summary: str
    access: Access = Access.USER
    status: int = 200
    request: Schema | None = None
    response: Schema | None = None
    errors: tuple[int, ...] = ()
    parameters: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    description: str = ""
    first: tuple[str, Callable[[Incoming], Message]] | None = None
    failures: Mapping[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    same_site: bool = False

    def doc(self) -> Doc:
        """The row as documentation."""
        success: dict[str, Schema] = {} if self.response is None else {JSON: self.response}
        return Doc(
            summary=self.summary,
            access=self.access,
            success={self.status: success},
            request=self.request,
            errors=self.errors,
            parameters=self.parameters,
            description=self.description,
        )


class Operations:
    """Carries out rows. now: the time of day, in seconds since 1970."""

    def __init__(self, cores: Cores, settings: FacadeSettings, now: Callable[[], float] = time.time) -> None:
        self._cores = cores
        self._settings = settings
        self._addresses = ClientAddresses(settings.trusted_proxies)
        self._now = now
        self._max_body = min(settings.max_body, _MAX_BODY)
        self._timeout = min(settings.request_timeout, _TIMEOUT)

    def route(self, operation: Operation, surface: Surface) -> Route:
        """The row as a route."""
        return Route(
            method=operation.method,
            path=operation.path,
            surface=surface,
            handler=self._handler(operation, surface),
            doc=operation.doc(),
            same_site=operation.same_site,
        )

    def _handler(self, operation: Operation, surface: Surface) -> Handler:
        async def handle(call: Call) -> web.StreamResponse:
            try:
                return await self._carry_out(operation, surface, call)
            except Problem as problem:
                if problem.reason in operation.failures:
                    status, message = operation.failures[problem.reason]
                    raise replace(problem, reason=DOCUMENTED, status=status, message=message) from problem
                raise

        return handle

    async def _carry_out(self, operation: Operation, surface: Surface, call: Call) -> web.StreamResponse:
        metadata = self._metadata(call, surface)
        try:
            incoming = Incoming(await self._payload(operation, call), call.params)
            request = operation.decode(incoming)
        except Problem:
            await self._probe(operation.access, metadata)
            raise
        if operation.first is not None:
            name, decode = operation.first
            await self._cores.call(rpc(name), decode(incoming), metadata, self._timeout)
        reply = await self._cores.call(rpc(operation.rpc), request, metadata, self._timeout)
        return self._respond(operation, operation.encode(reply, incoming))

    async def _payload(self, operation: Operation, call: Call) -> Payload:
        if operation.request is None:
            return Payload({})
        return parse(await read_body(call, self._max_body, self._settings.body_timeout))

    async def _probe(self, access: Access, metadata: list[tuple[str, str]]) -> None:
        """Raises the Problem of a caller who may not call: that comes before what is wrong with the request."""
        if access in _PROBES:
            name, fields = _PROBES[access]
            method = rpc(name)
            await self._cores.call(method, method.request(**fields), metadata, self._timeout)

    def _metadata(self, call: Call, surface: Surface) -> list[tuple[str, str]]:
        return [
            *credentials_of(call).metadata(),
            ("x-request-id", call.request_id),
            ("x-llmrouter-client-address", self._addresses.of(call)),
            ("x-llmrouter-surface", surface.name),
        ]

    def _respond(self, operation: Operation, reply: Reply) -> web.Response:
        if operation.response is None:
            response = web.Response(status=operation.status)
        else:
            response = answer_json(reply.body, operation.status)
        flags: dict[str, Any] = {"path": "/", "httponly": True, "samesite": "Lax"}
        flags["secure"] = self._settings.secure_cookies
        if isinstance(reply.session, SetSession):
            max_age = max(0, int(reply.session.expires_at - self._now()))
            response.set_cookie(SESSION_COOKIE, reply.session.token, max_age=max_age, **flags)
        elif isinstance(reply.session, ClearSession):
            response.del_cookie(SESSION_COOKIE, **flags)
        return response
