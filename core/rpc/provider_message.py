"""Providers between messages and rows: pure functions, so that core/rpc/providers.py is only the use cases."""

from collections.abc import Callable, Collection, Sequence

from core.providers import fields
from core.routing.catalog import RuntimeModels
from core.rpc.times import to_timestamp
from core.store.model_entries import ModelEntryRow
from core.store.providers import ProviderChange, ProviderRow
from llmrouter.v1 import admin_pb2

CHANGEABLE = ("name", "type", "base_url", "api_key", "enabled", "timeouts")

Encrypt = Callable[[str], bytes]


def provider_message(row: ProviderRow, entries: Sequence[ModelEntryRow], runtime: RuntimeModels) -> admin_pb2.Provider:
    """What callers see of a provider. Of its key they see whether there is one."""
    message = admin_pb2.Provider(
        id=row.id,
        name=row.name,
        type=row.type,
        base_url=row.base_url,
        enabled=row.enabled,
        has_api_key=row.api_key is not None,
        source=row.source,
        models=map(entry_message, entries),
        runtime_models=runtime.models,
        models_error=runtime.error,
        created_at=to_timestamp(row.created_at),
        updated_at=to_timestamp(row.updated_at),
        timeouts=admin_pb2.ProviderTimeouts(
            connect_ms=row.connect_ms, first_byte_ms=row.first_byte_ms, idle_ms=row.idle_ms
        ),
    )
    if runtime.refreshed_at is not None:
        message.models_refreshed_at.CopyFrom(to_timestamp(runtime.refreshed_at))
    return message


def entry_message(row: ModelEntryRow) -> admin_pb2.ModelEntry:
    return admin_pb2.ModelEntry(
        id=row.id,
        provider_id=row.provider_id,
        name=row.name,
        created_at=to_timestamp(row.created_at),
        updated_at=to_timestamp(row.updated_at),
    )


def waits(timeouts: admin_pb2.ProviderTimeouts) -> tuple[int, int, int]:
    """How long to wait for a connection, a first byte and the next. Raises InvalidArgument."""
    return (
        fields.checked_wait(timeouts.connect_ms, "timeouts.connect_ms"),
        fields.checked_wait(timeouts.first_byte_ms, "timeouts.first_byte_ms"),
        fields.checked_wait(timeouts.idle_ms, "timeouts.idle_ms"),
    )


def changed(
    before: ProviderRow, request: admin_pb2.UpdateProviderRequest, names: Collection[str], encrypt: Encrypt
) -> ProviderChange:
    """What an update changes; names: the fields that it is about. Raises InvalidArgument."""
    values: ProviderChange = {}
    if "name" in names:
        values["name"] = fields.checked_name(request.name)
    kind = values["type"] = fields.checked_type(request.type) if "type" in names else before.type
    if "base_url" in names:
        values["base_url"] = fields.checked_base_url(kind, request.base_url)
    elif kind != before.type:
        values["base_url"] = fields.checked_base_url(kind, _address_to_keep(before, kind))
    if "api_key" in names and (api_key := fields.checked_key(request.api_key)):
        values["api_key"] = encrypt(api_key)
    if "enabled" in names:
        values["enabled"] = request.enabled
    if "timeouts" in names:
        values["connect_ms"], values["first_byte_ms"], values["idle_ms"] = waits(request.timeouts)
    return values


def _address_to_keep(before: ProviderRow, kind: str) -> str:
    """The address under a new type: one that the user gave stays, the old vendor's own does not."""
    if kind == fields.ECHO or before.base_url == fields.own_base_url(before.type):
        return ""
    return before.base_url
