"""UsageService: what requests used, summed up and one by one."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from core.auth import Principal
from core.deps import Deps
from core.errors import Forbidden, InvalidArgument
from core.ledger import reports, usage_file
from core.ledger.overview import overview
from core.ledger.usage_watch import UsageWatch
from core.rpc import caller, paging, usage_message
from core.rpc.reservations import ReservationMethods
from llmrouter.v1 import usage_pb2, usage_pb2_grpc

_PAGE = 100
_MAX_PAGE = 1000
_LAST = 2**63 - 1

_FORMS = {usage_pb2.EXPORT_FORMAT_CSV: usage_file.CSV, usage_pb2.EXPORT_FORMAT_NDJSON: usage_file.NDJSON}


def add(server: grpc.aio.Server, deps: Deps) -> str:
    """Adds the service to a server and returns its full name."""
    usage_pb2_grpc.add_UsageServiceServicer_to_server(UsageService(deps), server)
    return usage_pb2.DESCRIPTOR.services_by_name["UsageService"].full_name


class UsageService(ReservationMethods, usage_pb2_grpc.UsageServiceServicer):
    """Who used what."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        self._watch = UsageWatch(deps.database)

    async def GetStats(self, request: usage_pb2.GetStatsRequest, context: Any) -> usage_pb2.GetStatsResponse:
        start, end = usage_message.span(request)
        if request.administrators_only and not caller.current().principal.is_admin:
            raise Forbidden
        sums = await reports.stats(
            self.deps.database, caller.current().principal, request.user_id, start=start, end=end
        )
        return usage_pb2.GetStatsResponse(
            requests=sums.requests,
            avg_ms=sums.latency_us / sums.requests / 1000 if sums.requests else 0.0,
            tokens_in=sums.input_tokens,
            tokens_out=sums.output_tokens,
            messages=sums.messages,
            cost_nanousd=sums.cost_nanousd,
            failures=sums.failures,
        )

    async def ListUsageRecords(
        self, request: usage_pb2.ListUsageRecordsRequest, context: Any
    ) -> usage_pb2.ListUsageRecordsResponse:
        size = paging.page_size(request.page_size, default=_PAGE, most=_MAX_PAGE)
        (before_id,) = paging.decode(request.page_token, _LAST)
        found = await reports.records(
            self.deps.database,
            caller.current().principal,
            usage_message.selection(request),
            before_id=before_id,
            limit=size + 1,
        )
        rows, more = paging.cut(found, size)
        return usage_pb2.ListUsageRecordsResponse(
            records=map(usage_message.to_message, rows), next_page_token=paging.encode(rows[-1].id) if more else ""
        )

    async def GetOverview(self, request: usage_pb2.GetOverviewRequest, context: Any) -> usage_pb2.GetOverviewResponse:
        found = await overview(self.deps.database, caller.current().principal, self.deps.clock.now())
        return usage_pb2.GetOverviewResponse(
            spend_today_nanousd=found.spend.today,
            spend_month_nanousd=found.spend.month,
            spend_year_nanousd=found.spend.year,
            forecast_month_nanousd=found.forecast,
            requests=found.spend.requests,
            tokens=found.spend.tokens,
            top_users=(
                usage_pb2.UserSpend(
                    user_id=one.id, user_email=one.name or "", cost_nanousd=one.cost_nanousd, requests=one.requests
                )
                for one in found.top_users
            ),
            top_projects=(
                usage_pb2.ProjectSpend(project=one.name or "", cost_nanousd=one.cost_nanousd, requests=one.requests)
                for one in found.top_projects
            ),
            waste=usage_pb2.Waste(
                repeats=found.repeats,
                cost_nanousd=found.waste,
                top_prompts=(
                    usage_pb2.RepeatedPrompt(prompt_hash=one.prompt_hash, repeats=one.repeats, cost_nanousd=one.waste)
                    for one in found.top_prompts
                ),
            ),
        )

    async def ExportUsageRecords(
        self, request: usage_pb2.ExportUsageRecordsRequest, context: Any
    ) -> AsyncIterator[usage_pb2.ExportUsageRecordsResponse]:
        form = _FORMS.get(request.format)
        if form is None:
            raise InvalidArgument("format must be CSV or NDJSON", field="format")
        if request.limit < 0:
            raise InvalidArgument("there can't be less than no records", field="limit")
        selection = usage_message.selection(request)
        principal = caller.current().principal
        async for data in usage_file.export(self.deps.database, principal, selection, form, limit=request.limit):
            yield usage_pb2.ExportUsageRecordsResponse(data=data)

    async def WatchUsage(
        self, request: usage_pb2.WatchUsageRequest, context: Any
    ) -> AsyncIterator[usage_pb2.WatchUsageResponse]:
        secrets = caller.current().secrets

        async def allowed() -> Principal:
            return await self.deps.authenticator.authenticate(secrets)

        after = request.after_id if request.HasField("after_id") else None
        async for batch in self._watch.follow(allowed, usage_message.selection(request), after):
            records = map(usage_message.to_message, batch.records)
            yield usage_pb2.WatchUsageResponse(records=records, position=batch.position)
