"""Lists of models as the Gemini API has them, page by page."""

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_right
from typing import Any

from aiohttp import web

from facade.answer import answer_json
from facade.call import Call
from facade.cores import Cores, rpc
from facade.operation_handler import Operations
from facade.payload import invalid
from facade.problem import Problem
from facade.query import Query
from facade.route import JSON, Doc, Handler, Route
from facade.schema import INTEGER, STRING, array, obj, text
from facade.surface import Surface
from llmrouter.v1 import router_pb2 as pb

_TIMEOUT = 60.0
_PAGE, _MOST = 50, 1000  # models on a page: where the caller does not say, and at most
_MOST_TOKEN = 2000

_MODEL = obj(name=STRING, version=STRING, displayName=STRING, supportedGenerationMethods=array(STRING))
_MODELS = obj({"nextPageToken": STRING}, models=array(_MODEL))

# What a model can be asked for → the methods of this API that ask for it.
_METHODS = (
    (pb.OPERATION_GENERATE_CONTENT, ("generateContent", "streamGenerateContent")),
    (pb.OPERATION_COUNT_CONTENT_TOKENS, ("countTokens",)),
    (pb.OPERATION_EMBED_ONE_CONTENT, ("embedContent",)),
    (pb.OPERATION_EMBED_CONTENT, ("batchEmbedContents",)),
)


def routes(cores: Cores, operations: Operations, surface: Surface, prefix: str) -> tuple[Route, ...]:
    """The routes of the list and of one model, under a prefix such as "/v1beta"."""
    models = _Models(cores, operations, surface)

    def route(path: str, handler: Handler, doc: Doc) -> Route:
        return Route(method="GET", path=f"{prefix}/models{path}", surface=surface, handler=handler, doc=doc)

    return (
        route(
            "",
            models.list,
            Doc(
                summary="List models",
                description="In the order of their names; `nextPageToken` is there where more follow.",
                success={200: {JSON: _MODELS}},
                query={"pageSize": INTEGER, "pageToken": STRING},
            ),
        ),
        route(
            "/{model...}",
            models.get,
            Doc(
                summary="One model",
                description="By its id or as `provider/model`; an id may hold slashes and colons.",
                success={200: {JSON: _MODEL}},
                parameters={"model": text(1)},
                errors=(404,),
            ),
        ),
    )


class _Models:
    """The handlers for one surface."""

    def __init__(self, cores: Cores, operations: Operations, surface: Surface) -> None:
        self._cores = cores
        self._operations = operations
        self._surface = surface

    async def list(self, call: Call) -> web.StreamResponse:
        """A page of the models."""
        reply = await self._ask(call)  # first of all: who may not call hears of nothing else
        query = Query(call.query)
        size = min(query.number("pageSize", least=0), _MOST) or _PAGE
        after = _read_token(query.text("pageToken", most=_MOST_TOKEN))
        models = [found for model in reply.models if (found := _model(model, model.id))["supportedGenerationMethods"]]
        start = bisect_right(models, f"models/{after}", key=lambda model: model["name"]) if after else 0
        page = models[start : start + size]
        more = {"nextPageToken": _token(page[-1]["displayName"])} if start + size < len(models) else {}
        return answer_json({"models": page, **more})

    async def get(self, call: Call) -> web.StreamResponse:
        """One model, under the name by which the caller asked. Raises Problem MODEL_NOT_FOUND."""
        name = call.params["model"]
        reply = await self._ask(call)
        for model in reply.models:
            if model.id == name:
                return answer_json(_model(model, name))
        for model in reply.models:
            if any(f"{offer.provider_name}/{offer.name}" == name for offer in model.offers):
                return answer_json(_model(model, name))
        raise Problem("MODEL_NOT_FOUND", f"the model '{name[:200]}' does not exist", "model")

    async def _ask(self, call: Call) -> pb.ListModelsResponse:
        metadata = self._operations.metadata(call, self._surface)
        return await self._cores.call(rpc("RouterService.ListModels"), pb.ListModelsRequest(), metadata, _TIMEOUT)


def _model(model: pb.Model, name: str) -> dict[str, Any]:
    able = frozenset(model.operations)
    methods = [method for operation, names in _METHODS if operation in able for method in names]
    return {"name": f"models/{name}", "version": "", "displayName": name, "supportedGenerationMethods": methods}


def _token(name: str) -> str:
    """The token of the page after a model. It stays good when models come and go."""
    return urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _read_token(token: str) -> str:
    """The model after which a page begins, "" for the first. Raises Problem."""
    try:
        return b64decode(token + "=" * (-len(token) % 4), altchars="-_", validate=True).decode()
    except ValueError:
        raise invalid("is not a token of this list", "pageToken") from None
