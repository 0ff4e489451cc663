"""Usage records as messages, and what a request asks of them."""

from datetime import datetime
from typing import Any, Protocol

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.timestamp_pb2 import Timestamp

from core.errors import InvalidArgument
from core.inputs import passage
from core.rpc.relay import OPERATIONS
from core.rpc.times import from_timestamp, to_timestamp
from core.store.usage import Selection, UsageRow
from llmrouter.v1 import router_pb2, usage_pb2

_OUTCOME = "OUTCOME"
_OPERATIONS = {operation: number for number, operation in OPERATIONS.items()}


class Spanning(Protocol):
    """A request about a span of time; it is a protobuf message too."""

    @property
    def start_time(self) -> Timestamp: ...
    @property
    def end_time(self) -> Timestamp: ...
    def HasField(self, field_name: Any) -> bool: ...


Selecting = usage_pb2.ListUsageRecordsRequest | usage_pb2.ExportUsageRecordsRequest | usage_pb2.WatchUsageRequest


def span(request: Spanning) -> tuple[datetime | None, datetime | None]:
    """From when on, and up to when. Raises InvalidArgument."""
    return (
        from_timestamp(request.start_time, "start_time") if request.HasField("start_time") else None,
        from_timestamp(request.end_time, "end_time") if request.HasField("end_time") else None,
    )


def selection(request: Selecting) -> Selection:
    """What a request asks about: what it leaves empty, it does not ask about. Raises InvalidArgument."""
    start, end = span(request)
    paged = not isinstance(request, usage_pb2.WatchUsageRequest)
    return Selection(
        user_id=request.user_id or None,
        credential_id=request.credential_id or None,
        start=start,
        end=end,
        model=passage(request.model, "model", most=300) or None,
        provider=passage(request.provider, "provider", most=100) or None,
        status_code=request.status_code or None,
        request_id=passage(request.request_id, "request_id", most=100) or None,
        project=passage(request.project, "project", most=200) or None,
        outcome=_outcome(request.outcome),
        before_id=(request.before_id or None) if paged else None,
        after_id=(request.after_id or None) if paged else None,
    )


def _outcome(number: usage_pb2.Outcome) -> str | None:
    if not number:
        return None
    if number not in usage_pb2.Outcome.values():
        raise InvalidArgument("not an outcome", field="outcome")
    return usage_pb2.Outcome.Name(number).removeprefix(f"{_OUTCOME}_").lower()


def to_message(row: UsageRow) -> usage_pb2.UsageRecord:
    """A record as a message."""
    return usage_pb2.UsageRecord(
        id=row.id,
        request_id=row.request_id,
        created_at=to_timestamp(row.created_at),
        user_id=row.user_id,
        credential_id=row.credential_id,
        surface=row.surface,
        operation=_OPERATIONS.get(row.operation, router_pb2.OPERATION_UNSPECIFIED),
        requested_model=row.requested_model,
        provider=row.provider,
        model=row.model,
        status_code=row.status_code,
        outcome=_named(usage_pb2.Outcome, _OUTCOME, row.outcome),
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
        project=row.project,
        user_email=row.user_email,
        virtual_key_id=row.virtual_key_id,
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
