"""Looks for what would keep the service from working, and says what to do about it.

It changes nothing, and can run beside a running service. The exit code is 1 where something is wrong.
"""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from core.commands.failure import explain
from core.settings import Settings

EXAMPLES = """\
examples:
  llmrouter doctor
  llmrouter doctor --offline"""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--offline", action="store_true", help="don't ask the providers whether they answer")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    try:
        settings = load()
    except Exception as error:  # the first check
        print(f"✗ settings: {explain(error)[0]}")
        return 1
    print("✓ settings: all can be read")
    return asyncio.run(_run(settings, ask_providers=not arguments.offline))


async def _run(settings: Settings, *, ask_providers: bool) -> int:
    from core.commands import database_checks, machine_checks
    from core.commands.machine_checks import Finding

    bad = 0

    def tell(finding: Finding) -> None:
        nonlocal bad
        bad += not finding.good
        print(f"{'✓' if finding.good else '✗'} {finding.about}: {finding.text}", flush=True)

    for check in machine_checks.ALL:
        tell(check(settings))
    async for finding in database_checks.look(settings, ask_providers=ask_providers):
        tell(finding)
    print("everything is well" if not bad else f"{bad} {'thing needs' if bad == 1 else 'things need'} attention")
    return 1 if bad else 0
