"""The one handler that carries out every row of the tables of operations.

Call ─► body ─► decode ─► RPC ─► encode ─► answer
                  │         └─ AioRpcError ─► Problem
                  └─ Problem, but 401 and 403 come first
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from facade.address import ClientAddresses
from facade.answer import DETAIL, answer_json
from facade.body import read_body
from facade.call import Call
from facade.cores import Cores, rpc
from facade.credentials import SESSION_COOKIE, credentials_of
from facade.form import MAX_FORM, is_form, parse_form
from facade.operation import ClearSession, Operation, Reply, SetSession
from facade.payload import Incoming, Payload, parse
from facade.problem import Problem
from facade.route import Access, Handler, Route
from facade.settings import FacadeSettings
from facade.surface import Surface

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
                    status, words = operation.failures[problem.reason]
                    detail = {DETAIL: problem.message}
                    raise replace(
                        problem, reason=DOCUMENTED, status=status, message=words, metadata=detail
                    ) from problem
                raise

        return handle

    async def _carry_out(self, operation: Operation, surface: Surface, call: Call) -> web.StreamResponse:
        metadata = self.metadata(call, surface)
        try:
            incoming = Incoming(await self._payload(operation, call), call.params)
            request = operation.decode(incoming)
        except Problem:
            await self.probe(operation.access, metadata)
            raise
        if operation.first is not None:
            name, decode = operation.first
            await self._cores.call(rpc(name), decode(incoming), metadata, self._timeout)
        reply = await self._cores.call(rpc(operation.rpc), request, metadata, self._timeout)
        return self._respond(operation, operation.encode(reply, incoming))

    async def _payload(self, operation: Operation, call: Call) -> Payload:
        if operation.request is None:
            return Payload({})
        if operation.forms and is_form(call.content_type):
            data = await read_body(call, min(self._max_body, MAX_FORM), self._settings.body_timeout)
            return parse_form(call.headers["Content-Type"], data)
        return parse(await read_body(call, self._max_body, self._settings.body_timeout))

    async def probe(self, access: Access, metadata: list[tuple[str, str]]) -> None:
        """Raises the Problem of a caller who may not call: that comes before what is wrong with the request."""
        if access in _PROBES:
            name, fields = _PROBES[access]
            method = rpc(name)
            await self._cores.call(method, method.request(**fields), metadata, self._timeout)

    def metadata(self, call: Call, surface: Surface) -> list[tuple[str, str]]:
        """What an RPC is told of a call: its credentials, its id, and where it came from."""
        return [
            *credentials_of(call, surface.query_key).metadata(),
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
