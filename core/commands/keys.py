"""Lists, creates and revokes API keys and virtual keys.

No server needs to run; a running one sees it within a second.
"""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeGuard

from core.commands import virtual_key
from core.settings import Settings

if TYPE_CHECKING:
    from core.deps import Deps
    from llmrouter.v1.account_pb2 import ApiKey
    from llmrouter.v1.admin_pb2 import VirtualKey

EXAMPLES = """\
examples:
  llmrouter keys create ann@example.com --name laptop --expires 90d
  llmrouter keys create ann@example.com --name "HR bot" --virtual --budget 25 --max-tokens 1000
  llmrouter keys list ann@example.com
  llmrouter keys revoke ann@example.com sk_x7Kd92mQ

USER is an e-mail address, a user name or a number. KEY is its number or its prefix."""

_UNITS = {"h": 3600, "d": 24 * 3600}
_MAX_YEARS = 100


def _span(text: str) -> timedelta:
    unit = _UNITS.get(text[-1:])
    if unit is None or not text[:-1].isdigit() or not 0 < int(text[:-1]) * unit < _MAX_YEARS * 365 * 24 * 3600:
        raise ArgumentTypeError(f"'{text}' is not a span of time such as 12h or 90d")
    return timedelta(seconds=int(text[:-1]) * unit)


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show a user's keys, without their secrets")
    listing.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    create = actions.add_parser("create", help="make a key and print it, this once")
    create.add_argument("--name", required=True, help="what the key is for")
    create.add_argument("--expires", type=_span, metavar="SPAN", help="12h, 90d, …; without it the key does not expire")
    virtual_key.configure(create)
    revoke = actions.add_parser("revoke", help="end a key")
    for each in (listing, create, revoke):
        each.add_argument("user", metavar="USER")
    revoke.add_argument("key", metavar="KEY")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    return asyncio.run(_run(arguments, load()))


async def _run(arguments: Namespace, settings: Settings) -> int:
    from core.commands.offline import act_for, opened
    from core.commands.person import find

    async with opened(settings) as deps:
        user = await find(deps, arguments.user)
        act_for(user.id)
        if arguments.action == "list":
            return await _list(deps, as_json=arguments.json)
        if arguments.action == "create":
            return await _create(deps, arguments)
        return await _revoke(deps, arguments)


async def _keys(deps: "Deps") -> Sequence["ApiKey | VirtualKey"]:
    """All keys of the caller's that are not revoked."""
    from core.rpc.api_keys import MAX_KEYS, ApiKeyMethods
    from llmrouter.v1.account_pb2 import ListApiKeysRequest

    methods = ApiKeyMethods()
    methods.deps = deps
    api_keys = (await methods.ListApiKeys(ListApiKeysRequest(page_size=MAX_KEYS), None)).api_keys
    return [*api_keys, *await virtual_key.every(deps)]


async def _list(deps: "Deps", *, as_json: bool) -> int:
    from core.commands.output import moment, show

    rows = [
        {
            "id": key.id,
            "prefix": key.prefix,
            "name": key.name,
            "kind": "virtual" if _is_virtual(key) else "api",
            "active": key.is_active if _is_virtual(key) else True,
            "created": moment(key.created_at),
            "expires": moment(key.expires_at) if key.HasField("expires_at") else None,
        }
        for key in await _keys(deps)
    ]
    show(rows, as_json=as_json, nothing="no keys")
    return 0


async def _create(deps: "Deps", arguments: Namespace) -> int:
    from core.rpc.api_keys import ApiKeyMethods
    from core.rpc.times import to_timestamp
    from llmrouter.v1.account_pb2 import CreateApiKeyRequest

    virtual_key.check(arguments)
    if arguments.virtual:
        print(await virtual_key.create(deps, arguments.name, arguments.expires, arguments))
        return 0
    methods = ApiKeyMethods()
    methods.deps = deps
    request = CreateApiKeyRequest(name=arguments.name)
    if arguments.expires is not None:
        request.expires_at.CopyFrom(to_timestamp(deps.clock.now() + arguments.expires))
    print((await methods.CreateApiKey(request, None)).value)
    return 0


async def _revoke(deps: "Deps", arguments: Namespace) -> int:
    from core.commands.failure import Failure
    from core.rpc import api_keys

    # Who pastes a whole key to have it revoked is understood too.
    named = [key for key in await _keys(deps) if arguments.key == str(key.id) or _has_prefix(arguments.key, key.prefix)]
    if len(named) != 1:
        wrong = "has no key" if not named else "has several keys"
        raise Failure(f"{arguments.user} {wrong} '{arguments.key[:11]}'; `llmrouter keys list` shows them with numbers")
    if _is_virtual(named[0]):
        await virtual_key.revoke(deps, named[0].id)
    else:
        await api_keys.delete(deps, named[0].user_id, named[0].id)
    print(f"revoked {named[0].prefix} ({named[0].name})")
    return 0


def _is_virtual(key: "ApiKey | VirtualKey") -> "TypeGuard[VirtualKey]":
    return key.DESCRIPTOR.name == "VirtualKey"


def _has_prefix(text: str, prefix: str) -> bool:
    return text == prefix or text.startswith(f"{prefix}_")
