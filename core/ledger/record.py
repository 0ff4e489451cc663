"""What the accounts keep of a request.

    Opening ──► (Holding, under a budget) ──► (Progress, once a second for a stream) ──► UsageRecord

All of them are lines of the journal. They are arrays in the order of their fields: a field is only
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
    project: str = ""


class Charge(msgspec.Struct, array_like=True, frozen=True):
    """What a request has to do with one balance of a budget."""

    balance_id: int
    lease_id: int  # of the process that holds; 0 under a budget that only watches
    held: int  # nano-dollars
    covered: int  # how much of the cost, or of the hold while there is no cost yet, the lease pays for


class Holding(msgspec.Struct, array_like=True, frozen=True):
    """What a request may cost at the provider that it goes to now. The last one of a request counts."""

    request_id: str
    provider: str
    provider_type: str
    model: str
    amount: int  # the worst case, in nano-dollars
    price_source: str
    charges: list[Charge]


class Progress(msgspec.Struct, array_like=True, frozen=True):
    """How far a stream is."""

    request_id: str
    provider: str
    provider_type: str
    model: str
    ttft_us: int
    output_tokens: int  # counted so far


class UsageRecord(msgspec.Struct, array_like=True, frozen=True):
    """What a request used and how it ended. The fields are the columns of `usage_records`, but for the charges."""

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
    project: str = ""
    charges: list[Charge] = []


COLUMNS: Final = tuple(name for name in UsageRecord.__struct_fields__ if name != "charges")
