"""Makes an administrator and an API key where there is no administrator; `llmrouter serve --dev` runs it.

    data/first-account/email, password, api-key      for their owner's eyes alone

In a process of its own, which ends before the service starts: the supervisor is to stay small.
"""

import os
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from core.settings import Address, Settings

EXAMPLES = "example:\n  llmrouter serve --dev"

_EMAIL = "admin@localhost"


def configure(parser: ArgumentParser) -> None:
    pass


def folder(settings: Settings) -> Path:
    """Where the credentials are kept."""
    return settings.data_dir / "first-account"


def make_in_child(settings: Settings) -> bool:
    """Makes the account unless that was done before; whether it was made now. Exits where it can't be made."""
    if folder(settings).exists() or settings.admin_email:
        return False
    done = subprocess.run([sys.executable, "-P", "-m", "core.cli", "first_account"], check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)  # it has said why
    return folder(settings).exists()


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    import asyncio  # here: the supervisor imports this module too

    return asyncio.run(_make(load()))


async def _make(settings: Settings) -> int:
    from core.commands.offline import act_for, opened
    from core.ids import random_text
    from core.rpc.api_keys import ApiKeyMethods
    from core.rpc.users import UserAdministration
    from core.store import users
    from llmrouter.v1 import account_pb2, admin_pb2

    async with opened(settings) as deps:
        async with deps.database.read() as connection:
            if await users.has_administrator(connection):
                return 0
        administration, keys = UserAdministration(), ApiKeyMethods()
        administration.deps = keys.deps = deps
        password = random_text(20)
        wanted = admin_pb2.CreateUserRequest(email=_EMAIL, password=password, role=account_pb2.USER_ROLE_ADMIN)
        user = (await administration.CreateUser(wanted, None)).user
        act_for(user.id)
        key = (await keys.CreateApiKey(account_pb2.CreateApiKeyRequest(name="first account"), None)).value
    _write(folder(settings), {"email": _EMAIL, "password": password, "api-key": key})
    return 0


def _write(directory: Path, contents: dict[str, str]) -> None:
    directory.mkdir(mode=0o700)
    for name, text in contents.items():
        with os.fdopen(os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")


def welcome(settings: Settings, *, made: bool) -> str:
    """What to try next, and the credentials if they were made just now."""
    place = folder(settings)
    key = f"$(cat {place / 'api-key'})" if place.exists() else "YOUR_KEY"
    http, grpc = f"http://{_here(settings.http_addr)}", _here(settings.grpc_addr)
    model = "echo" if settings.echo else "YOUR_MODEL"
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello, router"}}]}}'
    lines = [
        "",
        f"llmrouter is up: {http} answers HTTP and {grpc} gRPC; README.md tells the rest. Try:",
        f"  curl {http}/api/v1/chat/completions -H \"Authorization: Bearer {key}\" -d '{body}'",
        f'  grpcurl -plaintext -H "authorization: Bearer {key}" {grpc} llmrouter.v1.RouterService/ListModels',
    ]
    if made:
        lines += [
            "This first start made an administrator, shown here once and kept in " + str(place) + ":",
            f"  e-mail {_EMAIL}, password {(place / 'password').read_text().strip()}",
            f"  API key {(place / 'api-key').read_text().strip()}",
        ]
    elif not place.exists():
        lines.append("`llmrouter keys create YOUR_EMAIL --name test` makes YOUR_KEY.")
    return "\n".join([*lines, ""])


def _here(address: Address) -> str:
    """The address as this machine reaches it."""
    everywhere = address.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    return str(Address("127.0.0.1", address.port)) if everywhere else str(address)
