"""Files and batches that providers keep: …/files and …/batches, for the surfaces that speak OpenAI's API.

What a provider says of them is passed on to the letter, its errors included.
"""

import math
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from aiohttp import web

from facade.answer import answer_json
from facade.body import read_body
from facade.call import Call
from facade.cores import Cores, rpc
from facade.operation_handler import Operations
from facade.payload import invalid
from facade.problem import Problem
from facade.query import Query
from facade.route import JSON, Access, Doc, Handler, Route
from facade.schema import BOOLEAN, INTEGER, STRING, array, choice, obj, text
from facade.settings import FacadeSettings
from facade.surface import Schema, Surface
from facade.upload import parse_upload
from llmrouter.v1 import router_pb2 as pb

PROVIDER = "X-LLMRouter-Provider"
"""The header in which an upload names its provider."""

_TIMEOUT = 600.0  # as long as a provider may take for a large upload
_MOST_ID = 200
_MOST_PURPOSE = 100
_MOST_FILES, _MOST_BATCHES = 10_000, 100
_LARGEST_BATCH = 64 * 1024

_ID = {"id": text(1)}
_FILE = obj({"filename": STRING, "purpose": STRING, "bytes": INTEGER}, id=STRING)
_BATCH = obj({"status": STRING, "input_file_id": STRING}, id=STRING)
_GONE = obj({"deleted": BOOLEAN}, id=STRING)
_UPLOAD: Schema = obj(file={"type": "string", "contentMediaType": "application/octet-stream"}, purpose=STRING)
_NEW_BATCH = obj(input_file_id=STRING)
_ANY: Schema = {"type": "string", "description": "What is in the file."}
_FAILURES = (400, 404, 429, 502, 503, 504)


def _listed(item: Schema) -> Schema:
    ends: dict[str, Schema] = {"first_id": STRING, "last_id": STRING}
    return obj(ends, object=STRING, data=array(item), has_more=BOOLEAN)


_FILES_QUERY = {"limit": INTEGER, "order": choice("asc", "desc"), "after": STRING, "purpose": STRING}
_BATCHES_QUERY = {"limit": INTEGER, "after": STRING}


def routes(
    cores: Cores, operations: Operations, settings: FacadeSettings, surface: Surface, prefix: str
) -> tuple[Route, ...]:
    """The routes under a prefix such as "/v1"."""
    kept = ProviderObjects(cores, operations, settings, surface)

    def route(method: str, path: str, handler: Handler, summary: str, answer: Schema, **doc: Any) -> Route:
        doc = {"success": {200: {JSON: answer}}, "errors": _FAILURES, **doc}
        if "{id}" in path:
            doc["parameters"] = _ID
        described = Doc(summary=summary, **doc)
        return Route(method=method, path=prefix + path, surface=surface, handler=mirrored(handler), doc=described)

    whose = "It is its user's alone. "
    where = f"The header `{PROVIDER}` names the provider that keeps it, where there are several."
    read = {"success": {200: {"application/octet-stream": _ANY}}}
    return (
        route("POST", "/files", kept.upload, "Upload a file", _FILE, multipart=_UPLOAD, description=whose + where),
        route("GET", "/files", kept.files, "The caller's files", _listed(_FILE), query=_FILES_QUERY),
        route("GET", "/files/{id}", kept.file, "A file", _FILE),
        route("DELETE", "/files/{id}", kept.delete, "Delete a file", _GONE),
        route("GET", "/files/{id}/content", kept.content, "What is in a file", _ANY, **read),
        route(
            *("POST", "/batches", kept.create, "Create a batch", _BATCH),
            request=_NEW_BATCH,
            errors=(*_FAILURES, 403),
            description="At the provider of its input file. A hard budget refuses it: its cost is not known before.",
        ),
        route("GET", "/batches", kept.batches, "The caller's batches", _listed(_BATCH), query=_BATCHES_QUERY),
        route("GET", "/batches/{id}", kept.batch, "A batch", _BATCH),
        route("POST", "/batches/{id}/cancel", kept.cancel, "End a batch", _BATCH),
    )


def mirrored(handler: Handler) -> Handler:
    """The same handler, which answers a provider's error with its status and words."""

    async def handle(call: Call) -> web.StreamResponse:
        try:
            return await handler(call)
        except Problem as problem:
            said = problem.metadata
            if problem.reason != "UPSTREAM_STATUS" or not said.get("http_status") or call.answering:
                raise
            error = {"message": problem.message, **{name: said.get(name) for name in ("type", "param", "code")}}
            wait = {"Retry-After": str(math.ceil(problem.retry_after))} if problem.retry_after is not None else {}
            return answer_json({"error": error}, int(said["http_status"]), wait)

    return handle


class ProviderObjects:
    """The handlers for one surface."""

    def __init__(self, cores: Cores, operations: Operations, settings: FacadeSettings, surface: Surface) -> None:
        self._cores = cores
        self._operations = operations
        self._settings = settings
        self._surface = surface

    async def upload(self, call: Call) -> web.StreamResponse:
        """Hands a file on."""
        try:
            body = await read_body(call, self._settings.max_body, self._settings.body_timeout)
            found = parse_upload(call.headers.get("Content-Type", ""), body)
            purpose = found.fields.pop("purpose", "")
        except Problem:
            await self._known(call)
            raise
        provider = call.headers.get(PROVIDER, "")[:_MOST_ID]
        reply = await self._ask(
            call,
            "UploadFile",
            pb.UploadFileRequest(
                content=found.content,
                filename=found.filename,
                purpose=purpose,
                content_type=found.content_type,
                fields=found.fields,
                provider=provider,
            ),
        )
        return _json(reply.file_json)

    async def files(self, call: Call) -> web.StreamResponse:
        """A page of files."""
        query = Query(call.query)
        request = pb.ListFilesRequest(
            page_size=query.number("limit", most=_MOST_FILES),
            after=query.text("after", most=_MOST_ID),
            ascending=query.choice("order", ("asc", "desc")) == "asc",
            purpose=query.text("purpose", most=_MOST_PURPOSE),
        )
        reply = await self._ask(call, "ListFiles", request)
        return _list(reply.files_json, has_more=reply.has_more)

    async def file(self, call: Call) -> web.StreamResponse:
        """A file as its provider has it."""
        return _json((await self._ask(call, "GetFile", pb.GetFileRequest(id=call.params["id"]))).file_json)

    async def delete(self, call: Call) -> web.StreamResponse:
        """Deletes a file."""
        return _json((await self._ask(call, "DeleteFile", pb.DeleteFileRequest(id=call.params["id"]))).deleted_json)

    async def content(self, call: Call) -> web.StreamResponse:
        """What is in a file, as it comes."""
        metadata = self._operations.metadata(call, self._surface)
        request = pb.GetFileContentRequest(id=call.params["id"])
        async with aclosing(self._cores.stream(rpc("RouterService.GetFileContent"), request, metadata)) as pieces:
            first = await anext(pieces)
            # As a download: a file of anybody's must not be a page of this site.
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Disposition": "attachment",
                "Cache-Control": "no-store",
            }
            response = web.StreamResponse(headers=headers)
            await response.prepare(call)
            if call.method == "HEAD":
                return response
            await response.write(first.data)
            async for piece in pieces:
                await response.write(piece.data)
            await response.write_eof()
            return response

    async def create(self, call: Call) -> web.StreamResponse:
        """Creates a batch."""
        try:
            body = await read_body(call, _LARGEST_BATCH, self._settings.body_timeout)
            batch = body.decode()
        except UnicodeDecodeError:
            await self._known(call)
            raise invalid("the body must be JSON in UTF-8") from None
        except Problem:
            await self._known(call)
            raise
        return _json((await self._ask(call, "CreateBatch", pb.CreateBatchRequest(batch_json=batch))).batch_json)

    async def batches(self, call: Call) -> web.StreamResponse:
        """A page of batches."""
        query = Query(call.query)
        request = pb.ListBatchesRequest(
            page_size=query.number("limit", most=_MOST_BATCHES), after=query.text("after", most=_MOST_ID)
        )
        reply = await self._ask(call, "ListBatches", request)
        return _list(reply.batches_json, has_more=reply.has_more)

    async def batch(self, call: Call) -> web.StreamResponse:
        """A batch as its provider has it now."""
        return _json((await self._ask(call, "GetBatch", pb.GetBatchRequest(id=call.params["id"]))).batch_json)

    async def cancel(self, call: Call) -> web.StreamResponse:
        """Asks for a batch to be ended."""
        return _json((await self._ask(call, "CancelBatch", pb.CancelBatchRequest(id=call.params["id"]))).batch_json)

    async def _known(self, call: Call) -> None:
        """Raises the Problem of a caller who may not call at all."""
        await self._operations.probe(Access.USER, self._operations.metadata(call, self._surface))

    async def _ask(self, call: Call, method: str, request: Any) -> Any:
        metadata = self._operations.metadata(call, self._surface)
        return await self._cores.call(rpc(f"RouterService.{method}"), request, metadata, _TIMEOUT)


def _json(said: str) -> web.Response:
    return web.Response(body=said.encode(), headers={"Content-Type": JSON, "Cache-Control": "no-store"})


def _list(items: Sequence[str], *, has_more: bool) -> web.Response:
    """A page, its items to the letter."""
    names = [_id_of(item) for item in items]
    raw = [msgspec.Raw(item.encode()) for item in items]
    page = {
        "object": "list",
        "data": raw,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
        "has_more": has_more,
    }
    return _json(msgspec.json.encode(page).decode())


def _id_of(item: str) -> Any:
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(item).get("id")
    return None
