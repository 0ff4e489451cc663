"""UsageService: what requests used, summed up and one by one."""

from datetime import datetime
from typing import Any, Protocol

import grpc.aio
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp

from core.deps import Deps
from core.inputs import passage
from core.ledger import reports
from core.rpc import caller, paging
from core.rpc.times import from_timestamp, to_timestamp
from core.store.usage import Selection, UsageRow
from llmrouter.v1 import router_pb2, usage_pb2, usage_pb2_grpc

_PAGE = 100
_MAX_PAGE = 1000
_LAST = 2**63 - 1


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    usage_pb2_grpc.add_UsageServiceServicer_to_server(UsageService(deps), server)
    return usage_pb2.DESCRIPTOR.services_by_name["UsageService"].full_name


class UsageService(usage_pb2_grpc.UsageServiceServicer):
    """Who used what."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps

    async def GetStats(self, request: usage_pb2.GetStatsRequest, context: Any) -> usage_pb2.GetStatsResponse:
        start, end = _span(request)
        sums = await reports.stats(
            self.deps.database, caller.current().principal, request.user_id, start=start, end=end
        )
        return usage_pb2.GetStatsResponse(
            requests=sums.requests,
            avg_ms=sums.latency_us / sums.requests / 1000 if sums.requests else 0.0,
            tokens_in=sums.input_tokens,
            tokens_out=sums.output_tokens,
            messages=sums.messages,
            cost_nanousd=sums.cost_nanousd,
            failures=sums.failures,
        )

    async def ListUsageRecords(
        self, request: usage_pb2.ListUsageRecordsRequest, context: Any
    ) -> usage_pb2.ListUsageRecordsResponse:
        size = paging.page_size(request.page_size, default=_PAGE, most=_MAX_PAGE)
        (before_id,) = paging.decode(request.page_token, _LAST)
        found = await reports.records(
            self.deps.database, caller.current().principal, _selection(request), before_id=before_id, limit=size + 1
        )
        rows, more = paging.cut(found, size)
        return usage_pb2.ListUsageRecordsResponse(
            records=map(_message, rows), next_page_token=paging.encode(rows[-1].id) if more else ""
        )


class _Spanning(Protocol):
    """A request about a span of time; it is a protobuf message too."""

    @property
    def start_time(self) -> Timestamp: ...
    @property
    def end_time(self) -> Timestamp: ...
    def HasField(self, field_name: Any) -> bool: ...


def _span(request: _Spanning) -> tuple[datetime | None, datetime | None]:
    return (
        from_timestamp(request.start_time, "start_time") if request.HasField("start_time") else None,
        from_timestamp(request.end_time, "end_time") if request.HasField("end_time") else None,
    )


def _selection(request: usage_pb2.ListUsageRecordsRequest) -> Selection:
    """What a request asks about: what it leaves empty, it does not ask about."""
    start, end = _span(request)
    return Selection(
        user_id=request.user_id or None,
        credential_id=request.credential_id or None,
        start=start,
        end=end,
        model=passage(request.model, "model", most=300) or None,
        provider=passage(request.provider, "provider", most=100) or None,
        status_code=request.status_code or None,
        request_id=passage(request.request_id, "request_id", most=100) or None,
    )


def _message(row: UsageRow) -> usage_pb2.UsageRecord:
    return usage_pb2.UsageRecord(
        id=row.id,
        request_id=row.request_id,
        created_at=to_timestamp(row.created_at),
        user_id=row.user_id,
        credential_id=row.credential_id,
        surface=row.surface,
        operation=_named(router_pb2.Operation, "OPERATION", row.operation),
        requested_model=row.requested_model,
        provider=row.provider,
        model=row.model,
        status_code=row.status_code,
        outcome=_named(usage_pb2.Outcome, "OUTCOME", row.outcome),
        error_reason=row.error_reason,
        streamed=row.streamed,
        attempts=row.attempts,
        latency_ms=row.latency_us / 1000,
        ttft_ms=None if row.ttft_us is None else row.ttft_us / 1000,
        tokens=_tokens(row),
        cost_nanousd=row.cost_nanousd,
        price_source=row.price_source,
        messages=row.messages,
        prompt_hash=row.prompt_hash,
    )


def _tokens(row: UsageRow) -> router_pb2.TokenUsage:
    return router_pb2.TokenUsage(
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cached_input_tokens=row.cached_input_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
        audio_input_tokens=row.audio_input_tokens,
        audio_output_tokens=row.audio_output_tokens,
        source=_named(router_pb2.TokenSource, "TOKEN_SOURCE", row.token_source),
    )


def _named(enum: EnumTypeWrapper, prefix: str, text: str) -> str:
    """The name of a stored text in an enum. One that this version does not know must not break the whole list."""
    name = f"{prefix}_{text.upper()}"
    return name if name in enum.keys() else f"{prefix}_UNSPECIFIED"  # noqa: SIM118 - it is no mapping
