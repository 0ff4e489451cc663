"""The part of AdminService that is about limits: how much may be asked for.

request ─► checked ─► the limit's row and a note of the change ─► read anew, here at once
"""

from collections.abc import Iterable
from typing import Any, Protocol

from sqlalchemy.exc import IntegrityError

from core import inputs
from core.deps import Deps
from core.errors import InvalidArgument, NameExists, NoChanges, NotFound
from core.ledger import scope as scopes
from core.ledger.limits import ANY, MODEL
from core.rpc import paging, scoped
from core.rpc.masks import fields_to_change
from core.rpc.times import to_timestamp
from core.store import changes, limits
from core.store.database import violated
from core.store.limits import COUNTS, LimitChange, LimitRow
from llmrouter.v1 import admin_pb2

_PAGE = 1000
_MAX_LIMITS = 10_000
_MAX_ID = 300
_MOST = 10**12

_KINDS = {
    admin_pb2.LIMIT_SCOPE_CREDENTIAL: scopes.CREDENTIAL,
    admin_pb2.LIMIT_SCOPE_USER: scopes.USER,
    admin_pb2.LIMIT_SCOPE_PROJECT: scopes.PROJECT,
    admin_pb2.LIMIT_SCOPE_MODEL: MODEL,
    admin_pb2.LIMIT_SCOPE_DEPLOYMENT: scopes.DEPLOYMENT,
}
_SCOPES = {kind: scope for scope, kind in _KINDS.items()}


class _Counts(Protocol):
    @property
    def requests_per_minute(self) -> int: ...
    @property
    def tokens_per_minute(self) -> int: ...
    @property
    def requests_per_day(self) -> int: ...
    @property
    def tokens_per_day(self) -> int: ...
    @property
    def concurrent_requests(self) -> int: ...


class LimitAdministration:
    """Limits of scopes."""

    deps: Deps

    async def ListLimits(self, request: admin_pb2.ListLimitsRequest, context: Any) -> admin_pb2.ListLimitsResponse:
        size = paging.page_size(request.page_size, default=_PAGE, most=_PAGE)
        (after_id,) = paging.decode(request.page_token, 0)
        kind = _kind(request.scope) if request.scope else ""
        async with self.deps.database.read() as connection:
            found = await limits.page(connection, kind, after_id=after_id, limit=size + 1)
        rows, more = paging.cut(found, size)
        return admin_pb2.ListLimitsResponse(
            limits=map(limit_message, rows), next_page_token=paging.encode(rows[-1].id) if more else ""
        )

    async def GetLimit(self, request: admin_pb2.GetLimitRequest, context: Any) -> admin_pb2.GetLimitResponse:
        async with self.deps.database.read() as connection:
            row = await limits.get(connection, request.id)
        if row is None:
            raise NotFound
        return admin_pb2.GetLimitResponse(limit=limit_message(row))

    async def CreateLimit(self, request: admin_pb2.CreateLimitRequest, context: Any) -> admin_pb2.CreateLimitResponse:
        kind = _kind(request.scope)
        scope_id = checked_id(kind, request.scope_id)
        counts = _counts(request, COUNTS)
        if not any(counts.values()):
            raise InvalidArgument("a limit needs a number that is not 0", field="requests_per_minute")
        now = self.deps.clock.now()
        try:
            async with self.deps.database.write() as connection:
                if scope_id != ANY and not await scoped.exists(connection, kind, scope_id, now):
                    raise InvalidArgument(f"there is no {kind} {scope_id}", field="scope_id")
                if await limits.count(connection) >= _MAX_LIMITS:
                    raise InvalidArgument(f"there are {_MAX_LIMITS} limits, which is the most; delete one first")
                row = await limits.add(connection, kind, scope_id, counts, "api", now)
                await changes.note(connection, "limit", row.id, now)
        except IntegrityError as error:
            if violated(error, "limits.scope_kind_scope_id") or violated(error, "limits.scope_kind"):
                raise NameExists("this scope has a limit already; change that one", field="scope_id") from error
            raise
        await self.deps.limits.load()
        return admin_pb2.CreateLimitResponse(limit=limit_message(row))

    async def UpdateLimit(self, request: admin_pb2.UpdateLimitRequest, context: Any) -> admin_pb2.UpdateLimitResponse:
        names = fields_to_change(request, COUNTS)
        if not names:
            raise NoChanges
        counts = _counts(request, names)
        now = self.deps.clock.now()
        async with self.deps.database.write() as connection:
            row = await limits.change(connection, request.id, counts, now)
            if row is None:
                raise NotFound
            if not any(getattr(row, name) for name in COUNTS):
                raise InvalidArgument("nothing would be limited; delete the limit instead", field="update_mask")
            await changes.note(connection, "limit", row.id, now)
        await self.deps.limits.load()
        return admin_pb2.UpdateLimitResponse(limit=limit_message(row))

    async def DeleteLimit(self, request: admin_pb2.DeleteLimitRequest, context: Any) -> admin_pb2.DeleteLimitResponse:
        async with self.deps.database.write() as connection:
            if not await limits.remove(connection, request.id):
                raise NotFound
            await changes.note(connection, "limit", request.id, self.deps.clock.now())
        await self.deps.limits.load()
        return admin_pb2.DeleteLimitResponse()


def limit_message(row: LimitRow) -> admin_pb2.Limit:
    """A limit as a message."""
    return admin_pb2.Limit(
        id=row.id,
        scope=_SCOPES.get(row.scope_kind, admin_pb2.LIMIT_SCOPE_UNSPECIFIED),
        scope_id=row.scope_id,
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        requests_per_day=row.requests_per_day,
        tokens_per_day=row.tokens_per_day,
        concurrent_requests=row.concurrent_requests,
        source=row.source,
        created_at=to_timestamp(row.created_at),
        updated_at=to_timestamp(row.updated_at),
    )


def scope_of(kind: str) -> admin_pb2.LimitScope:
    """The message's word for a kind of scope."""
    return _SCOPES[kind]


def checked_id(kind: str, text: str) -> str:
    """The id of a scope of that kind. Raises InvalidArgument."""
    if kind == scopes.DEPLOYMENT:
        if text:
            raise InvalidArgument("the deployment has no id", field="scope_id")
        return ""
    text = inputs.line(text, "scope_id", least=1, most=_MAX_ID)
    if text != ANY and kind in (scopes.CREDENTIAL, scopes.USER):
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise InvalidArgument(f"scope_id must be the {kind}'s number, or *", field="scope_id")
        text = str(int(text))
    return text


def _kind(scope: admin_pb2.LimitScope) -> str:
    kind = _KINDS.get(scope)
    if kind is None:
        raise InvalidArgument("scope must say what the limit is for", field="scope")
    return kind


def _counts(request: _Counts, names: Iterable[str]) -> LimitChange:
    counts: dict[str, int] = {name: getattr(request, name) for name in names}
    for name, number in counts.items():
        if not 0 <= number <= _MOST:
            raise InvalidArgument(f"{name} must be 0 to {_MOST}", field=name)
    return LimitChange(**counts)  # pyright: ignore[reportArgumentType] - the names are those of its keys
