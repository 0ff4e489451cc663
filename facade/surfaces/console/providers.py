"""Providers and their models."""

from typing import Any

from facade.operation import Operation, Reply
from facade.payload import Incoming, invalid
from facade.route import Access
from facade.schema import BOOLEAN, INTEGER, MOMENT, STRING, array, obj, or_null, text
from facade.wire import moment
from llmrouter.v1 import admin_pb2 as pb
from llmrouter.v1 import router_pb2

_MODEL_ENTRY = obj(id=INTEGER, provider_id=INTEGER, name=STRING, created_at=MOMENT, updated_at=MOMENT)
_PROVIDER = obj(
    id=INTEGER,
    name=STRING,
    type=STRING,
    base_url=STRING,
    enabled=BOOLEAN,
    created_at=MOMENT,
    updated_at=MOMENT,
    models=array(_MODEL_ENTRY),
    runtime_models=array(STRING),
    models_error=STRING,
    models_refreshed_at=or_null(MOMENT),
    has_api_key=BOOLEAN,
    source=STRING,
)


def _provider_json(provider: pb.Provider) -> dict[str, Any]:
    return {
        "id": provider.id,
        "name": provider.name,
        "type": provider.type,
        "base_url": provider.base_url,
        "enabled": provider.enabled,
        "created_at": moment(provider, "created_at"),
        "updated_at": moment(provider, "updated_at"),
        "models": [_entry_json(entry) for entry in provider.models],
        "runtime_models": list(provider.runtime_models),
        "models_error": provider.models_error,
        "models_refreshed_at": moment(provider, "models_refreshed_at"),
        "has_api_key": provider.has_api_key,
        "source": provider.source,
    }


def _entry_json(entry: pb.ModelEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "provider_id": entry.provider_id,
        "name": entry.name,
        "created_at": moment(entry, "created_at"),
        "updated_at": moment(entry, "updated_at"),
    }


def _decode_create(incoming: Incoming) -> pb.CreateProviderRequest:
    payload = incoming.payload
    enabled = payload.optional_flag("enabled")
    return pb.CreateProviderRequest(
        name=payload.text("name"),
        type=payload.text("type"),
        base_url=payload.optional_text("base_url"),
        api_key=payload.optional_text("api_key"),
        enabled=True if enabled is None else enabled,
    )


def _decode_update(incoming: Incoming) -> pb.UpdateProviderRequest:
    payload = incoming.payload
    request = pb.UpdateProviderRequest(id=incoming.number("id"))
    for name in ("name", "type", "base_url", "api_key"):
        value = payload.optional_text(name)
        if value is not None:
            setattr(request, name, value)
            request.update_mask.paths.append(name)
    enabled = payload.optional_flag("enabled")
    if enabled is not None:
        request.enabled = enabled
        request.update_mask.paths.append("enabled")
    if not request.update_mask.paths:
        raise invalid("names nothing to change")
    return request


def _encode_provider(reply: Any, incoming: Incoming) -> Reply:
    return Reply(_provider_json(reply.provider))


def _encode_models(reply: router_pb2.ListModelsResponse, incoming: Incoming) -> Reply:
    """Each model of each provider once, though an alias may lead to it as well."""
    offers = {(offer.provider_name, offer.provider_id, offer.name) for model in reply.models for offer in model.offers}
    return Reply(
        [
            {"provider_id": provider_id, "provider_name": provider_name, "name": name}
            for provider_name, provider_id, name in sorted(offers)
        ]
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/providers",
        rpc="AdminService.ListProviders",
        summary="List providers",
        decode=lambda incoming: pb.ListProvidersRequest(),
        encode=lambda reply, incoming: Reply([_provider_json(provider) for provider in reply.providers]),
        response=array(_PROVIDER),
    ),
    Operation(
        method="POST",
        path="/api/providers",
        rpc="AdminService.CreateProvider",
        summary="Make a provider",
        description=(
            "Pulls the provider's models afterwards; where that fails, `models_error` says why. "
            "Without `base_url` it is the vendor's own address, without `enabled` true."
        ),
        access=Access.ADMIN,
        decode=_decode_create,
        encode=_encode_provider,
        status=201,
        request=obj(
            {"base_url": text(), "api_key": text(), "enabled": BOOLEAN},
            name=text(1, 100),
            type=text(1),
        ),
        response=_PROVIDER,
        errors=(409,),
    ),
    Operation(
        method="GET",
        path="/api/providers/{id}",
        rpc="AdminService.GetProvider",
        summary="One provider",
        access=Access.ADMIN,
        decode=lambda incoming: pb.GetProviderRequest(id=incoming.number("id")),
        encode=_encode_provider,
        response=_PROVIDER,
        errors=(404,),
    ),
    Operation(
        method="PUT",
        path="/api/providers/{id}",
        rpc="AdminService.UpdateProvider",
        summary="Change a provider",
        description="An empty `api_key` leaves the old one. The models are pulled anew, or cleared on disabling.",
        access=Access.ADMIN,
        decode=_decode_update,
        encode=_encode_provider,
        request=obj({"name": text(1), "type": text(1), "base_url": text(), "api_key": text(), "enabled": BOOLEAN}),
        response=_PROVIDER,
        errors=(404, 409),
    ),
    Operation(
        method="POST",
        path="/api/providers/{id}/refresh_models",
        rpc="AdminService.RefreshProviderModels",
        summary="Pull a provider's models",
        access=Access.ADMIN,
        decode=lambda incoming: pb.RefreshProviderModelsRequest(id=incoming.number("id")),
        encode=_encode_provider,
        response=_PROVIDER,
        errors=(404, 502),
    ),
    Operation(
        method="DELETE",
        path="/api/providers/{id}",
        rpc="AdminService.DeleteProvider",
        summary="Remove a provider, with its models",
        access=Access.ADMIN,
        decode=lambda incoming: pb.DeleteProviderRequest(id=incoming.number("id")),
        encode=lambda reply, incoming: Reply(),
        status=204,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path="/api/models",
        rpc="RouterService.ListModels",
        summary="List the models of all enabled providers",
        decode=lambda incoming: router_pb2.ListModelsRequest(),
        encode=_encode_models,
        response=array(obj(provider_id=INTEGER, provider_name=STRING, name=STRING)),
    ),
)
