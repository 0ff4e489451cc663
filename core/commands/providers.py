"""Lists, adds, changes and tests providers. No server needs to run; one that does sees the change within a second."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.settings import Settings

if TYPE_CHECKING:
    from core.deps import Deps
    from core.rpc.providers import ProviderAdministration
    from core.store.providers import ProviderRow
    from llmrouter.v1 import admin_pb2

EXAMPLES = """\
examples:
  llmrouter providers add openai openai
  printf '%s\\n' "$GROQ_API_KEY" | llmrouter providers add groq groq --key-stdin
  llmrouter providers add gpu vllm --base-url http://gpu:8000/v1
  tr -d '\\n' < service-account.json | llmrouter providers add gcp vertex --key-stdin \\
    --base-url https://europe-west1-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west1
  llmrouter providers test openai --model gpt-4o-mini

PROVIDER is a name or a number. TYPE is a vendor, such as openai, groq, ollama or openai-compatible.

After a change of LLMROUTER_SECRET_KEY, with the old one in LLMROUTER_SECRET_KEYS_OLD, `rotate` encrypts all
provider keys with the new one; then the old one can be removed."""

_STDIN = "--key-stdin"


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show all providers")
    listing.add_argument("--json", action="store_true", help="print a JSON array instead of a table")
    add = actions.add_parser("add", help="add a provider and pull its models")
    add.add_argument("name", metavar="NAME")
    add.add_argument("type", metavar="TYPE")
    add.add_argument("--base-url", default="", metavar="URL", help="where its API is (default: the vendor's address)")
    add.add_argument("--disabled", action="store_true", help="add it without offering its models")
    key = add.add_mutually_exclusive_group()
    key.add_argument(_STDIN, action="store_true", help="read its API key from stdin (one line)")
    key.add_argument("--no-key", action="store_true", help="it needs no key")
    for name, does in (
        ("remove", "remove a provider and its models"),
        ("enable", "offer a provider's models"),
        ("disable", "no longer offer a provider's models"),
        ("refresh", "pull a provider's models anew"),
        ("test", "see whether a provider answers"),
    ):
        action = actions.add_parser(name, help=does)
        action.add_argument("provider", metavar="PROVIDER")
        if name == "test":
            action.add_argument("--model", default="", help="ask this model for a word; it may cost a little")
    actions.add_parser("rotate", help="encrypt all provider keys with the current secret key")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    settings = load()
    key = _key(arguments) if arguments.action == "add" else ""
    return asyncio.run(_run(arguments, settings, key))


def _key(arguments: Namespace) -> str:
    from core.commands.secret_input import read_secret
    from core.providers.vendors import vendor_for

    vendor = vendor_for(arguments.type)
    if arguments.no_key or not (arguments.key_stdin or (vendor is not None and vendor.needs_key)):
        return ""
    return read_secret("API key", from_stdin=arguments.key_stdin, option=f"{_STDIN} or --no-key")


async def _run(arguments: Namespace, settings: Settings, key: str) -> int:
    from core.commands import provider_trial
    from core.rpc.providers import ProviderAdministration

    async with provider_trial.connected(settings) as (deps, make):
        administration = ProviderAdministration()
        administration.deps = deps
        if arguments.action == "list":
            return await _list(administration, as_json=arguments.json)
        if arguments.action == "add":
            return await _add(administration, arguments, key)
        if arguments.action == "rotate":
            from core.commands.rotation import rotate

            return await rotate(deps)
        row = await _find(deps, arguments.provider)
        if arguments.action == "test":
            return await provider_trial.test(make, row, arguments.model)
        return await _change(administration, arguments.action, row)


async def _find(deps: "Deps", who: str) -> "ProviderRow":
    from core.commands.failure import Failure
    from core.store import providers

    async with deps.database.read() as connection:
        row = await providers.get_by_name(connection, who)
        if row is None and who.isascii() and who.isdigit() and len(who) < 19:
            row = await providers.get(connection, int(who))
    if row is None:
        raise Failure(f"there is no provider '{who}'; `llmrouter providers list` shows them all")
    return row


async def _list(administration: "ProviderAdministration", *, as_json: bool) -> int:
    from core.commands.output import moment, show
    from core.commands.pages import every
    from llmrouter.v1 import admin_pb2

    found = await every(administration.ListProviders, admin_pb2.ListProvidersRequest(), lambda page: page.providers)
    rows = [
        {
            "id": provider.id,
            "name": provider.name,
            "type": provider.type,
            "base_url": provider.base_url,
            "enabled": provider.enabled,
            "key": provider.has_api_key,
            "source": provider.source,
            "created": moment(provider.created_at),
        }
        for provider in found
    ]
    show(rows, as_json=as_json, nothing="no providers; `llmrouter providers add NAME TYPE` adds one")
    return 0


async def _add(administration: "ProviderAdministration", arguments: Namespace, key: str) -> int:
    from llmrouter.v1 import admin_pb2

    request = admin_pb2.CreateProviderRequest(
        name=arguments.name,
        type=arguments.type,
        base_url=arguments.base_url,
        api_key=key,
        enabled=not arguments.disabled,
    )
    made = (await administration.CreateProvider(request, None)).provider
    print(f"added {made.name} (number {made.id}): {made.base_url or made.type}, {_models(made)}")
    return 0


async def _change(administration: "ProviderAdministration", action: str, row: "ProviderRow") -> int:
    from llmrouter.v1 import admin_pb2

    if action == "remove":
        await administration.DeleteProvider(admin_pb2.DeleteProviderRequest(id=row.id), None)
        print(f"removed {row.name}")
    elif action == "refresh":
        request = admin_pb2.RefreshProviderModelsRequest(id=row.id)
        provider = (await administration.RefreshProviderModels(request, None)).provider
        print(f"{row.name}: {_models(provider)}")
        for model in provider.runtime_models:
            print(f"  {model}")
    else:
        update = admin_pb2.UpdateProviderRequest(id=row.id, enabled=action == "enable")
        update.update_mask.paths.append("enabled")
        provider = (await administration.UpdateProvider(update, None)).provider
        print(f"{row.name} is {action}d, {_models(provider)}")
    return 0


def _models(provider: "admin_pb2.Provider") -> str:
    if provider.models_error:
        return f"but its models can't be pulled: {provider.models_error}"
    from core.commands.output import models

    return models(len(provider.runtime_models)) if provider.enabled else "its models are not offered"
