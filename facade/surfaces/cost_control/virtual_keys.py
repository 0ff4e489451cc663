"""Virtual keys: administrators make, change and revoke them, everybody sees their own."""

from collections.abc import Mapping
from typing import Any

from facade.dollars import to_dollars, to_nanos
from facade.operation import Operation, Reply
from facade.payload import Incoming, Payload, invalid
from facade.route import Access
from facade.schema import BOOLEAN, INTEGER, MOMENT, NUMBER, STRING, Schema, array, obj, or_null, text
from facade.wire import moment, timestamp
from llmrouter.v1 import admin_pb2 as pb

_MAX_DOLLARS = 1_000_000_000
_MAX_TOKENS = 1_000_000_000

_TEXTS = ("cost_centre", "environment", "agent_name", "project_name")
# The document's names of numbers → the core's.
_TOKENS = {"max_tokens_per_request": "max_output_tokens", "max_reasoning_tokens": "max_reasoning_tokens"}

_KEY = obj(
    id=INTEGER,
    name=STRING,
    key_prefix=STRING,
    user_email=STRING,
    cost_centre=or_null(STRING),
    environment=or_null(STRING),
    agent_name=or_null(STRING),
    project_name=or_null(STRING),
    monthly_budget_cap=or_null(NUMBER),
    max_tokens_per_request=or_null(INTEGER),
    max_reasoning_tokens=or_null(INTEGER),
    allow_unpriced=BOOLEAN,
    is_active=BOOLEAN,
    created_at=MOMENT,
    updated_at=MOMENT,
    expires_at=or_null(MOMENT),
    revoked_at=or_null(MOMENT),
)
_MADE = obj(None, **_KEY["properties"], key=STRING)

_LABEL = text(0, 200)
_COUNT: Schema = {**INTEGER, "minimum": 1, "maximum": _MAX_TOKENS}
_OPTIONAL: dict[str, Schema] = {
    **dict.fromkeys(_TEXTS, _LABEL),
    **dict.fromkeys(_TOKENS, _COUNT),
    "monthly_budget_cap": {"type": "number", "minimum": 0, "maximum": _MAX_DOLLARS},
    "allow_unpriced": BOOLEAN,
    "expires_at": MOMENT,
}


def _key_json(key: pb.VirtualKey) -> dict[str, Any]:
    capped = key.HasField("monthly_cap_nanousd")
    return {
        "id": key.id,
        "name": key.name,
        "key_prefix": key.prefix,
        "user_email": key.user_email,
        "cost_centre": key.cost_centre or None,
        "environment": key.environment or None,
        "agent_name": key.agent_name or None,
        "project_name": key.project_name or None,
        "monthly_budget_cap": to_dollars(key.monthly_cap_nanousd) if capped else None,
        "max_tokens_per_request": key.max_output_tokens or None,
        "max_reasoning_tokens": key.max_reasoning_tokens or None,
        "allow_unpriced": key.allow_unpriced,
        "is_active": key.is_active,
        "created_at": moment(key, "created_at"),
        "updated_at": moment(key, "updated_at"),
        "expires_at": moment(key, "expires_at"),
        "revoked_at": moment(key, "revoked_at"),
    }


def _fields(payload: Payload) -> Mapping[str, Any]:
    """What a payload says of a key, under the core's names; None for what it says nothing of, or takes away."""
    cap = payload.optional_number("monthly_budget_cap", least=0, most=_MAX_DOLLARS)
    end = payload.optional_text("expires_at")
    return {
        "name": payload.optional_text("name"),
        **{name: payload.optional_text(name) for name in _TEXTS},
        **{field: payload.optional_integer(name, least=1, most=_MAX_TOKENS) for name, field in _TOKENS.items()},
        "monthly_cap_nanousd": None if cap is None else to_nanos(cap),
        "allow_unpriced": payload.optional_flag("allow_unpriced"),
        "expires_at": None if end is None else timestamp(end, "expires_at"),
    }


def _decode_create(incoming: Incoming) -> pb.CreateVirtualKeyRequest:
    payload = incoming.payload
    payload.text("name")
    return pb.CreateVirtualKeyRequest(user_email=payload.optional_text("user_email"), **_fields(payload))


_NAMES = {"monthly_budget_cap": "monthly_cap_nanousd", **_TOKENS}
_FLAGS = ("is_active", "allow_unpriced")


def _decode_update(incoming: Incoming) -> pb.UpdateVirtualKeyRequest:
    """Names in the mask what came, `null` included, which takes away."""
    payload = incoming.payload
    fields: dict[str, Any] = {**_fields(payload), "is_active": payload.optional_flag("is_active")}
    request = pb.UpdateVirtualKeyRequest(id=incoming.number("id"), **fields)
    for name in ("name", "is_active", *_OPTIONAL):
        field = _NAMES.get(name, name)
        if payload.names(name) and not (name in _FLAGS and fields[field] is None):  # a flag that is null says nothing
            request.update_mask.paths.append(field)
    if not request.update_mask.paths:
        raise invalid("names nothing to change")
    return request


def _encode_made(reply: pb.CreateVirtualKeyResponse, incoming: Incoming) -> Reply:
    return Reply({**_key_json(reply.virtual_key), "key": reply.value})


def _encode_key(reply: pb.GetVirtualKeyResponse | pb.UpdateVirtualKeyResponse, incoming: Incoming) -> Reply:
    return Reply(_key_json(reply.virtual_key))


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/admin/virtual-keys",
        rpc="AdminService.CreateVirtualKey",
        summary="Make a virtual key",
        description="`key` is the whole key; it is in this answer and never again. Without `user_email` it is yours.",
        access=Access.ADMIN,
        decode=_decode_create,
        encode=_encode_made,
        status=201,
        request=obj({"user_email": text(0, 320), **_OPTIONAL}, name=text(1, 200)),
        response=_MADE,
    ),
    Operation(
        method="GET",
        path="/api/admin/virtual-keys",
        rpc="AdminService.ListVirtualKeys",
        summary="List virtual keys",
        description="Administrators see all of them, others their own.",
        decode=lambda incoming: pb.ListVirtualKeysRequest(),
        encode=lambda reply, incoming: Reply([_key_json(key) for key in reply.virtual_keys]),
        response=array(_KEY),
    ),
    Operation(
        method="GET",
        path="/api/admin/virtual-keys/{id}",
        rpc="AdminService.GetVirtualKey",
        summary="A virtual key",
        decode=lambda incoming: pb.GetVirtualKeyRequest(id=incoming.number("id")),
        encode=_encode_key,
        response=_KEY,
        errors=(404,),
    ),
    Operation(
        method="PATCH",
        path="/api/admin/virtual-keys/{id}",
        rpc="AdminService.UpdateVirtualKey",
        summary="Change a virtual key",
        description="`null` takes a cap, a label or an end away.",
        access=Access.ADMIN,
        decode=_decode_update,
        encode=_encode_key,
        request=obj({"name": text(1, 200), "is_active": BOOLEAN, **_OPTIONAL}),
        response=_KEY,
        errors=(404,),
    ),
    Operation(
        method="DELETE",
        path="/api/admin/virtual-keys/{id}",
        rpc="AdminService.DeleteVirtualKey",
        summary="Revoke a virtual key for good",
        description="Its record stays, with `is_active` false.",
        access=Access.ADMIN,
        decode=lambda incoming: pb.DeleteVirtualKeyRequest(id=incoming.number("id")),
        encode=lambda reply, incoming: Reply(),
        status=204,
        errors=(404,),
    ),
)
