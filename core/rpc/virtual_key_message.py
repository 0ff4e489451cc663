"""Virtual keys as messages, and what a message says of one, checked."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from core import inputs
from core.errors import InvalidArgument
from core.rpc.times import from_timestamp, to_timestamp
from core.store.virtual_keys import VirtualKey
from llmrouter.v1 import admin_pb2

CAP = "monthly_cap_nanousd"
"""The field that is a budget and no column."""

MAX_CAP = 10**18
"""The highest cap: a thousand million dollars."""

MAX_TOKENS = 10**9

_LABELS = ("cost_centre", "environment", "agent_name", "project_name")
_MAX_LABEL = 200
_TOKENS = ("max_output_tokens", "max_reasoning_tokens")

CREATABLE = ("name", *_LABELS, *_TOKENS, CAP, "allow_unpriced", "expires_at")
CHANGEABLE = (*CREATABLE, "is_active")


def to_message(key: VirtualKey, now: datetime) -> admin_pb2.VirtualKey:
    """A key as a message; there is no secret in it."""
    expired = key.expires_at is not None and key.expires_at <= now
    return admin_pb2.VirtualKey(
        id=key.id,
        user_id=key.user_id,
        user_email=key.email,
        name=key.name,
        prefix=key.prefix,
        cost_centre=key.cost_centre,
        environment=key.environment,
        agent_name=key.agent_name,
        project_name=key.project_name,
        project=key.project,
        monthly_cap_nanousd=key.monthly_cap_nanousd,
        max_output_tokens=key.max_output_tokens,
        max_reasoning_tokens=key.max_reasoning_tokens,
        allow_unpriced=key.allow_unpriced,
        is_active=key.usable and not expired,
        created_at=to_timestamp(key.created_at),
        updated_at=to_timestamp(key.updated_at),
        expires_at=None if key.expires_at is None else to_timestamp(key.expires_at),
        revoked_at=None if key.revoked_at is None else to_timestamp(key.revoked_at),
    )


_Request = admin_pb2.CreateVirtualKeyRequest | admin_pb2.UpdateVirtualKeyRequest


def read(request: _Request, names: Collection[str], now: datetime) -> dict[str, Any]:
    """The fields of a request that `names` has, checked: by column, and CAP. Raises InvalidArgument."""
    values: dict[str, Any] = {}
    if "name" in names:
        values["name"] = inputs.line(request.name, "name", least=1, most=_MAX_LABEL)
    for label in _LABELS:
        if label in names:
            values[label] = inputs.line(getattr(request, label), label, most=_MAX_LABEL)
    for cap in _TOKENS:
        if cap in names:
            values[cap] = _within(getattr(request, cap), cap, MAX_TOKENS)
    if CAP in names:
        values[CAP] = _within(request.monthly_cap_nanousd, CAP, MAX_CAP) if request.HasField(CAP) else None
    if "expires_at" in names:
        values["expires_at"] = _end(request, now)
    for flag in ("allow_unpriced", "is_active"):
        if flag in names:
            values[flag] = getattr(request, flag)
    return values


def _within(number: int, field: str, most: int) -> int:
    if not 0 <= number <= most:
        raise InvalidArgument(f"{field} must be a number from 0 to {most}", field=field)
    return number


def _end(request: _Request, now: datetime) -> datetime | None:
    if not request.HasField("expires_at"):
        return None
    end = from_timestamp(request.expires_at, "expires_at")
    if end <= now:
        raise InvalidArgument("expires_at must be in the future", field="expires_at")
    return end
