"""Sums over usage: one's own, and a user's for administrators."""

from facade.operation import Operation, Reply
from facade.payload import Incoming
from facade.route import Access
from facade.schema import INTEGER, NUMBER, obj
from llmrouter.v1 import usage_pb2 as pb

_STATS = obj(requests=INTEGER, avg_ms=NUMBER, tokens_in=INTEGER, tokens_out=INTEGER, messages=INTEGER)


def _encode(reply: pb.GetStatsResponse, incoming: Incoming) -> Reply:
    return Reply(
        {
            "requests": reply.requests,
            "avg_ms": reply.avg_ms,
            "tokens_in": reply.tokens_in,
            "tokens_out": reply.tokens_out,
            "messages": reply.messages,
        }
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/stats/me",
        rpc="UsageService.GetStats",
        summary="The caller's usage",
        decode=lambda incoming: pb.GetStatsRequest(),
        encode=_encode,
        response=_STATS,
    ),
    Operation(
        method="GET",
        path="/api/admin/stats/user/{id}",
        rpc="UsageService.GetStats",
        summary="A user's usage",
        access=Access.ADMIN,
        # Of a user who was deleted too. GetStats gives anybody their own sums; this path is the administrators' alone.
        decode=lambda incoming: pb.GetStatsRequest(user_id=incoming.number("id"), administrators_only=True),
        encode=_encode,
        response=_STATS,
        errors=(404,),
    ),
)
