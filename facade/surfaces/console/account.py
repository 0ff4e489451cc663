"""Sign in and out, and one's own account."""

from typing import Any

from facade.operation import ClearSession, Operation, Reply, SetSession
from facade.payload import Incoming
from facade.route import Access
from facade.schema import BOOLEAN, INTEGER, STRING, Schema, choice, obj, text
from llmrouter.v1 import account_pb2 as pb

ROLES = {pb.USER_ROLE_USER: "user", pb.USER_ROLE_ADMIN: "admin"}

ACCOUNT = obj(
    id=INTEGER,
    email=STRING,
    role=choice("admin", "user"),
    disabled=BOOLEAN,
    must_change_password=BOOLEAN,
    full_name=STRING,
    is_admin=BOOLEAN,
)
_OK: Schema = obj(ok={"type": "boolean", "const": True})


def account_json(user: pb.User) -> dict[str, Any]:
    """The union of what the console's and the cost control's documents show of a caller."""
    return {
        "id": user.id,
        "email": user.email,
        "role": ROLES[user.role],
        "disabled": user.disabled,
        "must_change_password": user.must_change_password,
        "full_name": user.full_name,
        "is_admin": user.role == pb.USER_ROLE_ADMIN,
    }


def _decode_login(incoming: Incoming) -> pb.LoginRequest:
    return pb.LoginRequest(login=incoming.payload.text("email"), password=incoming.payload.text("password"))


def _encode_login(reply: pb.LoginResponse, incoming: Incoming) -> Reply:
    expires_at = reply.expires_at.ToNanoseconds() / 1e9
    return Reply({"ok": True}, session=SetSession(reply.token, expires_at))


def _encode_logout(reply: pb.LogoutResponse, incoming: Incoming) -> Reply:
    return Reply({"ok": True}, session=ClearSession())


def _encode_account(reply: pb.GetAccountResponse | pb.UpdateAccountResponse, incoming: Incoming) -> Reply:
    return Reply(account_json(reply.user))


def _decode_update(incoming: Incoming) -> pb.UpdateAccountRequest:
    """Names in the mask exactly what came, so that an empty e-mail address is a bad one and not none."""
    payload = incoming.payload
    request = pb.UpdateAccountRequest(current_password=payload.optional_text("current_password") or "")
    for name in ("email", "new_password", "full_name", "username"):
        value = payload.optional_text(name)
        if value is not None:
            setattr(request, name, value)
            request.update_mask.paths.append(name)
    return request


# Of a surface of its own: the cost control's document has this path too, for access tokens.
WHO_AM_I = Operation(
    method="GET",
    path="/api/auth/me",
    rpc="AccountService.GetAccount",
    summary="Who am I",
    decode=lambda incoming: pb.GetAccountRequest(),
    encode=_encode_account,
    response=ACCOUNT,
)

_DB_ERROR = {"DATABASE_ERROR": (500, "db_error")}

OPERATIONS = (
    Operation(
        method="POST",
        path="/api/auth/login",
        rpc="AccountService.Login",
        summary="Sign in",
        description="Sets the `session` cookie. `email` may also be the user name.",
        access=Access.ANYONE,
        decode=_decode_login,
        encode=_encode_login,
        request=obj(email=text(1), password=text(1, 1024)),
        response=_OK,
        errors=(401, 429),
        same_site=True,
    ),
    Operation(
        method="POST",
        path="/api/auth/logout",
        rpc="AccountService.Logout",
        summary="Sign out",
        description="Ends the session at once and clears the cookie.",
        decode=lambda incoming: pb.LogoutRequest(),
        encode=_encode_logout,
        response=_OK,
        errors=(400,),  # for an API key, which is no session
    ),
    Operation(
        method="GET",
        path="/api/account",
        rpc="AccountService.GetAccount",
        summary="The caller's account",
        decode=lambda incoming: pb.GetAccountRequest(),
        encode=_encode_account,
        response=ACCOUNT,
    ),
    Operation(
        method="PUT",
        path="/api/account",
        rpc="AccountService.UpdateAccount",
        summary="Change the caller's account",
        description="`new_password` needs `current_password`, and ends the caller's other sessions.",
        decode=_decode_update,
        encode=_encode_account,
        request=obj(
            {
                "email": text(3),
                "current_password": text(),
                "new_password": text(6, 1024),
                "full_name": text(),
                "username": text(1),
            }
        ),
        response=ACCOUNT,
        errors=(400, 409, 429),
        failures=_DB_ERROR,
    ),
)
