"""Lists of models as Anthropic's API has them: those that can be called by its messages, in one page."""

from datetime import UTC, datetime
from typing import Any

from facade.operation import Operation, Reply
from facade.payload import Incoming
from facade.problem import Problem
from facade.schema import BOOLEAN, MOMENT, STRING, array, obj, or_null, text
from llmrouter.v1 import router_pb2 as pb

_MODEL = obj(id=STRING, type={"type": "string", "const": "model"}, display_name=STRING, created_at=MOMENT)
_MODELS = obj(data=array(_MODEL), has_more=BOOLEAN, first_id=or_null(STRING), last_id=or_null(STRING))


def operations(prefix: str) -> tuple[Operation, ...]:
    """The rows of the list and of one model, under a prefix such as "/proxy/anthropic/v1"."""
    return (
        Operation(
            method="GET",
            path=f"{prefix}/models",
            rpc="RouterService.ListModels",
            summary="List models",
            description="All of them in one page, whatever page is asked for.",
            decode=lambda incoming: pb.ListModelsRequest(),
            encode=lambda reply, incoming: Reply(_list(reply)),
            response=_MODELS,
        ),
        Operation(
            method="GET",
            path=f"{prefix}/models/{{model...}}",
            rpc="RouterService.ListModels",
            summary="One model",
            description="By its id; an id may hold slashes.",
            decode=lambda incoming: pb.ListModelsRequest(),
            encode=lambda reply, incoming: Reply(_find(reply, incoming)),
            response=_MODEL,
            parameters={"model": text(1)},
            errors=(404,),
        ),
    )


def _model(model: pb.Model) -> dict[str, Any]:
    created = datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": model.id, "display_name": model.id, "created_at": created}


def _callable(reply: pb.ListModelsResponse) -> list[pb.Model]:
    return [model for model in reply.models if pb.OPERATION_MESSAGES in model.operations]


def _list(reply: pb.ListModelsResponse) -> dict[str, Any]:
    data = [_model(model) for model in _callable(reply)]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"data": data, "has_more": False, **ends}


def _find(reply: pb.ListModelsResponse, incoming: Incoming) -> dict[str, Any]:
    name = incoming.params["model"]
    for model in _callable(reply):
        if model.id == name:
            return _model(model)
    raise Problem("MODEL_NOT_FOUND", f"the model '{name[:200]}' does not exist", "model")
