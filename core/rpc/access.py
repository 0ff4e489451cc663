"""The gate that every RPC passes: it authenticates, authorises, names the request, and maps errors.

It wraps the body of each handler, generators included, so that no error inside a stream escapes the
table in core/rpc/errors.py.
"""

import asyncio
import hmac
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc
from grpc.aio import AbortError, ServerInterceptor, ServicerContext

from core.auth import NOBODY, Authenticator, Principal, Secrets
from core.clock import Clock
from core.errors import Forbidden, Unsupported
from core.ids import NewId
from core.rpc import caller, errors
from core.rpc.caller import Caller
from core.rpc.corrupt import lenient, refuse_corrupt
from core.rpc.forsaken import Forsaken
from core.rpc.policy import Access, Rule, check_kind, check_surface, rule_for

log = logging.getLogger("llmrouter.rpc")

_MAX_REQUEST_ID = 100
_QUIET = ("/grpc.", "/llmrouter.v1.AdminService/GetMetrics")


class Gate(ServerInterceptor):  # pyright: ignore[reportMissingTypeArgument] - generic in the stubs alone
    """The one interceptor of the gRPC server."""

    def __init__(
        self, authenticator: Authenticator, internal_token: str, clock: Clock, new_id: NewId, forsaken: Forsaken
    ) -> None:
        self._forsaken = forsaken
        self._authenticator = authenticator
        self._internal_token = internal_token
        self._clock = clock
        self._new_id = new_id

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any]"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        method = handler_call_details.method
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return handler  # gRPC answers UNIMPLEMENTED
        rule = rule_for(method)
        metadata = {
            key: value for key, value in handler_call_details.invocation_metadata or () if isinstance(value, str)
        }
        requests = "stream" if handler.request_streaming else "unary"
        responses = "stream" if handler.response_streaming else "unary"
        kind = f"{requests}_{responses}"
        behaviour = getattr(handler, kind)
        wrap = self._generator if inspect.isasyncgenfunction(behaviour) else self._coroutine
        make: Any = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(
            wrap(method, rule, metadata, behaviour),
            request_deserializer=lenient(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _coroutine(self, method: str, rule: Rule | None, metadata: dict[str, str], behaviour: Any) -> Any:
        async def call(request: Any, context: ServicerContext[Any, Any]) -> Any:
            is_facade = self._is_facade(metadata)
            started, request_id, code = self._clock.monotonic(), self._request_id(metadata, is_facade=is_facade), "OK"
            try:
                try:
                    await self._enter(rule, metadata, request_id, context, is_facade=is_facade)
                except asyncio.CancelledError:
                    self._left(method, rule, metadata, request, request_id, is_facade=is_facade)
                    raise
                refuse_corrupt(request)
                return await behaviour(request, context)
            except (asyncio.CancelledError, AbortError):
                code = "ABORTED"
                raise
            except Exception as error:
                mapped = errors.known(error, request_id)
                code = mapped.reason
                await errors.abort(context, mapped)
            finally:
                self._log(method, metadata, request_id, code, started)

        return call

    def _generator(self, method: str, rule: Rule | None, metadata: dict[str, str], behaviour: Any) -> Any:
        async def call(request: Any, context: ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            is_facade = self._is_facade(metadata)
            started, request_id, code = self._clock.monotonic(), self._request_id(metadata, is_facade=is_facade), "OK"
            try:
                await self._enter(rule, metadata, request_id, context, is_facade=is_facade)
                refuse_corrupt(request)
                async for response in behaviour(request, context):
                    yield response
            except (asyncio.CancelledError, GeneratorExit, AbortError):
                code = "ABORTED"
                raise
            except Exception as error:
                mapped = errors.known(error, request_id)
                code = mapped.reason
                await errors.abort(context, mapped)
            finally:
                self._log(method, metadata, request_id, code, started)

        return call

    async def _enter(
        self,
        rule: Rule | None,
        metadata: dict[str, str],
        request_id: str,
        context: ServicerContext[Any, Any],
        *,
        is_facade: bool,
    ) -> None:
        """Lets the call in, or raises Unauthenticated or Forbidden."""
        if rule is None:
            raise Unsupported("this method is not open")
        secrets = _secrets(metadata, is_facade=is_facade)
        trusted = metadata if is_facade else {}
        surface = _surface(metadata, is_facade=is_facade)
        caller.enter(
            Caller(
                principal=await self._principal(rule, secrets, is_facade=is_facade, surface=surface),
                request_id=request_id,
                client_address=trusted.get("x-llmrouter-client-address") or context.peer() or "",
                surface=surface,
                secrets=secrets,
                is_facade=is_facade,
            )
        )
        await context.send_initial_metadata((("x-request-id", request_id),))

    def _left(
        self,
        method: str,
        rule: Rule | None,
        metadata: dict[str, str],
        request: Any,
        request_id: str,
        *,
        is_facade: bool,
    ) -> None:
        """The caller went away before it was known who that is."""
        if rule is not None:
            secrets, surface = _secrets(metadata, is_facade=is_facade), _surface(metadata, is_facade=is_facade)
            ask_again = partial(self._principal, rule, secrets, is_facade=is_facade, surface=surface)
            self._forsaken.note(method, request, request_id, surface, ask_again)

    async def _principal(self, rule: Rule, secrets: Secrets, *, is_facade: bool, surface: str) -> Principal:
        if rule.access is Access.ANYONE:
            return NOBODY
        if is_facade and rule.access in (Access.OPERATOR, Access.PER_CALL):
            return NOBODY
        principal = await self._authenticator.authenticate(secrets)
        check_surface(surface, principal)
        check_kind(rule, principal)
        principal.require(rule.scope)
        if rule.access in (Access.ADMIN, Access.OPERATOR) and not principal.is_admin:
            raise Forbidden
        return principal

    def _is_facade(self, metadata: dict[str, str]) -> bool:
        """Whether the caller proved to be our own facade."""
        given = metadata.get("x-llmrouter-internal", "")
        return hmac.compare_digest(given.encode(), self._internal_token.encode())

    def _request_id(self, metadata: dict[str, str], *, is_facade: bool) -> str:
        """The facade's id, else a new one: a usage record is kept under it, so no other caller may choose it."""
        given = _sane_id(metadata) if is_facade else ""
        return given or self._new_id("req")

    def _log(self, method: str, metadata: dict[str, str], request_id: str, code: str, started: float) -> None:
        if method.startswith(_QUIET):
            return
        took = (self._clock.monotonic() - started) * 1000
        extra = {"method": method, "code": code, "ms": round(took, 1), "request_id": request_id}
        given = _sane_id(metadata)
        if given and given != request_id:
            extra["client_request_id"] = given
        log.info("rpc", extra=extra)


def _secrets(metadata: dict[str, str], *, is_facade: bool) -> Secrets:
    return Secrets(
        authorization=metadata.get("authorization", ""),
        api_key=metadata.get("x-api-key", ""),
        virtual_key=metadata.get("x-virtual-key", ""),
        session=metadata.get("x-llmrouter-session", "") if is_facade else "",
    )


def _surface(metadata: dict[str, str], *, is_facade: bool) -> str:
    return metadata.get("x-llmrouter-surface", "grpc") if is_facade else "grpc"


def _sane_id(metadata: dict[str, str]) -> str:
    """The id that the caller gave the request; "" for none, and for one that is no id."""
    given = metadata.get("x-request-id", "")
    return given if len(given) <= _MAX_REQUEST_ID and given.isprintable() else ""
