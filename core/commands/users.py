"""Lists, adds and changes users. No server needs to run; one that does sees the change within a second."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.settings import Settings

if TYPE_CHECKING:
    from core.rpc.users import UserAdministration

EXAMPLES = """\
examples:
  llmrouter users add --admin ann@example.com
  printf '%s\\n' "$PASSWORD" | llmrouter users add ann@example.com --password-stdin
  llmrouter users role ann@example.com user

USER is an e-mail address, a user name or a number."""

_STDIN = "--password-stdin"


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show all users")
    listing.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    add = actions.add_parser("add", help="make a user")
    add.add_argument("email", metavar="EMAIL")
    add.add_argument("--admin", action="store_true", help="make an administrator")
    add.add_argument("--name", default="", help="the user's name, as people write it")
    add.add_argument("--must-change", action="store_true", help="ask for another password at the first sign-in")
    passwd = actions.add_parser("passwd", help="set a password, to be changed at the next sign-in; ends all sessions")
    for each in (add, passwd):
        each.add_argument(_STDIN, action="store_true", help="read the password from stdin (one line)")
    disable = actions.add_parser("disable", help="refuse a user's sessions and keys from now on")
    enable = actions.add_parser("enable", help="let a disabled user in again")
    role = actions.add_parser("role", help="make a user an administrator, or an administrator a user")
    for each in (passwd, disable, enable, role):
        each.add_argument("user", metavar="USER")
    role.add_argument("role", choices=("user", "admin"))


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    password = ""
    if arguments.action in ("add", "passwd"):
        from core.commands.secret_input import read_secret

        password = read_secret("Password", from_stdin=arguments.password_stdin, option=_STDIN, twice=True)
    return asyncio.run(_run(arguments, load(), password))


async def _run(arguments: Namespace, settings: Settings, password: str) -> int:
    from core.commands.offline import opened
    from core.commands.person import find
    from core.rpc.users import UserAdministration

    async with opened(settings) as deps:
        administration = UserAdministration()
        administration.deps = deps
        if arguments.action == "list":
            return await _list(administration, as_json=arguments.json)
        if arguments.action == "add":
            return await _add(administration, arguments, password)
        user = await find(deps, arguments.user)
        return await _change(administration, arguments, user.id, password)


async def _list(administration: "UserAdministration", *, as_json: bool) -> int:
    from core.commands.output import moment, show
    from core.commands.pages import every
    from llmrouter.v1 import account_pb2, admin_pb2

    found = await every(administration.ListUsers, admin_pb2.ListUsersRequest(), lambda page: page.users)
    rows = [
        {
            "id": user.id,
            "email": user.email,
            "username": user.username,
            "name": user.full_name,
            "role": "admin" if user.role == account_pb2.USER_ROLE_ADMIN else "user",
            "disabled": user.disabled,
            "created": moment(user.created_at),
        }
        for user in found
    ]
    show(rows, as_json=as_json, nothing="no users; `llmrouter users add --admin EMAIL` makes an administrator")
    return 0


async def _add(administration: "UserAdministration", arguments: Namespace, password: str) -> int:
    from llmrouter.v1 import account_pb2, admin_pb2

    request = admin_pb2.CreateUserRequest(
        email=arguments.email,
        password=password,
        role=account_pb2.USER_ROLE_ADMIN if arguments.admin else account_pb2.USER_ROLE_USER,
        full_name=arguments.name,
        must_change_password=arguments.must_change,
    )
    made = (await administration.CreateUser(request, None)).user
    print(f"made {'administrator' if arguments.admin else 'user'} {made.email} (number {made.id})")
    return 0


async def _change(administration: "UserAdministration", arguments: Namespace, user_id: int, password: str) -> int:
    from llmrouter.v1 import account_pb2, admin_pb2

    request = admin_pb2.UpdateUserRequest(id=user_id)
    if arguments.action == "passwd":
        request.update_mask.paths.append("password")
        request.password = password
        done = "has the new password"
    elif arguments.action == "role":
        request.update_mask.paths.append("role")
        request.role = account_pb2.USER_ROLE_ADMIN if arguments.role == "admin" else account_pb2.USER_ROLE_USER
        done = f"has the role {arguments.role}"
    else:
        request.update_mask.paths.append("disabled")
        request.disabled = arguments.action == "disable"
        done = f"is {arguments.action}d"
    changed = (await administration.UpdateUser(request, None)).user
    print(f"{changed.email} {done}")
    return 0
