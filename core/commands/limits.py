"""Lists, sets and removes limits of requests and tokens. No server needs to run; one that does sees the change
within a second."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.settings import Settings

if TYPE_CHECKING:
    from core.deps import Deps
    from llmrouter.v1.admin_pb2 import Limit

EXAMPLES = """\
examples:
  llmrouter limits set deployment --rpm 6000
  llmrouter limits set user '*' --rpm 60 --concurrent 10
  llmrouter limits set user ann@example.com --rpm 600 --tpd 5000000
  llmrouter limits set model gpt-4o --tpm 300000
  llmrouter limits remove user ann@example.com

KIND is deployment, user, credential, project or model. ID is a user's e-mail address, name or number, a credential's
number, or the name of a project or model; * is everyone of the kind without a limit of their own. `set` changes the
numbers that it names and leaves the others; 0 takes one away."""

_KINDS = ("deployment", "user", "credential", "project", "model")
_OPTIONS = {
    "requests_per_minute": "--rpm",
    "tokens_per_minute": "--tpm",
    "requests_per_day": "--rpd",
    "tokens_per_day": "--tpd",
    "concurrent_requests": "--concurrent",
}


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show the limits")
    listing.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    setting = actions.add_parser("set", help="set a scope's limits, or change them")
    for name, option in _OPTIONS.items():
        setting.add_argument(option, dest=name, type=int, metavar="N", help=name.replace("_", " "))
    remove = actions.add_parser("remove", help="end a scope's limits")
    for each in (setting, remove):
        each.add_argument("kind", metavar="KIND", choices=_KINDS)
        each.add_argument("id", metavar="ID", nargs="?", default="")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    return asyncio.run(_run(arguments, load()))


async def _run(arguments: Namespace, settings: Settings) -> int:
    from core.commands.offline import opened

    async with opened(settings) as deps:
        if arguments.action == "list":
            return await _list(deps, as_json=arguments.json)
        scope_id = await _scope_id(deps, arguments.kind, arguments.id)
        before = await _find(deps, arguments.kind, scope_id)
        if arguments.action == "set":
            return await _set(deps, arguments, scope_id, before)
        return await _remove(deps, arguments, before)


async def _list(deps: "Deps", *, as_json: bool) -> int:
    from core.commands.output import show
    from core.store import limits

    async with deps.database.read() as connection:
        rows = await limits.all_rows(connection)
    shown = [
        {"kind": row.scope_kind, "id": row.scope_id}
        | {name: getattr(row, name) or None for name in _OPTIONS}
        | {"source": row.source}
        for row in rows
    ]
    show(shown, as_json=as_json, nothing="no limits")
    return 0


async def _set(deps: "Deps", arguments: Namespace, scope_id: str, before: "Limit | None") -> int:
    from google.protobuf.field_mask_pb2 import FieldMask

    from core.commands.failure import Failure
    from core.rpc.limits import LimitAdministration, scope_of
    from llmrouter.v1.admin_pb2 import CreateLimitRequest, UpdateLimitRequest

    counts: dict[str, Any] = {
        name: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None
    }
    if not counts:
        raise Failure(f"say what to limit: {', '.join(_OPTIONS.values())}")
    methods = LimitAdministration()
    methods.deps = deps
    if before is None:
        await methods.CreateLimit(CreateLimitRequest(scope=scope_of(arguments.kind), scope_id=scope_id, **counts), None)
    else:
        request = UpdateLimitRequest(id=before.id, update_mask=FieldMask(paths=counts), **counts)
        await methods.UpdateLimit(request, None)
    print(f"limited {arguments.kind} {scope_id}".rstrip())
    return 0


async def _remove(deps: "Deps", arguments: Namespace, before: "Limit | None") -> int:
    from core.commands.failure import Failure
    from core.rpc.limits import LimitAdministration
    from llmrouter.v1.admin_pb2 import DeleteLimitRequest

    if before is None:
        raise Failure("there is no such limit; `llmrouter limits list` shows them")
    methods = LimitAdministration()
    methods.deps = deps
    await methods.DeleteLimit(DeleteLimitRequest(id=before.id), None)
    print(f"removed the limits of {arguments.kind} {arguments.id}".rstrip())
    return 0


async def _find(deps: "Deps", kind: str, scope_id: str) -> "Limit | None":
    from core.rpc.limits import limit_message
    from core.store import limits

    async with deps.database.read() as connection:
        row = await limits.of_scope(connection, kind, scope_id)
    return None if row is None else limit_message(row)


async def _scope_id(deps: "Deps", kind: str, given: str) -> str:
    """The id as it is stored. Raises Failure, InvalidArgument."""
    from core.commands.person import find
    from core.rpc.limits import checked_id

    if kind == "user" and given != "*":
        return str((await find(deps, given)).id)
    return checked_id(kind, given)
