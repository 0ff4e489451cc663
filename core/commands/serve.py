"""Runs everything: core and facade processes under a supervisor that starts them again when they end.

SIGTERM (or Ctrl-C) stops in order: the facades finish their streams, then the cores; a second one stops
at once. SIGHUP makes the cores read their configuration file again.
"""

import logging
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress

from core import logs, sockets
from core.commands import first_account
from core.commands.address import check_free
from core.commands.instance import locked, workers_locked
from core.settings import Settings
from core.supervisor import Spec, Supervisor

EXAMPLES = """\
examples:
  llmrouter serve
  LLMROUTER_HTTP_ADDR=0.0.0.0:8080 OPENAI_API_KEY=sk-… llmrouter serve"""

_FACADES, _CORES = 0, 1  # the order in which they are stopped

log = logging.getLogger("llmrouter.serve")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--dev",
        action="store_true",
        help="make an administrator and an API key at the first start, and show how to use them; for trying things out",
    )


def run(arguments: Namespace, load: Callable[[], Settings]) -> int:
    settings = load()
    logs.set_up(settings.log_level, settings.log_format, "serve")
    sockets.prepare(settings)
    with locked(settings, "serve"), workers_locked(settings) as lock:
        check_free(settings.http_addr, "LLMROUTER_HTTP_ADDR")
        check_free(settings.grpc_addr, "LLMROUTER_GRPC_ADDR")
        made = arguments.dev and first_account.make_in_child(settings)

        def ready() -> None:
            log.info("up", extra={"http": str(settings.http_addr), "grpc": str(settings.grpc_addr)})
            if arguments.dev:
                with suppress(OSError):  # nobody reads it, which is no reason to stop
                    print(first_account.welcome(settings, made=made), flush=True)

        supervisor = Supervisor(
            specs(settings),
            drain=settings.drain_timeout,
            on_ready=ready,
            pass_fds=[lock],
            terminal=sys.stderr.fileno() if sys.stderr.isatty() else None,
        )
        return supervisor.run()


def specs(settings: Settings) -> list[Spec]:
    """The processes to run. Facade i calls core i first, so that the facades spread over the cores."""
    command = (sys.executable, "-P", "-m", "core.cli")
    cores = [f"unix:{sockets.core_socket(settings, n)}" for n in range(settings.core_workers)]
    wanted = [
        Spec(f"core-{n}", (*command, "core", "--worker", str(n)), _CORES, reloads=True)
        for n in range(settings.core_workers)
    ]
    for n in range(settings.facade_workers):
        first = n % len(cores)
        targets = [argument for core in cores[first:] + cores[:first] for argument in ("--core", core)]
        wanted.append(Spec(f"facade-{n}", (*command, "facade", "--worker", str(n), *targets), _FACADES))
    return wanted
