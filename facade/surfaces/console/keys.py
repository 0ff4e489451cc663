"""API keys: one's own, and a user's for administrators."""

from typing import Any

from facade.operation import Operation, Reply
from facade.payload import Incoming
from facade.route import Access
from facade.schema import INTEGER, MOMENT, STRING, array, obj, text
from facade.wire import moment
from llmrouter.v1 import account_pb2 as pb
from llmrouter.v1 import admin_pb2

_KEY = obj(id=INTEGER, created_at=MOMENT, updated_at=MOMENT, user_id=INTEGER, name=STRING, prefix=STRING)


def _key_json(key: pb.ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "created_at": moment(key, "created_at"),
        "updated_at": moment(key, "updated_at"),
        "user_id": key.user_id,
        "name": key.name,
        "prefix": key.prefix,
    }


def _encode_keys(reply: pb.ListApiKeysResponse | admin_pb2.ListUserApiKeysResponse, incoming: Incoming) -> Reply:
    return Reply([_key_json(key) for key in reply.api_keys])


def _encode_created(reply: pb.CreateApiKeyResponse, incoming: Incoming) -> Reply:
    return Reply({"id": reply.api_key.id, "name": reply.api_key.name, "value": reply.value})


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/keys",
        rpc="AccountService.ListApiKeys",
        summary="List the caller's API keys",
        decode=lambda incoming: pb.ListApiKeysRequest(),
        encode=_encode_keys,
        response=array(_KEY),
    ),
    Operation(
        method="POST",
        path="/api/keys",
        rpc="AccountService.CreateApiKey",
        summary="Make an API key",
        description="`value` is the whole key; it is in this answer and never again.",
        decode=lambda incoming: pb.CreateApiKeyRequest(name=incoming.payload.text("name")),
        encode=_encode_created,
        status=201,
        request=obj(name=text(1, 200)),
        response=obj(id=INTEGER, name=STRING, value=STRING),
    ),
    Operation(
        method="DELETE",
        path="/api/keys/{id}",
        rpc="AccountService.DeleteApiKey",
        summary="End one of the caller's API keys",
        decode=lambda incoming: pb.DeleteApiKeyRequest(id=incoming.number("id")),
        encode=lambda reply, incoming: Reply(),
        status=204,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path="/api/admin/users/{id}/keys",
        rpc="AdminService.ListUserApiKeys",
        summary="List a user's API keys",
        access=Access.ADMIN,
        decode=lambda incoming: admin_pb2.ListUserApiKeysRequest(user_id=incoming.number("id")),
        encode=_encode_keys,
        response=array(_KEY),
        errors=(404,),
    ),
)
