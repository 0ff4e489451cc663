import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from llmrouter.v1 import budget_pb2 as _budget_pb2
from llmrouter.v1 import router_pb2 as _router_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_ANSWERED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
    OUTCOME_HUNG_UP: _ClassVar[Outcome]
    OUTCOME_CANCELLED: _ClassVar[Outcome]
    OUTCOME_LOST: _ClassVar[Outcome]

class ExportFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPORT_FORMAT_UNSPECIFIED: _ClassVar[ExportFormat]
    EXPORT_FORMAT_CSV: _ClassVar[ExportFormat]
    EXPORT_FORMAT_NDJSON: _ClassVar[ExportFormat]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_ANSWERED: Outcome
OUTCOME_FAILED: Outcome
OUTCOME_HUNG_UP: Outcome
OUTCOME_CANCELLED: Outcome
OUTCOME_LOST: Outcome
EXPORT_FORMAT_UNSPECIFIED: ExportFormat
EXPORT_FORMAT_CSV: ExportFormat
EXPORT_FORMAT_NDJSON: ExportFormat

class GetStatsRequest(_message.Message):
    __slots__ = ("user_id", "start_time", "end_time", "administrators_only")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ADMINISTRATORS_ONLY_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    administrators_only: bool
    def __init__(self, user_id: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., administrators_only: _Optional[bool] = ...) -> None: ...

class GetStatsResponse(_message.Message):
    __slots__ = ("requests", "avg_ms", "tokens_in", "tokens_out", "messages", "cost_nanousd", "failures")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    AVG_MS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_IN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_OUT_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    COST_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    requests: int
    avg_ms: float
    tokens_in: int
    tokens_out: int
    messages: int
    cost_nanousd: int
    failures: int
    def __init__(self, requests: _Optional[int] = ..., avg_ms: _Optional[float] = ..., tokens_in: _Optional[int] = ..., tokens_out: _Optional[int] = ..., messages: _Optional[int] = ..., cost_nanousd: _Optional[int] = ..., failures: _Optional[int] = ...) -> None: ...

class UsageRecord(_message.Message):
    __slots__ = ("id", "request_id", "created_at", "user_id", "credential_id", "surface", "operation", "requested_model", "provider", "model", "status_code", "outcome", "error_reason", "streamed", "attempts", "latency_ms", "ttft_ms", "tokens", "cost_nanousd", "price_source", "messages", "prompt_hash", "project", "user_email", "virtual_key_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_ID_FIELD_NUMBER: _ClassVar[int]
    SURFACE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASON_FIELD_NUMBER: _ClassVar[int]
    STREAMED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    TTFT_MS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    PRICE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_HASH_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    USER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    VIRTUAL_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    request_id: str
    created_at: _timestamp_pb2.Timestamp
    user_id: int
    credential_id: int
    surface: str
    operation: _router_pb2.Operation
    requested_model: str
    provider: str
    model: str
    status_code: int
    outcome: Outcome
    error_reason: str
    streamed: bool
    attempts: int
    latency_ms: float
    ttft_ms: float
    tokens: _router_pb2.TokenUsage
    cost_nanousd: int
    price_source: str
    messages: int
    prompt_hash: str
    project: str
    user_email: str
    virtual_key_id: int
    def __init__(self, id: _Optional[int] = ..., request_id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., user_id: _Optional[int] = ..., credential_id: _Optional[int] = ..., surface: _Optional[str] = ..., operation: _Optional[_Union[_router_pb2.Operation, str]] = ..., requested_model: _Optional[str] = ..., provider: _Optional[str] = ..., model: _Optional[str] = ..., status_code: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., error_reason: _Optional[str] = ..., streamed: _Optional[bool] = ..., attempts: _Optional[int] = ..., latency_ms: _Optional[float] = ..., ttft_ms: _Optional[float] = ..., tokens: _Optional[_Union[_router_pb2.TokenUsage, _Mapping]] = ..., cost_nanousd: _Optional[int] = ..., price_source: _Optional[str] = ..., messages: _Optional[int] = ..., prompt_hash: _Optional[str] = ..., project: _Optional[str] = ..., user_email: _Optional[str] = ..., virtual_key_id: _Optional[int] = ...) -> None: ...

class ListUsageRecordsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "user_id", "credential_id", "start_time", "end_time", "model", "provider", "status_code", "request_id", "project", "outcome", "before_id", "after_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    user_id: int
    credential_id: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    model: str
    provider: str
    status_code: int
    request_id: str
    project: str
    outcome: Outcome
    before_id: int
    after_id: int
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., user_id: _Optional[int] = ..., credential_id: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., status_code: _Optional[int] = ..., request_id: _Optional[str] = ..., project: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., before_id: _Optional[int] = ..., after_id: _Optional[int] = ...) -> None: ...

class ListUsageRecordsResponse(_message.Message):
    __slots__ = ("records", "next_page_token")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[UsageRecord]
    next_page_token: str
    def __init__(self, records: _Optional[_Iterable[_Union[UsageRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetOverviewRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetOverviewResponse(_message.Message):
    __slots__ = ("spend_today_nanousd", "spend_month_nanousd", "spend_year_nanousd", "forecast_month_nanousd", "requests", "tokens", "top_users", "top_projects", "waste")
    SPEND_TODAY_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    SPEND_MONTH_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    SPEND_YEAR_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    FORECAST_MONTH_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOP_USERS_FIELD_NUMBER: _ClassVar[int]
    TOP_PROJECTS_FIELD_NUMBER: _ClassVar[int]
    WASTE_FIELD_NUMBER: _ClassVar[int]
    spend_today_nanousd: int
    spend_month_nanousd: int
    spend_year_nanousd: int
    forecast_month_nanousd: int
    requests: int
    tokens: int
    top_users: _containers.RepeatedCompositeFieldContainer[UserSpend]
    top_projects: _containers.RepeatedCompositeFieldContainer[ProjectSpend]
    waste: Waste
    def __init__(self, spend_today_nanousd: _Optional[int] = ..., spend_month_nanousd: _Optional[int] = ..., spend_year_nanousd: _Optional[int] = ..., forecast_month_nanousd: _Optional[int] = ..., requests: _Optional[int] = ..., tokens: _Optional[int] = ..., top_users: _Optional[_Iterable[_Union[UserSpend, _Mapping]]] = ..., top_projects: _Optional[_Iterable[_Union[ProjectSpend, _Mapping]]] = ..., waste: _Optional[_Union[Waste, _Mapping]] = ...) -> None: ...

class UserSpend(_message.Message):
    __slots__ = ("user_id", "user_email", "cost_nanousd", "requests")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    COST_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    user_id: int
    user_email: str
    cost_nanousd: int
    requests: int
    def __init__(self, user_id: _Optional[int] = ..., user_email: _Optional[str] = ..., cost_nanousd: _Optional[int] = ..., requests: _Optional[int] = ...) -> None: ...

class ProjectSpend(_message.Message):
    __slots__ = ("project", "cost_nanousd", "requests")
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    COST_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    project: str
    cost_nanousd: int
    requests: int
    def __init__(self, project: _Optional[str] = ..., cost_nanousd: _Optional[int] = ..., requests: _Optional[int] = ...) -> None: ...

class Waste(_message.Message):
    __slots__ = ("repeats", "cost_nanousd", "top_prompts")
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    COST_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    TOP_PROMPTS_FIELD_NUMBER: _ClassVar[int]
    repeats: int
    cost_nanousd: int
    top_prompts: _containers.RepeatedCompositeFieldContainer[RepeatedPrompt]
    def __init__(self, repeats: _Optional[int] = ..., cost_nanousd: _Optional[int] = ..., top_prompts: _Optional[_Iterable[_Union[RepeatedPrompt, _Mapping]]] = ...) -> None: ...

class RepeatedPrompt(_message.Message):
    __slots__ = ("prompt_hash", "repeats", "cost_nanousd")
    PROMPT_HASH_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    COST_NANOUSD_FIELD_NUMBER: _ClassVar[int]
    prompt_hash: str
    repeats: int
    cost_nanousd: int
    def __init__(self, prompt_hash: _Optional[str] = ..., repeats: _Optional[int] = ..., cost_nanousd: _Optional[int] = ...) -> None: ...

class ExportUsageRecordsRequest(_message.Message):
    __slots__ = ("format", "limit", "user_id", "credential_id", "start_time", "end_time", "model", "provider", "status_code", "request_id", "project", "outcome", "before_id", "after_id")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    BEFORE_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    format: ExportFormat
    limit: int
    user_id: int
    credential_id: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    model: str
    provider: str
    status_code: int
    request_id: str
    project: str
    outcome: Outcome
    before_id: int
    after_id: int
    def __init__(self, format: _Optional[_Union[ExportFormat, str]] = ..., limit: _Optional[int] = ..., user_id: _Optional[int] = ..., credential_id: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., status_code: _Optional[int] = ..., request_id: _Optional[str] = ..., project: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., before_id: _Optional[int] = ..., after_id: _Optional[int] = ...) -> None: ...

class ExportUsageRecordsResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class WatchUsageRequest(_message.Message):
    __slots__ = ("after_id", "user_id", "credential_id", "start_time", "end_time", "model", "provider", "status_code", "request_id", "project", "outcome")
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    after_id: int
    user_id: int
    credential_id: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    model: str
    provider: str
    status_code: int
    request_id: str
    project: str
    outcome: Outcome
    def __init__(self, after_id: _Optional[int] = ..., user_id: _Optional[int] = ..., credential_id: _Optional[int] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., status_code: _Optional[int] = ..., request_id: _Optional[str] = ..., project: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ...) -> None: ...

class WatchUsageResponse(_message.Message):
    __slots__ = ("records", "position")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[UsageRecord]
    position: int
    def __init__(self, records: _Optional[_Iterable[_Union[UsageRecord, _Mapping]]] = ..., position: _Optional[int] = ...) -> None: ...
