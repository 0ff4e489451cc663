"""Users, for administrators."""

from typing import Any

from facade.operation import Operation, Reply
from facade.payload import Incoming, invalid
from facade.route import Access
from facade.schema import BOOLEAN, MOMENT, STRING, array, choice, obj, text
from facade.surfaces.console.account import ACCOUNT, ROLES, account_json
from facade.wire import moment
from llmrouter.v1 import account_pb2
from llmrouter.v1 import admin_pb2 as pb

_NUMBERS = {name: number for number, name in ROLES.items()}

USER = obj(None, **ACCOUNT["properties"], username=STRING, created_at=MOMENT, updated_at=MOMENT)
_ROLE = choice("admin", "user")

# The document knows one word for every payload that can't be used here.
_INVALID = {"PASSWORD_TOO_SHORT": (400, "invalid payload"), "NO_CHANGES": (400, "invalid payload")}


def user_json(user: account_pb2.User) -> dict[str, Any]:
    """A user as administrators see it."""
    return {
        **account_json(user),
        "username": user.username,
        "created_at": moment(user, "created_at"),
        "updated_at": moment(user, "updated_at"),
    }


def _role(text: str) -> account_pb2.UserRole:
    if text not in _NUMBERS:
        raise invalid("must be 'admin' or 'user'", "role")
    return _NUMBERS[text]


def _decode_create(incoming: Incoming) -> pb.CreateUserRequest:
    payload = incoming.payload
    return pb.CreateUserRequest(
        email=payload.text("email"),
        password=payload.text("password"),
        role=_role(payload.text("role")),
        full_name=payload.optional_text("full_name"),
        username=payload.optional_text("username"),
        must_change_password=payload.optional_flag("must_change_password"),
    )


def _decode_update(incoming: Incoming) -> pb.UpdateUserRequest:
    payload = incoming.payload
    request = pb.UpdateUserRequest(id=incoming.number("id"))
    role = payload.optional_text("role")
    fields: dict[str, Any] = {
        "password": payload.optional_text("password"),
        "role": None if role is None else _role(role),
        "disabled": payload.optional_flag("disabled"),
        "full_name": payload.optional_text("full_name"),
        "email": payload.optional_text("email"),
    }
    for name, value in fields.items():
        if value is not None:
            setattr(request, name, value)
            request.update_mask.paths.append(name)
    if not request.update_mask.paths:
        raise invalid("names nothing to change")
    return request


def _encode_user(reply: pb.CreateUserResponse | pb.UpdateUserResponse, incoming: Incoming) -> Reply:
    return Reply(user_json(reply.user))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/users",
        rpc="AdminService.ListUsers",
        summary="List users",
        access=Access.ADMIN,
        decode=lambda incoming: pb.ListUsersRequest(),
        encode=lambda reply, incoming: Reply([user_json(user) for user in reply.users]),
        response=array(USER),
    ),
    Operation(
        method="POST",
        path="/api/users",
        rpc="AdminService.CreateUser",
        summary="Make a user",
        access=Access.ADMIN,
        decode=_decode_create,
        encode=_encode_user,
        status=201,
        request=obj(
            {"full_name": text(), "username": text(), "must_change_password": BOOLEAN},
            email=text(3),
            password=text(6, 1024),
            role=_ROLE,
        ),
        response=USER,
        errors=(409,),
        failures=_INVALID,
    ),
    Operation(
        method="PUT",
        path="/api/users/{id}",
        rpc="AdminService.UpdateUser",
        summary="Change a user",
        description="Disabling a user ends all of that user's credentials at once.",
        access=Access.ADMIN,
        decode=_decode_update,
        encode=_encode_user,
        request=obj(
            {"password": text(6, 1024), "role": _ROLE, "disabled": BOOLEAN, "full_name": text(), "email": text(3)}
        ),
        response=USER,
        errors=(404, 409),
        failures={**_INVALID, "DATABASE_ERROR": (500, "db error")},
    ),
    Operation(
        method="DELETE",
        path="/api/users/{id}",
        rpc="AdminService.DeleteUser",
        summary="Remove a user",
        access=Access.ADMIN,
        decode=lambda incoming: pb.DeleteUserRequest(id=incoming.number("id")),
        encode=lambda reply, incoming: Reply(),
        status=204,
        errors=(404, 409),
    ),
)
