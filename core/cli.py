"""The command `llmrouter`.

    llmrouter COMMAND … ─► core/commands/<command>.py: configure(parser), run(arguments, settings)

Only the module of the command that was asked for is imported, and each imports what is heavy where it
needs it: the supervisor lives as long as the service and should cost neither time nor memory.

Whatever goes wrong ends in one line that says what to do, and in an exit code: 2 for a wrong command
line, 78 for a setting that can't be used, 69 for a database that does not answer, 70 for a fault of ours,
1 for the rest. With LLMROUTER_LOG_LEVEL=debug the Python trace comes with it; a fault in a process of the
service brings it always, for nobody can try that again.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.settings import Settings

COMMANDS = {
    "serve": "run everything: core and facade processes under one supervisor",
    "core": "run one core process: the gRPC server",
    "facade": "run one facade process: the HTTP server",
    "migrate": "bring the database's tables up to date, or back",
    "users": "list, add and change users",
    "keys": "list, create and revoke API keys",
    "providers": "list, add, change and test providers",
    "limits": "list, set and remove limits of requests and tokens",
    "budgets": "list, set and remove budgets",
    "prices": "list, set and remove prices of your own",
    "audit": "prove the accounts of budgets from their ledger",
    "usage": "list, export and sum up usage",
    "doctor": "look for what would keep the service from working",
    "config": "check a configuration file",
    "version": "show the version",
}

_PROCESSES = ("serve", "core", "facade")

# Not shown: for `serve` alone.
_INTERNAL = ("first_account",)

_USAGE = """\
usage: llmrouter COMMAND …

An LLM router: any client, any provider, one set of users, keys and exact accounts.

commands:
{commands}

`llmrouter COMMAND --help` explains a command. Settings come from the environment and from the file .env;
the README has a table of them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code."""
    os.umask(0o077)  # what the service writes is nobody else's to read
    argv = sys.argv[1:] if argv is None else argv
    name, *rest = argv or ["--help"]
    name = {"-h": "--help", "help": "--help", "--version": "version", "-V": "version"}.get(name, name)
    if name == "--help":
        rows = "\n".join(f"  {command:<10} {summary}" for command, summary in COMMANDS.items())
        print(_USAGE.format(commands=rows))
        return 0
    if name not in COMMANDS and name not in _INTERNAL:
        return _complain(f"there is no command '{name}'{_meant(name)}; `llmrouter --help` lists them", 2)
    try:
        return _run(name, rest)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        from core.commands.failure import EX_SOFTWARE, explain

        message, code = explain(error)
        debugging = os.environ.get("LLMROUTER_LOG_LEVEL", "").lower() == "debug"
        if debugging or (code == EX_SOFTWARE and name in _PROCESSES):
            import traceback

            traceback.print_exc()
        return _complain(message, code)


def _run(name: str, arguments: Sequence[str]) -> int:
    from argparse import ArgumentParser, RawDescriptionHelpFormatter

    module = import_module(f"core.commands.{name}")
    parser = ArgumentParser(
        prog=f"llmrouter {name}",
        description=module.__doc__,
        epilog=module.EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    return module.run(parser.parse_args(arguments), _settings)


def _settings() -> "Settings":
    from core.settings import load

    return load(os.environ, Path(".env"))


def _complain(message: str, code: int) -> int:
    print(f"llmrouter: {message}", file=sys.stderr)
    return code


def _meant(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, 1)
    return f"; did you mean '{close[0]}'?" if close else ""


if __name__ == "__main__":
    sys.exit(main())
