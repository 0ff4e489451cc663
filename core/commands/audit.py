"""Proves the accounts of budgets: adds up every balance anew from the entries of the ledger, and compares.

The exit status is 1 where there is a difference. No server needs to run; one that does may go on.
"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from core.settings import Settings

EXAMPLES = """\
examples:
  llmrouter audit
  llmrouter audit --quiet && echo all is well"""

_BATCH = 200


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="say nothing unless there is a difference")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    return asyncio.run(_run(arguments, load()))


async def _run(arguments: Namespace, settings: Settings) -> int:
    from core.commands.offline import opened
    from core.store import ledger

    checked, wrong, last = 0, 0, 0
    async with opened(settings) as deps:
        while True:
            # A batch is read in one statement, and so in one state of the database.
            async with deps.database.read() as connection:
                proofs = await ledger.proofs(connection, after_id=last, limit=_BATCH)
            if not proofs:
                break
            for proof in proofs:
                if not proof.holds:
                    wrong += 1
                    print(
                        f"balance {proof.balance_id}: {proof.settled} nano-dollars are settled and the entries add up "
                        f"to {proof.settled_by_entries}; {proof.leased} are leased and the leases add up to "
                        f"{proof.leased_by_leases}"
                    )
            checked, last = checked + len(proofs), proofs[-1].balance_id
            if not arguments.quiet and sys.stderr.isatty():
                print(f"\r{checked} balances", end="", file=sys.stderr, flush=True)
        async with deps.database.read() as connection:
            strays = await ledger.strays(connection)
    if strays:
        print(f"{strays} entries name a balance that does not exist")
    if not arguments.quiet:
        print(f"{checked} balances, {wrong} with a difference")
    return 1 if wrong or strays else 0
