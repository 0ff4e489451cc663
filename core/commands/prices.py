"""Lists, sets and removes prices that win over the published ones. No server needs to run; one that does sees the
change within a second. Records that exist keep their cost."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.commands.dollars import nanos_of
from core.settings import Settings

if TYPE_CHECKING:
    from core.rpc.prices import PriceAdministration

EXAMPLES = """\
examples:
  llmrouter prices set 'gpt-4o*' 2.50 10 --cached 1.25
  llmrouter prices set our-model 0.20 0.40 --provider vllm --since 2026-02-01
  llmrouter prices list
  llmrouter prices remove 3

Prices are US dollars for a million tokens. A model or provider may hold the wildcards * and ?; of several prices that
fit, the one with the latest day counts."""


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show the prices that were set here or over the API")
    listing.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    setting = actions.add_parser("set", help="set a price")
    setting.add_argument("model", metavar="MODEL")
    setting.add_argument("input", metavar="INPUT")
    setting.add_argument("output", metavar="OUTPUT")
    setting.add_argument("--provider", default="*", help="a provider's name; every provider where it is absent")
    setting.add_argument(
        "--since", default="", metavar="DAY", help="from this day in UTC on; always where it is absent"
    )
    setting.add_argument("--cached", default="", metavar="DOLLARS", help="the price of cached input")
    setting.add_argument("--cache-write", default="", metavar="DOLLARS", help="the price of input that is cached")
    remove = actions.add_parser("remove", help="remove a price")
    remove.add_argument("id", metavar="ID", type=int)


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    return asyncio.run(_run(arguments, load()))


async def _run(arguments: Namespace, settings: Settings) -> int:
    from core.commands.offline import opened
    from core.rpc.prices import PriceAdministration
    from llmrouter.v1.budget_pb2 import DeletePriceRequest

    async with opened(settings) as deps:
        methods = PriceAdministration()
        methods.deps = deps
        if arguments.action == "list":
            return await _list(methods, as_json=arguments.json)
        if arguments.action == "set":
            return await _set(methods, arguments)
        await methods.DeletePrice(DeletePriceRequest(id=arguments.id), None)
        print("removed the price")
        return 0


async def _list(methods: "PriceAdministration", *, as_json: bool) -> int:
    from core.commands.output import show
    from core.money import dollars_from_nanos
    from llmrouter.v1.budget_pb2 import ListPricesRequest

    found = await methods.ListPrices(ListPricesRequest(), None)
    rows = [
        {
            "id": price.id,
            "provider": price.provider,
            "model": price.model,
            "since": price.since,
            "input": f"{dollars_from_nanos(price.input_nanousd):f}",
            "output": f"{dollars_from_nanos(price.output_nanousd):f}",
        }
        for price in found.prices
    ]
    show(rows, as_json=as_json, nothing="no prices of your own")
    return 0


async def _set(methods: "PriceAdministration", arguments: Namespace) -> int:
    from llmrouter.v1.budget_pb2 import CreatePriceRequest, Price

    price = Price(
        provider=arguments.provider,
        model=arguments.model,
        since=arguments.since,
        input_nanousd=nanos_of(arguments.input),
        output_nanousd=nanos_of(arguments.output),
        cached_input_nanousd=nanos_of(arguments.cached) if arguments.cached else None,
        cache_write_nanousd=nanos_of(arguments.cache_write) if arguments.cache_write else None,
    )
    made = await methods.CreatePrice(CreatePriceRequest(price=price), None)
    print(f"price {made.price.id} is set")
    return 0
