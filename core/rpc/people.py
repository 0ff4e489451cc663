"""What AccountService and the user half of AdminService share: users as messages, names and roles."""

from sqlalchemy.exc import IntegrityError

from core import inputs
from core.errors import EmailExists, InvalidArgument, NameExists, RouterError
from core.rpc.times import to_timestamp
from core.store import users
from core.store.database import violated
from core.store.users import User
from llmrouter.v1 import account_pb2

MAX_FULL_NAME = 200

_ROLES = {
    users.USER: account_pb2.USER_ROLE_USER,
    users.ADMIN: account_pb2.USER_ROLE_ADMIN,
}


def to_user(user: User) -> account_pb2.User:
    """A user as a message."""
    return account_pb2.User(
        id=user.id,
        email=user.email,
        username=user.username,
        full_name=user.full_name,
        role=_ROLES[user.role],
        disabled=user.disabled,
        must_change_password=user.must_change_password,
        created_at=to_timestamp(user.created_at),
        updated_at=to_timestamp(user.updated_at),
    )


def role(value: account_pb2.UserRole) -> str:
    """The role of an enum's value. Raises InvalidArgument."""
    for name, known in _ROLES.items():
        if value == known:
            return name
    raise InvalidArgument("role must be user or admin", field="role")


def full_name(text: str) -> str:
    return inputs.line(text, "full_name", most=MAX_FULL_NAME)


def names(email: str, username: str) -> dict[str, str]:
    """The checked `email` and `username` of a new user; the name is the address where it is empty."""
    email = inputs.email(email)
    return {"email": email, "username": inputs.username(username, email) if username else email}


def new_names(user: User, *, email: str | None = None, username: str | None = None) -> dict[str, str]:
    """The checked `email` and `username` of a user of whom one of them or both change.

    A name that is the address stays so when the address changes.
    """
    if username is None:
        username = "" if user.username == user.email else user.username
    return names(user.email if email is None else email, username)


def taken(error: IntegrityError, wanted: dict[str, str]) -> RouterError:
    """The error that says which of the wanted `email` and `username` another user has."""
    if violated(error, "users.email") or wanted["username"] == wanted["email"]:
        return EmailExists(field="email")
    return NameExists(field="username")
