"""What the accounts keep of a request.

    Opening ──► (Progress, once a second for a stream) ──► UsageRecord

All three are lines of the journal. They are arrays in the order of their fields: a field is only
ever added at the end and with a default, so that an older journal stays readable.
"""

from typing import Final

import msgspec

ANSWERED: Final = "answered"
FAILED: Final = "failed"
HUNG_UP: Final = "hung_up"
CANCELLED: Final = "cancelled"
LOST: Final = "lost"


class Opening(msgspec.Struct, array_like=True, frozen=True):
    """A request that was let in: enough to account for it should the process be killed."""

    request_id: str
    created_at: int  # microseconds since 1970
    user_id: int
    credential_id: int
    surface: str
    operation: str
    requested_model: str
    streamed: bool
    messages: int
    prompt_hash: str
    prompt_bytes: int


class Progress(msgspec.Struct, array_like=True, frozen=True):
    """How far a stream is."""

    request_id: str
    provider: str
    provider_type: str
    model: str
    ttft_us: int
    output_tokens: int  # counted so far


class UsageRecord(msgspec.Struct, array_like=True, frozen=True):
    """What a request used and how it ended. The fields are the columns of `usage_records`."""

    request_id: str
    created_at: int
    user_id: int
    credential_id: int
    surface: str
    operation: str
    requested_model: str
    provider: str
    model: str
    status_code: int
    outcome: str
    error_reason: str
    streamed: bool
    attempts: int
    latency_us: int
    ttft_us: int | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    audio_input_tokens: int
    audio_output_tokens: int
    token_source: str
    cost_nanousd: int | None
    price_source: str
    messages: int
    prompt_hash: str


COLUMNS: Final = UsageRecord.__struct_fields__
