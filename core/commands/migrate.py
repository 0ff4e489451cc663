"""Brings the database's tables to where this version of llmrouter wants them, or to another revision.

`serve` and `core` do this by themselves at start; here it can be done at a time of your choosing.
"""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from core.settings import Settings

EXAMPLES = """\
examples:
  llmrouter migrate
  llmrouter migrate --current
  LLMROUTER_DATABASE_URL=postgresql://router@db/router llmrouter migrate --to 0002

Going down can lose what only the newer tables have: make a backup first."""


def configure(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--to", metavar="REVISION", help="upgrade to this revision (default: the newest)")
    what.add_argument("--down", metavar="REVISION", help="go back to this revision; 'base' removes all tables")
    what.add_argument("--current", action="store_true", help="show where the database is, and change nothing")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    settings = load()
    from core import sockets

    sockets.prepare(settings)
    return asyncio.run(_migrate(arguments, settings.resolved_database_url))


async def _migrate(arguments: Namespace, url: str) -> int:
    from core.store import migrate

    def progress(line: str) -> None:
        print(line, flush=True)

    before = await migrate.current(url)
    if arguments.current:
        print(f"{before or 'no tables'} (this version wants {migrate.HEAD})")
        return 0
    if arguments.down:
        await migrate.downgrade(url, arguments.down, progress)
    else:
        await migrate.upgrade(url, arguments.to or migrate.HEAD, progress)
    after = await migrate.current(url)
    print(f"{'already' if after == before else 'now'} at {after or 'no tables'}")
    return 0
