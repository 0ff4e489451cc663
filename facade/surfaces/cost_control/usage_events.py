"""GET /api/admin/usage-events: requests one by one, as a page of JSON, or all of them as a file.

query ─► filters ─┬─ JSON         UsageService.ListUsageRecords     an array; the header Link has the next page
                  └─ CSV, NDJSON  UsageService.ExportUsageRecords   passed on in pieces, as they come
"""

from dataclasses import replace
from typing import Any

from aiohttp import web

from facade.answer import answer_json
from facade.call import Call
from facade.cores import Cores, rpc
from facade.dollars import to_dollars
from facade.operation_handler import Operations
from facade.problem import Problem
from facade.query import MAX_ID, Query
from facade.route import JSON, Access, Doc, Route
from facade.schema import ID, INTEGER, MOMENT, NUMBER, STRING, Schema, array, choice, obj, or_null, text
from facade.surfaces.cost_control.surface import COST_CONTROL
from facade.wire import moment
from llmrouter.v1 import usage_pb2 as pb

_PATH = "/api/admin/usage-events"
_TIMEOUT = 60.0
_PAGE, _MAX_PAGE = 100, 1000
_CSV, _NDJSON = "text/csv", "application/x-ndjson"

# What the query or the header Accept calls a file → the core's name, its media type and its ending.
_FILES = {
    "csv": (pb.EXPORT_FORMAT_CSV, _CSV),
    "ndjson": (pb.EXPORT_FORMAT_NDJSON, _NDJSON),
}
_OUTCOMES = tuple(name.removeprefix("OUTCOME_").lower() for name, number in pb.Outcome.items() if number)

_EVENT = obj(
    id=INTEGER,
    created_at=MOMENT,
    request_id=STRING,
    virtual_key_id=or_null(INTEGER),
    user_email=or_null(STRING),
    surface=STRING,
    provider=STRING,
    model=STRING,
    status_code=INTEGER,
    latency_ms=NUMBER,
    ttft_ms=or_null(NUMBER),
    prompt_tokens=INTEGER,
    completion_tokens=INTEGER,
    total_tokens=INTEGER,
    cached_tokens=INTEGER,
    reasoning_tokens=INTEGER,
    cost=or_null(NUMBER),
    prompt_hash=STRING,
    project=STRING,
    outcome=STRING,
)
_QUERY: dict[str, Schema] = {
    "limit": {**INTEGER, "minimum": 1},
    "virtual_key_id": ID,
    "user_id": ID,
    "provider": text(0, 100),
    "model": text(0, 300),
    "project": text(0, 200),
    "status_code": {**INTEGER, "minimum": 100, "maximum": 599},
    "outcome": choice(*_OUTCOMES),
    "start_time": MOMENT,
    "end_time": MOMENT,
    "before": ID,
    "after": ID,
    "format": choice("json", *_FILES),
}


class UsageEvents:
    """The handler."""

    def __init__(self, cores: Cores, operations: Operations) -> None:
        self._cores = cores
        self._operations = operations

    async def __call__(self, call: Call) -> web.StreamResponse:
        metadata = self._operations.metadata(call, COST_CONTROL)
        try:
            query = Query(call.query)
            form = query.choice("format", ("json", *_FILES)) or _accepted(call.headers.get("Accept", ""))
            filters = _filters(query)
            limit = query.number("limit", most=_MAX_PAGE if form == "json" else MAX_ID)
        except Problem:
            await self._operations.probe(Access.USER, metadata)
            raise
        if form != "json" and call.method != "HEAD":
            return await self._file(call, form, pb.ExportUsageRecordsRequest(limit=limit, **filters), metadata)
        method = replace(rpc("UsageService.ListUsageRecords"), paged=False)
        request = pb.ListUsageRecordsRequest(page_size=limit or _PAGE, **filters)
        reply = await self._cores.call(method, request, metadata, _TIMEOUT)
        headers: dict[str, str] = {}
        if reply.next_page_token:
            following = call.rel_url.update_query(before=str(reply.records[-1].id))
            headers["Link"] = f'<{following}>; rel="next"'
        return answer_json([_event(record) for record in reply.records], headers=headers)

    async def _file(
        self, call: Call, form: str, request: pb.ExportUsageRecordsRequest, metadata: list[tuple[str, str]]
    ) -> web.StreamResponse:
        request.format, media = _FILES[form]
        pieces = self._cores.stream(rpc("UsageService.ExportUsageRecords"), request, metadata)
        try:
            first = await anext(pieces, None)  # before the head, so that a refusal has its status
            response = web.StreamResponse(
                headers={
                    "Content-Type": f"{media}; charset=utf-8",
                    "Content-Disposition": f'attachment; filename="usage-events.{form}"',
                    "Cache-Control": "no-store",
                    "X-Content-Type-Options": "nosniff",
                }
            )
            if call.version >= (1, 1):
                response.enable_chunked_encoding()
            await response.prepare(call)
            if first is not None:
                await response.write(first.data)
                async for piece in pieces:
                    await response.write(piece.data)
            await response.write_eof()
            return response
        finally:
            await pieces.aclose()


def routes(cores: Cores, operations: Operations) -> tuple[Route, ...]:
    """The route of usage events."""
    doc = Doc(
        summary="Usage events, newest first",
        description=(
            "Administrators see everybody's, others their own. The header `Link` names the next page. With"
            " `format=csv` or `format=ndjson`, or with such an `Accept`, all events come as a file, unless `limit` says"
            " how many."
        ),
        success={200: {JSON: array(_EVENT), _CSV: STRING, _NDJSON: STRING}},
        query=_QUERY,
        errors=(404,),
    )
    handler = UsageEvents(cores, operations)
    return (Route(method="GET", path=_PATH, surface=COST_CONTROL, handler=handler, doc=doc),)


def _accepted(accept: str) -> str:
    """What the header Accept asks for; JSON where it does not name a file before it."""
    for part in accept.split(","):
        media = part.partition(";")[0].strip().lower()
        for form, (_, own) in _FILES.items():
            if media == own:
                return form
        if media == JSON:
            break
    return "json"


def _filters(query: Query) -> dict[str, Any]:
    """The filters under the core's names. Raises Problem."""
    outcome = query.choice("outcome", _OUTCOMES)
    return {
        "user_id": query.number("user_id"),
        "credential_id": query.number("virtual_key_id"),
        "start_time": query.moment("start_time"),
        "end_time": query.moment("end_time"),
        "model": query.text("model", most=300),
        "provider": query.text("provider", most=100),
        "status_code": query.number("status_code", least=100, most=599),
        "project": query.text("project", most=200),
        "outcome": pb.Outcome.Value(f"OUTCOME_{outcome.upper()}") if outcome else pb.OUTCOME_UNSPECIFIED,
        "before_id": query.number("before"),
        "after_id": query.number("after"),
    }


def _event(record: pb.UsageRecord) -> dict[str, Any]:
    tokens = record.tokens
    return {
        "id": record.id,
        "created_at": moment(record, "created_at"),
        "request_id": record.request_id,
        "virtual_key_id": record.virtual_key_id or None,
        "user_email": record.user_email or None,
        "surface": record.surface,
        "provider": record.provider,
        "model": record.model,
        "status_code": record.status_code,
        "latency_ms": record.latency_ms,
        "ttft_ms": record.ttft_ms if record.HasField("ttft_ms") else None,
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
        "cached_tokens": tokens.cached_input_tokens,
        "reasoning_tokens": tokens.reasoning_tokens,
        "cost": to_dollars(record.cost_nanousd) if record.HasField("cost_nanousd") else None,
        "prompt_hash": record.prompt_hash,
        "project": record.project,
        "outcome": pb.Outcome.Name(record.outcome).removeprefix("OUTCOME_").lower(),
    }
