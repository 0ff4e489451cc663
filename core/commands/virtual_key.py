"""The virtual keys of `llmrouter keys`: the same use cases as AdminService's, for the user who was named."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from core.deps import Deps
    from core.rpc.virtual_keys import VirtualKeyAdministration
    from llmrouter.v1.admin_pb2 import VirtualKey

_LABELS = {"project": "project_name", "agent": "agent_name", "environment": "environment", "cost_centre": "cost_centre"}
_CAPS = {"max_tokens": "max_output_tokens", "max_reasoning_tokens": "max_reasoning_tokens"}
_OPTIONS = (*_LABELS, *_CAPS, "budget", "allow_unpriced")


def configure(create: ArgumentParser) -> None:
    """Adds the options of a virtual key to `keys create`."""
    group = create.add_argument_group("virtual keys, which call models under caps and do nothing else")
    group.add_argument("--virtual", action="store_true", help="make a virtual key; the options below are for one")
    group.add_argument("--budget", type=_dollars, metavar="DOLLARS", help="what it may spend in a calendar month")
    group.add_argument("--max-tokens", type=int, metavar="N", help="output tokens that a request may ask for")
    group.add_argument("--max-reasoning-tokens", type=int, metavar="N", help="the same for thinking")
    group.add_argument("--allow-unpriced", action="store_true", help="under a budget too, models without a price")
    for option in _LABELS:
        group.add_argument(f"--{option.replace('_', '-')}", metavar="TEXT", help="for the accounts")


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise ArgumentTypeError(f"'{text}' is not an amount of dollars such as 25 or 12.50")
    return amount


def check(arguments: Namespace) -> None:
    """Refuses a virtual key's options for another key. Raises Failure."""
    from core.commands.failure import Failure

    given = [name for name in _OPTIONS if getattr(arguments, name)]
    if given and not arguments.virtual:
        raise Failure(f"--{given[0].replace('_', '-')} is for virtual keys: add --virtual", 2)


async def create(deps: "Deps", name: str, expires: "timedelta | None", arguments: Namespace) -> str:
    """Makes a virtual key of the caller's and returns its value."""
    from core.money import nanos_from_dollars
    from core.rpc.times import to_timestamp
    from llmrouter.v1.admin_pb2 import CreateVirtualKeyRequest

    request = CreateVirtualKeyRequest(
        name=name,
        allow_unpriced=arguments.allow_unpriced,
        expires_at=None if expires is None else to_timestamp(deps.clock.now() + expires),
        monthly_cap_nanousd=None if arguments.budget is None else nanos_from_dollars(arguments.budget),
        **{field: getattr(arguments, option) for option, field in (*_LABELS.items(), *_CAPS.items())},
    )
    return (await _administration(deps).CreateVirtualKey(request, None)).value


async def every(deps: "Deps") -> Sequence["VirtualKey"]:
    """The caller's virtual keys, but for those that were revoked."""
    from llmrouter.v1.admin_pb2 import ListVirtualKeysRequest

    keys: list[VirtualKey] = []
    request = ListVirtualKeysRequest()
    while True:
        page = await _administration(deps).ListVirtualKeys(request, None)
        keys += [key for key in page.virtual_keys if not key.HasField("revoked_at")]
        request.page_token = page.next_page_token
        if not request.page_token:
            return keys


async def revoke(deps: "Deps", key_id: int) -> None:
    from llmrouter.v1.admin_pb2 import DeleteVirtualKeyRequest

    await _administration(deps).DeleteVirtualKey(DeleteVirtualKeyRequest(id=key_id), None)


def _administration(deps: "Deps") -> "VirtualKeyAdministration":
    from core.rpc.virtual_keys import VirtualKeyAdministration

    methods = VirtualKeyAdministration()
    methods.deps = deps
    return methods
