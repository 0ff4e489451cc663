"""Usage records as the shipper of the journal hands them over."""

from datetime import datetime
from typing import Any

from core.clock import micros
from tests.support.clock import FakeClock

START = FakeClock().now()

_ANSWERED: dict[str, Any] = {
    "created_at": micros(START),
    "user_id": 0,
    "credential_id": 0,
    "surface": "openai",
    "operation": "chat_completion",
    "requested_model": "small",
    "provider": "main",
    "model": "small-2026",
    "status_code": 200,
    "outcome": "answered",
    "error_reason": "",
    "streamed": False,
    "attempts": 1,
    "latency_us": 1000,
    "ttft_us": None,
    "input_tokens": 0,
    "output_tokens": 0,
    "cached_input_tokens": 0,
    "cache_write_tokens": 0,
    "reasoning_tokens": 0,
    "audio_input_tokens": 0,
    "audio_output_tokens": 0,
    "token_source": "provider",
    "cost_nanousd": None,
    "price_source": "",
    "messages": 1,
    "prompt_hash": "",
    "project": "",
}


def usage_record(request_id: str, *, at: datetime = START, **columns: Any) -> dict[str, Any]:
    """A record of a request that was answered; columns: what is different about it."""
    return _ANSWERED | {"request_id": request_id, "created_at": micros(at)} | columns
