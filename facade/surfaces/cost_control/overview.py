"""GET /api/metrics/overview: what was spent, by whom, for what, and for nothing new."""

from typing import Any

from facade.dollars import to_dollars
from facade.operation import Operation, Reply
from facade.payload import Incoming
from facade.schema import INTEGER, NUMBER, STRING, array, obj, or_null
from llmrouter.v1 import usage_pb2 as pb

_OVERVIEW = obj(
    cost=obj(
        spend_today=NUMBER,
        spend_mtd=NUMBER,
        spend_ytd=NUMBER,
        forecasted_month_end=NUMBER,
        total_requests=INTEGER,
        total_tokens=INTEGER,
    ),
    top_users=array(obj(user_email=or_null(STRING), total_cost=NUMBER, request_count=INTEGER)),
    top_projects=array(obj(project_name=STRING, total_cost=NUMBER, request_count=INTEGER)),
    waste=obj(
        repeated_prompts_count=INTEGER,
        estimated_waste=NUMBER,
        top_repeated_hashes=array(obj(hash=STRING, count=INTEGER, estimated_waste=NUMBER)),
    ),
)


def _encode(reply: pb.GetOverviewResponse, incoming: Incoming) -> Reply:
    return Reply(
        {
            "cost": {
                "spend_today": to_dollars(reply.spend_today_nanousd),
                "spend_mtd": to_dollars(reply.spend_month_nanousd),
                "spend_ytd": to_dollars(reply.spend_year_nanousd),
                "forecasted_month_end": to_dollars(reply.forecast_month_nanousd),
                "total_requests": reply.requests,
                "total_tokens": reply.tokens,
            },
            "top_users": [
                {"user_email": one.user_email or None, **_spend(one.cost_nanousd, one.requests)}
                for one in reply.top_users
            ],
            "top_projects": [
                {"project_name": one.project, **_spend(one.cost_nanousd, one.requests)} for one in reply.top_projects
            ],
            "waste": {
                "repeated_prompts_count": reply.waste.repeats,
                "estimated_waste": to_dollars(reply.waste.cost_nanousd),
                "top_repeated_hashes": [
                    {"hash": one.prompt_hash, "count": one.repeats, "estimated_waste": to_dollars(one.cost_nanousd)}
                    for one in reply.waste.top_prompts
                ],
            },
        }
    )


def _spend(nanos: int, requests: int) -> dict[str, Any]:
    return {"total_cost": to_dollars(nanos), "request_count": requests}


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/metrics/overview",
        rpc="UsageService.GetOverview",
        summary="What was spent, by whom and for what",
        description=(
            "Administrators see everybody's, others their own. Days and months are UTC's; amounts are US dollars. The"
            " totals are of all time, users, projects and waste of this month; a user who was removed has no address."
        ),
        decode=lambda incoming: pb.GetOverviewRequest(),
        encode=_encode,
        response=_OVERVIEW,
    ),
)
