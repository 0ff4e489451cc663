"""Lists of models as OpenAI's API has them, for the surfaces that speak it."""

from typing import Any

from facade.operation import Operation, Reply
from facade.payload import Incoming
from facade.problem import Problem
from facade.schema import INTEGER, STRING, array, obj, text
from llmrouter.v1 import router_pb2 as pb

_MODEL = obj(id=STRING, object={"type": "string", "const": "model"}, created=INTEGER, owned_by=STRING)
_MODELS = obj(object={"type": "string", "const": "list"}, data=array(_MODEL))


def operations(prefix: str) -> tuple[Operation, ...]:
    """The rows of the list and of one model, under a prefix such as "/v1"."""
    return (
        Operation(
            method="GET",
            path=f"{prefix}/models",
            rpc="RouterService.ListModels",
            summary="List models",
            decode=lambda incoming: pb.ListModelsRequest(),
            encode=lambda reply, incoming: Reply(_list(reply)),
            response=_MODELS,
        ),
        Operation(
            method="GET",
            path=f"{prefix}/models/{{model...}}",
            rpc="RouterService.ListModels",
            summary="One model",
            description="By its id or as `provider/model`; an id may hold slashes.",
            decode=lambda incoming: pb.ListModelsRequest(),
            encode=lambda reply, incoming: Reply(_find(reply, incoming)),
            response=_MODEL,
            parameters={"model": text(1)},
            errors=(404,),
        ),
    )


def _model(model: pb.Model, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": model.created, "owned_by": model.owned_by}


def _list(reply: pb.ListModelsResponse) -> dict[str, Any]:
    return {"object": "list", "data": [_model(model, model.id) for model in reply.models]}


def _find(reply: pb.ListModelsResponse, incoming: Incoming) -> dict[str, Any]:
    """The model of the path, under the name by which the caller asked. Raises Problem MODEL_NOT_FOUND."""
    name = incoming.params["model"]
    for model in reply.models:
        if model.id == name:
            return _model(model, name)
    for model in reply.models:
        if any(f"{offer.provider_name}/{offer.name}" == name for offer in model.offers):
            return _model(model, name)
    raise Problem("MODEL_NOT_FOUND", f"the model '{name[:200]}' does not exist", "model")
