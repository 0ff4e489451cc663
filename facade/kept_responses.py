"""Responses that the router keeps: GET and DELETE under …/responses/{id}, for the surfaces that speak OpenAI's API.

The response itself is passed on as the core has it.
"""

from typing import Any

import msgspec
from aiohttp import web

from facade.answer import answer_json
from facade.call import Call
from facade.cores import Cores, rpc
from facade.operation_handler import Operations
from facade.payload import invalid
from facade.query import Query
from facade.route import JSON, Doc, Handler, Route
from facade.schema import BOOLEAN, INTEGER, STRING, array, choice, obj, or_null, text
from facade.surface import Surface
from llmrouter.v1 import router_pb2 as pb

_TIMEOUT = 60.0
_MOST_ITEMS = 100
_MOST_ID = 200

_ID = {"id": text(1)}
_ITEMS = obj(
    object=STRING, data=array({"type": "object"}), first_id=or_null(STRING), last_id=or_null(STRING), has_more=BOOLEAN
)
_QUERY = {"limit": INTEGER, "order": choice("asc", "desc"), "after": STRING}


def routes(cores: Cores, operations: Operations, surface: Surface, prefix: str) -> tuple[Route, ...]:
    """The routes under a prefix such as "/v1"."""
    kept = KeptResponses(cores, operations, surface)

    def route(method: str, path: str, handler: Handler, doc: Doc) -> Route:
        return Route(method=method, path=f"{prefix}/responses/{{id}}{path}", surface=surface, handler=handler, doc=doc)

    return (
        route(
            "GET",
            "",
            kept.get,
            Doc(
                summary="A response",
                description="One that the router keeps for its caller; others are not there.",
                success={200: {JSON: obj(id=STRING, object=STRING, status=STRING)}},
                parameters=_ID,
                errors=(404,),
            ),
        ),
        route(
            "DELETE",
            "",
            kept.delete,
            Doc(
                summary="Delete a response",
                description="What the provider that made it keeps by itself is not touched.",
                success={200: {JSON: obj(id=STRING, object=STRING, deleted=BOOLEAN)}},
                parameters=_ID,
                errors=(404,),
            ),
        ),
        route(
            "GET",
            "/input_items",
            kept.input_items,
            Doc(
                summary="What was asked for with a response",
                description="Without what its conversation had before; the newest first, unless `order` is `asc`.",
                success={200: {JSON: _ITEMS}},
                parameters=_ID,
                query=_QUERY,
                errors=(404,),
            ),
        ),
    )


class KeptResponses:
    """The handlers for one surface."""

    def __init__(self, cores: Cores, operations: Operations, surface: Surface) -> None:
        self._cores = cores
        self._operations = operations
        self._surface = surface

    async def get(self, call: Call) -> web.StreamResponse:
        """The response as its caller got it."""
        if Query(call.query).choice("stream", ("true", "false")) == "true":
            raise invalid("a response that is complete can't be streamed again", "stream")
        reply = await self._ask(call, "GetResponse", pb.GetResponseRequest(id=call.params["id"]))
        headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
        return web.Response(body=reply.response_json.encode(), headers=headers)

    async def delete(self, call: Call) -> web.StreamResponse:
        """Deletes the response."""
        name = call.params["id"]
        await self._ask(call, "DeleteResponse", pb.DeleteResponseRequest(id=name))
        return answer_json({"id": name, "object": "response", "deleted": True})

    async def input_items(self, call: Call) -> web.StreamResponse:
        """A page of what was asked for."""
        query = Query(call.query)
        request = pb.ListResponseInputItemsRequest(
            id=call.params["id"],
            page_size=query.number("limit", most=_MOST_ITEMS),
            after=query.text("after", most=_MOST_ID),
            ascending=query.choice("order", ("asc", "desc")) == "asc",
        )
        reply = await self._ask(call, "ListResponseInputItems", request)
        items: list[Any] = [msgspec.json.decode(item) for item in reply.items_json]
        names = [item.get("id") for item in items]
        return answer_json(
            {
                "object": "list",
                "data": items,
                "first_id": names[0] if names else None,
                "last_id": names[-1] if names else None,
                "has_more": reply.has_more,
            }
        )

    async def _ask(self, call: Call, method: str, request: Any) -> Any:
        metadata = self._operations.metadata(call, self._surface)
        return await self._cores.call(rpc(f"RouterService.{method}"), request, metadata, _TIMEOUT)
