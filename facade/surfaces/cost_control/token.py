"""POST /api/auth/token: an access token for a password."""

from facade.operation import Operation, Reply
from facade.payload import Incoming
from facade.route import Access
from facade.schema import INTEGER, STRING, choice, obj, text
from llmrouter.v1 import account_pb2 as pb


def _decode(incoming: Incoming) -> pb.IssueTokenRequest:
    return pb.IssueTokenRequest(login=incoming.payload.text("username"), password=incoming.payload.text("password"))


def _encode(reply: pb.IssueTokenResponse, incoming: Incoming) -> Reply:
    return Reply(
        {"access_token": reply.access_token, "token_type": "bearer", "expires_in": reply.lifetime_seconds},
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/auth/token",
        rpc="AccountService.IssueToken",
        summary="Sign in for an access token",
        description="`username` may also be the e-mail address. The token is for `Authorization: Bearer`.",
        access=Access.ANYONE,
        decode=_decode,
        encode=_encode,
        request=obj(username=text(1), password=text(1, 1024)),
        forms=True,
        response=obj(access_token=STRING, token_type=choice("bearer"), expires_in=INTEGER),
        errors=(401, 429),
    ),
)
