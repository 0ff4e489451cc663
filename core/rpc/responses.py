"""Responses that are kept, of RouterService."""

from typing import Any

import msgspec

from core.deps import Deps
from core.dialects.responses import state
from core.errors import InvalidArgument, NotFound
from core.rpc import caller, paging
from core.store.responses import StoredResponse
from llmrouter.v1 import router_pb2 as pb

_PAGE = 20
_MAX_PAGE = 100


class ResponseMethods:
    """What the router keeps of OpenAI's Responses API."""

    deps: Deps

    async def GetResponse(self, request: pb.GetResponseRequest, context: Any) -> pb.GetResponseResponse:
        return pb.GetResponseResponse(response_json=(await self._found(request.id)).response)

    async def DeleteResponse(self, request: pb.DeleteResponseRequest, context: Any) -> pb.DeleteResponseResponse:
        if not await self.deps.responses.remove(caller.current().principal.user_id, request.id):
            raise NotFound("there is no such response")
        return pb.DeleteResponseResponse()

    async def ListResponseInputItems(
        self, request: pb.ListResponseInputItemsRequest, context: Any
    ) -> pb.ListResponseInputItemsResponse:
        size = paging.page_size(request.page_size, default=_PAGE, most=_MAX_PAGE)
        items = msgspec.json.decode((await self._found(request.id)).input, type=list[msgspec.Raw])
        if not request.ascending:
            items.reverse()
        if request.after:
            names = [state.named(item).id for item in items]
            if request.after not in names:
                raise InvalidArgument("there is no such item", field="after")
            items = items[names.index(request.after) + 1 :]
        return pb.ListResponseInputItemsResponse(
            items_json=[bytes(item).decode() for item in items[:size]], has_more=len(items) > size
        )

    async def _found(self, name: str) -> StoredResponse:
        row = await self.deps.responses.find(caller.current().principal.user_id, name)
        if row is None:
            raise NotFound("there is no such response")
        return row
