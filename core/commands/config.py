"""Checks a configuration file as the start and a reload do, and says all that is wrong with it."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from core.settings import Settings
from core.supervisor import EX_CONFIG

EXAMPLES = """\
example:
  llmrouter config check llmrouter.yaml && kill -HUP "$(cat data/run/serve.lock)"

A variable that the file names must be set here too."""


def configure(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="check a file and change nothing")
    check.add_argument("file", type=Path, metavar="FILE")


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    environ = load().environ
    from core import config_file

    try:
        found = config_file.load(arguments.file, environ)
    except config_file.ConfigurationError as error:
        print(error, file=sys.stderr)
        return EX_CONFIG
    counts = f"{len(found.providers)} providers, {len(found.routes)} routes, {len(found.prices)} prices"
    counts += f", {len(found.limits)} limits"
    print(f"{arguments.file} is good: {counts}")
    return 0
